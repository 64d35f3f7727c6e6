"""Dispatch billing: start the runs of the day, and list the accounts of each run in batches."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.adapters.queues import BatchesQueue, RunsQueue
from billing.api.logger import logger
from billing.api.messages import take_messages
from billing.persistence.accounts import AccountRepository
from billing.persistence.billing_runs import BillingRunRepository
from billing.services.run_billing import list_accounts, start_daily_runs

STARTED = "daily runs started"
"""What is logged of each day; the template's alarm misses it."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the runs queue."""
    return take_messages(event, context, _take, queue=config.runs_queue(), failure="not dispatched")


def _take(message: dict[str, Any], hops: int) -> None:
    if "run_id" in message:
        _list_accounts(message, hops)
    else:
        _start_daily_runs(message["after"], hops)


def _list_accounts(message: dict[str, Any], hops: int) -> None:
    list_accounts(
        message["org_id"],
        message["run_id"],
        runs=BillingRunRepository(),
        queue=RunsQueue(hops),
        batches=BatchesQueue(hops),
    )


def _start_daily_runs(after: str, hops: int) -> None:
    start_daily_runs(
        after or None,
        now=clock.now(),
        orgs=AccountRepository(),
        runs=BillingRunRepository(),
        queue=RunsQueue(hops),
    )
    logger.info(STARTED)
