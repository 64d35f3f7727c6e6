"""The command line `billing`: tokens, demo data, audits, exports, replays."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

import click
from pydantic import ValidationError

from billing import clock, config, deadline
from billing.adapters.documents import DocumentStore
from billing.adapters.vies import Vies
from billing.dialects.v1.deliveries import InvoiceDeliveryResponseDTO
from billing.dialects.v1.events import EventDTO
from billing.dialects.v1.tokens import TokenRequestDTO, TokenResponseDTO
from billing.dialects.v1.webhooks import WebhookDeliveryResponseDTO, WebhookEndpointResponseDTO
from billing.domain.errors import NotFoundError, NotSandboxError
from billing.domain.ids import ALL_ACCOUNTS
from billing.domain.mails import state_of
from billing.domain.tokens import Grant, Role, new_token
from billing.persistence.accounts import AccountRepository
from billing.persistence.chains import ChainRepository
from billing.persistence.charge_texts import ChargeTextRepository
from billing.persistence.cycles import CycleRepository
from billing.persistence.events import EventRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.mails import MailRepository
from billing.persistence.tokens import TokenRepository
from billing.persistence.upgrades import UpgradeRepository
from billing.persistence.webhooks import WebhookRepository
from billing.services.check_vat_numbers import check_vat_number
from billing.services.erase_charges import erase_charges
from billing.services.erase_documents import erase_documents
from billing.services.issue_token import issue_token
from billing.services.read_events import read_events
from billing.services.upgrade_org import upgrade_org
from billing_cli import audit as audits
from billing_cli import dead_letters, demo
from billing_cli import export as exports
from billing_cli.invoices import invoice
from billing_cli.orgs import check_org, json_option, org_option
from billing_cli.runs import run_billing
from billing_cli.stack import StackGroup, outputs
from billing_cli.verifactu import verifactu

FORMATS = click.Choice(["csv", "jsonl"])
DAY = click.DateTime(["%Y-%m-%d"])
DELIMITERS = {",": ",", ";": ";", "tab": "\t"}
SECONDS_BETWEEN_LINES = 5
EVENTS_AT_ONCE = 100
SECONDS_BETWEEN_READS = 1
DELIVERIES_SHOWN = 25
DOCUMENTS_SHOWN = 25


@click.group(cls=StackGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--stack", default="billing", show_default=True, help="The name of the CloudFormation stack."
)
def cli(stack: str) -> None:
    """
    Run a billing API: on AWS, or on the local stack.

    Commands read the names of tables, bucket and queues from the outputs of the stack, with the
    credentials, region and endpoint that the AWS tools are configured with.

    \b
    Use the local stack:
        make start
        make billing ARGS='audit --org demo'

    \b
    Create the first token of a new stack, and use it:
        billing token create --org acme --role admin --name first
        curl -H 'PRIVATE-TOKEN: bil_…' https://…/v1/orgs/acme/billing_info

    \b
    Complete commands and options with Tab, in bash; zsh and fish likewise:
        eval "$(_BILLING_COMPLETE=bash_source billing)"

    \b
    Exit status:
        0  it is done
        1  it failed, or found faults: standard error or the output says which
        2  the command line is wrong
    """


cli.add_command(invoice)
cli.add_command(run_billing)
cli.add_command(verifactu)


@cli.group(cls=StackGroup)
def token() -> None:
    """
    Create, list, rotate and revoke tokens.

    A token is shown once, when it is created; only its hash is stored. A revoked token is
    refused within a minute, and so are those that were created with it.
    """


@token.command("create")
@org_option
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="`reader` reads, `writer` also writes, `admin` also manages the org.",
)
@click.option("--name", required=True, help="Name that shows in lists of tokens.")
@click.option(
    "--accounts",
    default=ALL_ACCOUNTS,
    show_default=True,
    help="Account ids that the token may use, separated by commas.",
)
@click.option(
    "--expires",
    type=click.DateTime(),
    help="Expiry time in UTC. Omit for a token that never expires.",
)
@click.option(
    "--sandbox",
    is_flag=True,
    help="Make the org a sandbox, whose clock can be set. Only for the first token of an org.",
)
def create_token(
    org: str, role: str, name: str, accounts: str, expires: datetime | None, sandbox: bool
) -> None:
    """Create a token and print it: the only time it is shown."""
    asked = {
        "name": name,
        "role": role,
        "accounts": accounts if accounts == ALL_ACCOUNTS else accounts.split(","),
        "expires_at": expires and expires.replace(tzinfo=UTC).isoformat(),
    }
    try:
        request = TokenRequestDTO.model_validate(asked)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = str(wrong["loc"][0]).removesuffix("_at")
        raise click.UsageError(f"--{option}: {wrong['msg']}") from error
    try:
        _, secret = issue_token(
            org,
            request.name,
            request.role,
            request.accounts,
            request.expires_at,
            now=clock.now(),
            tokens=TokenRepository(),
            sandbox=sandbox,
        )
    except NotSandboxError as error:
        raise click.ClickException(error.message) from error
    click.echo(secret)


@token.command("list")
@org_option
@json_option
def list_tokens(org: str, as_json: bool) -> None:
    """List the tokens of an org, without their secrets."""
    check_org(org)
    for grant in TokenRepository().list_grants(org):
        if as_json:
            click.echo(TokenResponseDTO.from_domain(grant).model_dump_json())
            continue
        written = grant.reach.written
        accounts = "all accounts" if grant.reach.is_all else ",".join(written)
        expires = f"until {grant.expires_at:%Y-%m-%d %H:%M}Z" if grant.expires_at else "for ever"
        click.echo(
            f"{grant.id}  …{grant.last_four}  {grant.role:<6}  {accounts}  {expires}  {grant.name}"
        )


@token.command("rotate")
@org_option
@click.option("--keep", is_flag=True, help="Keep the old token valid; revoke it later.")
@click.argument("token_id")
def rotate_token(org: str, keep: bool, token_id: str) -> None:
    """
    Replace a token with a new one that has the same rights, and print it.

    The new token ends with the tokens that the old one was created with. Tokens that were created
    with the old token end with the old one, not with the new one.
    """
    tokens, secret, now = TokenRepository(), new_token(), clock.now()
    old = _grant(org, token_id)
    if old.has_expired(now):
        raise click.ClickException(f"The token {token_id} has expired; create a new one.")
    tokens.add(old.renewed(secret, now))
    click.echo(secret)  # before the old one goes: where that fails, this one is not lost
    if not keep:
        tokens.revoke(org, token_id)


@token.command("revoke")
@org_option
@click.argument("token_id")
def revoke_token(org: str, token_id: str) -> None:
    """Revoke a token."""
    TokenRepository().revoke(org, _grant(org, token_id).id)


@cli.command()
@click.option("--url", help="Base URL of the API. Default: that of the stack.")
@click.option(
    "--known",
    type=click.File(),
    help="File with the earlier output of this command, to use its tokens.",
)
@click.pass_context
def seed(context: click.Context, url: str | None, known: IO[str] | None) -> None:
    """
    Create the demo orgs, and print their tokens.

    They get accounts, invoices and payments, all through the API. The output is JSON. Pass it to
    --known to use its tokens again; then nothing that already exists is changed.
    """
    base_url = url or outputs(context.find_root().params["stack"])["ApiUrl"]
    facts = {**(json.load(known) if known else demo.make_tokens()), "base_url": base_url}
    demo.fill(facts)
    click.echo(json.dumps(facts, indent=2))


@cli.command("vat-check")
@org_option
@click.option("--account", help="Id of the account. Omit for all accounts in other countries.")
def vat_check(org: str, account: str | None) -> None:
    """
    Ask VIES which VAT numbers of accounts are valid, and set their status.

    VIES is the service of the European Commission that knows who trades with other member states;
    numbers of the org's own country are not asked for. Where it cannot answer, the status stays.
    """
    check_org(org)
    accounts, vies = AccountRepository(), Vies(config.vies_url())
    own = accounts.get_org(org)
    listed = [account] if account else [each for _, each in accounts.list_vat_numbers(own, "")]
    for account_id in listed:
        status = check_vat_number(org, account_id, accounts=accounts, vies=vies)
        click.echo(f"{account_id}: {status or 'not known'}")


@cli.command()
@org_option
@click.option("--quick", is_flag=True, help="Do not read and check the PDFs.")
@click.option("--list-erased", is_flag=True, help="Print each document and movement erased.")
def audit(org: str, quick: bool, list_erased: bool) -> None:
    """
    Verify the stored data of an org.

    It reads the tables and the bucket only.

    \b
    invoices   numbers without gaps, the hash chains, totals that are those of their lines
    fiscal     with VERIFACTU: each document has its fiscal record, these and their corrections are
               one whole chain, and each is as it was made and either answered or still to be sent
    PDFs       the bytes in the bucket are those that were stored
    refunds    what a movement says was refunded is the sum of its refunds, and not more than it
    payments   what an invoice says was paid is the sum of its payments that were not reversed
    balances   what an account owes and is owed is the sum of what its documents say

    Every fault is printed; the exit status is 1 if there is one.
    """
    check_org(org)
    documents = charges = 0
    erased: list[str] = []
    without_texts: list[str] = []
    found: list[tuple[str, str]] = []
    with _progress(audits.documents(org, pdfs=not quick), audits.count(org)) as audited:
        for each in audited:
            documents += each.is_document
            erased += [each.number] if each.erased else []
            found += [(each.number, fault) for fault in each.faults]
    for number in erased if list_erased else ():
        click.echo(f"{number}: its personal data was erased")
    for movement in audits.movements(org):
        charges += 1
        without_texts += [movement.id] if movement.erased else []
        found += [(f"movement {movement.id}", fault) for fault in movement.faults]
    for movement_id in without_texts if list_erased else ():
        click.echo(f"movement {movement_id}: its texts were erased")
    for name, faulty in audits.settlements(org):
        found += [(name, fault) for fault in faulty]
    for name, fault in found:
        click.secho(f"{name}: {fault}", fg="red")
    counted = f"{documents} documents" + _erased(erased)
    counted += f", {charges} movements" + _erased(without_texts)
    click.echo(f"{counted}, {len(found)} faults")
    raise SystemExit(1 if found else 0)


@cli.command()
@org_option
def balances(org: str) -> None:
    """
    Count the balances of all accounts of an org again, from their documents.

    Accounts that have documents of release 1.0 need it once: until then each read of their balance
    reads all of these documents.
    """
    check_org(org)
    invoices = InvoiceRepository()
    accounts = {key.account_id for key in ChainRepository().list_keys(org)}
    changed = 0
    for account_id in sorted(accounts):
        changed += deadline.retry(partial(invoices.count_balances, org, account_id))
    click.echo(f"{len(accounts)} accounts, {changed} changed")


@cli.command()
@org_option
@click.option("--account", required=True, help="The account whose documents are erased.")
@click.option("--before", required=True, type=DAY, help="Erase documents issued before this day.")
@click.confirmation_option(prompt="Erased data cannot be restored. Continue?")
def erase(org: str, account: str, before: datetime) -> None:
    """
    Erase the personal data of an account's old documents, and their PDFs.

    The texts of the movements, adjustments, refunds and usage that they billed go too. Numbers,
    amounts, ids and hashes stay, and the chain still verifies. Documents within their legal
    retention period are refused.
    """
    check_org(org)
    erased = erase_documents(
        org,
        account,
        before.date(),
        now=clock.now(),
        profiles=AccountRepository(),
        invoices=InvoiceRepository(),
        store=DocumentStore(),
        pause=time.sleep,
    )
    try:
        for number in erased:
            click.echo(number)
    except NotFoundError as error:
        raise click.ClickException(f"{org} has no account {account}.") from error
    charges = erase_charges(
        org,
        account,
        before.date(),
        now=clock.now(),
        profiles=AccountRepository(),
        cycles=CycleRepository(),
        invoices=InvoiceRepository(),
        texts=ChargeTextRepository(),
    )
    if charges:
        click.echo(f"{charges} movements, adjustments, refunds and usage records")


@cli.command()
@org_option
def upgrade(org: str) -> None:
    """
    Put what release 1.0.0 wrote into the lists of accounts and of unpaid invoices of the org.

    Run it once for each org after the upgrade; running it again changes nothing.
    """
    check_org(org)
    accounts, invoices = upgrade_org(org, documents=ChainRepository(), items=UpgradeRepository())
    click.echo(f"{accounts} accounts, {invoices} unpaid invoices")


@cli.command()
@org_option
@click.option("--follow", is_flag=True, help="Keep printing new events, until Ctrl-C.")
def events(org: str, follow: bool) -> None:
    """
    Print the events of an org as JSON lines, oldest first.

    They are those of the last 30 days, as `GET /v1/orgs/{org}/events` has them.
    """
    check_org(org)
    feed, place = EventRepository(), None
    while True:
        page, place = read_events(org, place, EVENTS_AT_ONCE, now=clock.now(), feed=feed)
        for event in page:
            click.echo(EventDTO.from_domain(event).model_dump_json())
        if not page and not follow:
            return
        if not page:
            time.sleep(SECONDS_BETWEEN_READS)


@cli.command()
@org_option
@click.option("--endpoint", help="Also print the last deliveries of this endpoint.")
@json_option
def webhooks(org: str, endpoint: str | None, as_json: bool) -> None:
    """List the webhook endpoints of an org: since when each fails, and whether it is disabled."""
    check_org(org)
    repository = WebhookRepository()
    endpoints = repository.list_endpoints(org)
    for each in endpoints:
        if as_json:
            click.echo(WebhookEndpointResponseDTO.from_domain(each).model_dump_json())
            continue
        state = "works"
        if each.disabled_at:
            state = f"disabled since {each.disabled_at:%Y-%m-%d %H:%M}Z"
        elif each.failing_since:
            state = f"fails since {each.failing_since:%Y-%m-%d %H:%M}Z"
        types = ",".join(sorted(each.types)) or "all events"
        click.echo(f"{each.id}  {state}  {types}  {each.url}")
    if endpoint:
        deliveries = repository.list_deliveries(org, endpoint, None, DELIVERIES_SHOWN)
        if not deliveries and endpoint not in {each.id for each in endpoints}:
            raise click.ClickException(f"{org} has no webhook endpoint {endpoint}.")
        for delivery in deliveries:
            if as_json:
                click.echo(WebhookDeliveryResponseDTO.from_domain(delivery).model_dump_json())
                continue
            answered = delivery.response_status or "no answer"
            waits = delivery.next_attempt_at
            again = f"  again {waits:%Y-%m-%d %H:%M:%S}Z" if waits else ""
            click.echo(
                f"{delivery.id}  {delivery.event_id}  {delivery.status}  "
                f"{delivery.attempts} tries, {answered}{again}"
            )


@cli.command()
@org_option
@click.option("--account", required=True, help="The account whose documents were mailed.")
@json_option
def mail(org: str, account: str, as_json: bool) -> None:
    """List the mails with the last 25 documents of an account, and the state of its address."""
    check_org(org)
    try:
        profile, *_, address = AccountRepository().get_details(org, account)
    except NotFoundError as error:
        raise click.ClickException(f"{org} has no account {account}.") from error
    if not as_json:
        click.echo(f"{profile.delivery_mode}  {state_of(profile, address)}  {profile.email}")
    mails = MailRepository()
    for document in InvoiceRepository().list_older(org, account, None, DOCUMENTS_SHOWN):
        for each in mails.list_page(document.key, None, DELIVERIES_SHOWN):
            if as_json:
                click.echo(InvoiceDeliveryResponseDTO.from_domain(each).model_dump_json())
                continue
            at = each.sent_at or each.created_at
            click.echo(f"{document.number}  {each.id}  {each.status:<10}  {at:%Y-%m-%d %H:%M:%S}Z")


@cli.command()
@click.option("--dry-run", is_flag=True, help="Only print how many there are.")
@click.pass_context
def replay(context: click.Context, dry_run: bool) -> None:
    """
    Try dead letters again.

    Fix the cause of the failure first. Messages go back to the queue that they came from, and
    missing PDFs are created. Dead letters that fail again stay where they are.
    """
    for queue, letters in dead_letters.queues(context.find_root().params["stack"]):
        if dry_run:
            click.echo(f"{queue}: {letters.count()} waiting")
            continue
        replayed, left = letters.replay()
        click.echo(f"{queue}: {replayed} replayed, {left} left")


@cli.command()
@org_option
@click.option("--format", "kind", type=FORMATS, default="csv", show_default=True)
@click.option("--from", "start", type=DAY, help="The first day of issue.")
@click.option("--to", "end", type=DAY, help="The last day of issue.")
@click.option(
    "--delimiter",
    type=click.Choice(list(DELIMITERS)),
    default=",",
    show_default=True,
    help="Separator of CSV cells.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: standard output.",
)
def export(
    org: str,
    kind: str,
    start: datetime | None,
    end: datetime | None,
    delimiter: str,
    output: Path | None,
) -> None:
    """
    Write the documents of an org as CSV or JSONL.

    They are its invoices and credit notes, in the order of their numbers. CSV has a row for each;
    JSONL has a line for each, with the lines of the invoice in it. Amounts are decimal, in major
    units.

    CSV is made for spreadsheets: it is UTF-8 with a byte order mark, and a text that a spreadsheet
    would take for a formula begins with an apostrophe. JSONL has every text as it is.
    """
    check_org(org)
    found = exports.rows(org, start and start.date(), end and end.date())
    with (
        _writing(output) as file,
        _progress(found, audits.count(org), among=None if output else file) as rows,
    ):
        if kind == "csv":
            exports.write_csv(rows, DELIMITERS[delimiter], file)
        else:
            exports.write_jsonl(rows, file)


@contextmanager
def _writing(output: Path | None) -> Iterator[IO[str]]:
    """Open a file that appears once it is complete, or standard output; both are UTF-8."""
    if output is None:
        yield click.get_text_stream("stdout", encoding="utf-8")
        return
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(output)
    except OSError as error:
        raise click.FileError(str(output), error.strerror) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _progress[T](
    items: Iterable[T], length: int, among: IO[str] | None = None
) -> Iterator[Iterable[T]]:
    """
    Show the progress on standard error: a bar, or lines if that is not a terminal.

    Show nothing where `among`, which the items are written to, is a terminal itself.
    """
    if among is not None and among.isatty():
        yield items
    elif not sys.stderr.isatty():
        yield _told(items, length)
    else:
        with click.progressbar(
            items, length=length, label="Documents", file=sys.stderr, show_pos=True
        ) as shown:
            yield shown


def _told[T](items: Iterable[T], length: int) -> Iterator[T]:
    said = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if time.monotonic() - said >= SECONDS_BETWEEN_LINES:
            click.echo(f"{number} of {length} documents", err=True)
            said = time.monotonic()


def _erased(them: Sequence[str]) -> str:
    return f", {len(them)} erased" if them else ""


def _grant(org: str, token_id: str) -> Grant:
    for grant in TokenRepository().list_grants(org):
        if grant.id == token_id:
            return grant
    raise click.ClickException(f"{org} has no token {token_id}.")


if __name__ == "__main__":
    cli(prog_name="billing")
