"""How fiscal records are sent: how far that is, and by which certificate."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO

import click

from billing.adapters.secrets import FiscalCertificate, fiscal_certificate, keep_fiscal_certificate
from billing.adapters.tax_agency import check_certificate
from billing.domain.errors import UpstreamFailedError
from billing.domain.fiscal_sending import AT_ONCE, Sending
from billing.domain.verifactu import FiscalEnd, RecordState
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.fiscal_senders import SenderRepository
from billing_cli.orgs import check_org, org_option
from billing_cli.stack import StackGroup

REJECTED_SHOWN = 25


@click.group(cls=StackGroup)
def verifactu() -> None:
    """Show how far the sending to Spain's tax agency is, and set the certificate for it."""


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
