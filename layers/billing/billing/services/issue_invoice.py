"""Issue a one-off invoice."""

from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.calendar import local_date
from billing.domain.errors import AccountClosedError, ContentionError
from billing.domain.external_ids import ExternalId
from billing.domain.invoices import (
    Invoice,
    InvoiceKey,
    NewInvoice,
    Position,
    draft_invoice,
)
from billing.domain.locations import tax_at
from billing.domain.parties import Account, Org


class Profiles(Protocol):
    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]: ...


class Invoices(Protocol):
    def position(
        self, org_id: str, account_id: str, series: str, external: ExternalId
    ) -> Position | InvoiceKey: ...

    def add(self, invoice: Invoice, last: Position, external: ExternalId) -> None: ...


def issue_invoice(
    request: NewInvoice,
    external: ExternalId,
    *,
    now: datetime,
    profiles: Profiles,
    invoices: Invoices,
) -> tuple[InvoiceKey, bool]:
    """
    Number and issue an invoice; tell which it is, and whether it had been issued before.

    Everyone in the org wants the next number, so being overtaken is normal: the position is read
    again and the invoice written anew, within the deadline.
    """
    org, account = profiles.get_both(request.org_id, request.account_id)
    series = f"{org.invoice_series}{local_date(now, org.time_zone).year}"
    default_tax = tax_at(account.country, account.state_id)
    for _ in deadline.attempts():
        last = invoices.position(request.org_id, account.id, series, external)
        if isinstance(last, InvoiceKey):
            return last, True
        if account.closed:
            raise AccountClosedError
        invoice = draft_invoice(request, org, account, default_tax, now, last)
        try:
            invoices.add(invoice, last, external)
        except ContentionError:
            continue
        return invoice.key, False
    raise ContentionError
