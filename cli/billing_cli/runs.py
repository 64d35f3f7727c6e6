"""Start a billing run, and watch it."""

import time
from datetime import datetime

import click

from billing import clock
from billing.adapters.queues import RunsQueue
from billing.dialects.v1.billing_runs import BillingRunRequestDTO
from billing.domain.billing_runs import BillingRun, RunStatus
from billing.domain.ids import new_id
from billing.persistence.billing_runs import BillingRunRepository
from billing.services.run_billing import start_run
from billing_cli.orgs import check_org, org_option, time_of
from billing_cli.stack import StackCommand

SECONDS_BETWEEN_READS = 1


@click.command("run", cls=StackCommand)
@org_option
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Bill every cycle that ends on or before this day. Default and latest: the org's today.",
)
@click.option("--id", "external_id", help="Your own id: a run is started once for each.")
@click.option("--watch", is_flag=True, help="Print the progress until the run is completed.")
def run_billing(org: str, until: datetime | None, external_id: str | None, watch: bool) -> None:
    """
    Start a billing run, and print its id.

    With --watch, the exit status is 1 if an account could not be billed.
    """
    check_org(org)
    request = BillingRunRequestDTO(
        until=until and until.date(),
        external_billing_run_unique_id=external_id or f"cli-{new_id(clock.now())}",
    )
    started = start_run(
        org,
        request.until,
        request.external_id(request.external_billing_run_unique_id),
        now=clock.now(),
        org_time=time_of(org),
        runs=BillingRunRepository(),
        queue=RunsQueue(),
    )
    click.echo(started.id)
    if watch:
        _watch(org, started.id)


def _watch(org: str, run_id: str) -> None:
    """Print a line for each change, so that it reads well in a terminal and in a file."""
    runs, said = BillingRunRepository(), ""
    while True:
        run = runs.get(org, run_id)
        told = _told(run)
        if told != said:
            click.echo(told, err=True)
            said = told
        if run.status is RunStatus.COMPLETED:
            break
        time.sleep(SECONDS_BETWEEN_READS)
    _, failures = runs.get_with_failures(org, run_id)
    lines = [f"{each.account_id}: {each.message} ({each.code})" for each in failures]
    for line in lines:
        click.secho(line, fg="red")
    raise SystemExit(1 if lines else 0)


def _told(run: BillingRun) -> str:
    return (
        f"{run.status.value}: {run.accounts_done} of {run.accounts_total} accounts, "
        f"{run.invoices_issued} documents"
    )
