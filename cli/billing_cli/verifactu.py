"""How fiscal records are sent: how far that is, by which certificate, and what was refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, get_args

import click

from billing import clock
from billing.adapters.secrets import FiscalCertificate, fiscal_certificate, keep_fiscal_certificate
from billing.adapters.tax_agency import check_certificate
from billing.dialects.v1.verifactu import (
    BuyerIdType,
    FiscalCorrectionRequestDTO,
    FiscalRecordDTO,
)
from billing.domain.errors import BillingError, NotFoundError, UpstreamFailedError
from billing.domain.fiscal_sending import AT_ONCE, Sending
from billing.domain.ids import new_id
from billing.domain.verifactu import FiscalEnd, KeptRecord, RecordState
from billing.persistence.accounts import AccountRepository
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.fiscal_senders import SenderRepository
from billing.persistence.invoices import InvoiceRepository
from billing.services.correct_fiscal_record import correct_fiscal_record
from billing_cli.orgs import check_org, json_option, org_option, time_of
from billing_cli.stack import StackGroup

REJECTED_SHOWN = 25
RECORDS_AT_ONCE = 100


@click.group(cls=StackGroup)
def verifactu() -> None:
    """Show and correct what Spain's tax agency is sent, and set the certificate for it."""


@verifactu.command("status")
@org_option
def status(org: str) -> None:
    """Print how far the sending of an org's records is, and which were rejected."""
    check_org(org)
    for line in _status(org):
        click.echo(line)


@verifactu.command("certificate")
@org_option
@click.option("--seal", is_flag=True, help="The certificate is one of a seal (sello de entidad).")
@click.argument("file", type=click.File())
def certificate(org: str, seal: bool, file: IO[str]) -> None:
    """
    Set the certificate by which the records of an org are sent.

    FILE has the certificate and its private key without a password, as PEM; `-` is the standard
    input. It is kept in Secrets Manager, in the place of the one before.
    """
    check_org(org)
    given = FiscalCertificate(file.read(), seal)
    check_certificate(given.pem)
    keep_fiscal_certificate(org, given)


@verifactu.command("records")
@org_option
@click.option(
    "--state",
    type=click.Choice([state.value for state in RecordState]),
    default=RecordState.REJECTED.value,
    show_default=True,
    help="State of the records that are listed.",
)
@json_option
def list_records(org: str, state: str, as_json: bool) -> None:
    """
    List the fiscal records of an org in a state, and what the tax agency finds wrong with them.

    They come in the order of their chain: the number and the type of the document, then the
    agency's codes and words. A record that was corrected is not listed any more.
    """
    check_org(org)
    for kept in _records(org, RecordState(state)):
        if as_json:
            click.echo(FiscalRecordDTO.from_domain(kept).model_dump_json())
            continue
        said, errors = kept.record.declaration, kept.verdict.errors if kept.verdict else ()
        wrong = "; ".join(f"{each.code} {each.message}" for each in errors)
        click.echo(f"{said.number}  {said.type}  {wrong}".rstrip())


@verifactu.command("correct")
@org_option
@click.option(
    "--buyer-id-type",
    type=click.Choice(get_args(BuyerIdType)),
    help="What the buyer's tax id is, where the agency does not know it. "
    "Omit to declare it as before.",
)
@click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True)
def correct(org: str, buyer_id_type: BuyerIdType | None, numbers: tuple[str, ...]) -> None:
    """
    Correct the fiscal records of documents, by their numbers (subsanación).

    The record was rejected, or accepted with errors, and the cause is mended: a new record of the
    same document is sent. What is wrong on the document itself takes a credit note.

    \b
    Correct all that was rejected for one cause, by its code:
        billing verifactu records --org ORG | grep ' 1110 ' | cut -d' ' -f1 |
            xargs billing verifactu correct --org ORG

    The exit status is 1 where one could not be corrected.
    """
    check_org(org)
    failed = False
    for number in numbers:
        try:
            position = _correct(org, number, buyer_id_type)
        except BillingError as error:
            failed = True
            click.secho(f"{number}: {error.message}", fg="red")
        else:
            click.echo(f"{number}: corrected by record {position}")
    raise SystemExit(1 if failed else 0)


def _correct(org_id: str, number: str, buyer_id_type: BuyerIdType | None) -> str:
    """Correct the record of a document; return the position of the new one."""
    invoices = InvoiceRepository()
    key = invoices.find_number(org_id, number)
    if key is None:
        raise NotFoundError(f"{org_id} has no document {number}.")
    request = FiscalCorrectionRequestDTO(
        external_fiscal_correction_unique_id=f"cli-{new_id(clock.now())}",
        buyer_id_type=buyer_id_type,
    )
    external_id = request.external_fiscal_correction_unique_id
    corrected = correct_fiscal_record(
        key,
        request.id_type,
        request.external_id(external_id, key.account_id, str(key.ordinal)),
        now=time_of(org_id),
        profiles=AccountRepository(),
        invoices=invoices,
        records=FiscalRecordRepository(),
    )
    return corrected.id


def _records(org_id: str, state: RecordState) -> Iterator[KeptRecord]:
    """List all records of an org in a state, page by page."""
    records, after = FiscalRecordRepository(), None
    while page := records.list_by_state(org_id, state, after, RECORDS_AT_ONCE):
        yield from page
        after = f"{page[-1].record.position:010}"


def _status(org_id: str) -> Iterator[str]:
    """Return lines on the chain of an org, on what is sent of it, and on what was rejected."""
    records, sending = FiscalRecordRepository(), SenderRepository().get(org_id)
    yield _chain(records.end(org_id))
    pending = records.pending(org_id, AT_ONCE)
    if pending:
        oldest = datetime.fromisoformat(pending[0].record.generated_at)
        many = f"{AT_ONCE} or more" if len(pending) == AT_ONCE else str(len(pending))
        yield f"unsent       {many}, the oldest since {_instant(oldest)}"
    else:
        yield "unsent       none"
    yield from _sending(sending)
    yield f"certificate  {_certificate(org_id)}"
    for kept in records.list_by_state(org_id, RecordState.REJECTED, None, REJECTED_SHOWN):
        for error in kept.verdict.errors if kept.verdict else ():
            yield f"rejected     {kept.record.declaration.number}  {error.code}  {error.message}"


def _chain(end: FiscalEnd) -> str:
    if end.link is None:
        return "records      none"
    return f"records      {end.position}, the last of {end.link.number}, {end.link.issue_date}"


def _sending(sending: Sending) -> Iterator[str]:
    if sending.last_at is None:
        return
    answer = f"no answer, {sending.failures} in a row: {sending.reason}"
    yield f"last         {_instant(sending.last_at)}, {answer if sending.failures else 'answered'}"
    yield f"next         {_instant(sending.last_at + sending.pause)}, or once a message is full"


def _certificate(org_id: str) -> str:
    try:
        return "of a seal" if fiscal_certificate(org_id).seal else "there"
    except UpstreamFailedError:
        return "missing"


def _instant(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
