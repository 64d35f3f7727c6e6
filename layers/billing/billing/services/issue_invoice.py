"""Issue a one-off invoice."""

from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.errors import AccountClosedError, ContentionError
from billing.domain.idempotency import ExternalId
from billing.domain.invoices import (
    InvoiceKey,
    InvoiceKind,
    IssuedInvoice,
    NewInvoice,
    Position,
    draft_invoice,
    series_in,
)
from billing.domain.parties import Account, Org
from billing.domain.tax import Tax
from billing.domain.tax_rates import OwnRates, tax_at


class Profiles(Protocol):
    def get_with_rates(self, org_id: str, account_id: str) -> tuple[Org, Account, OwnRates]: ...


class Invoices(Protocol):
    def position(
        self, org_id: str, account_id: str, series: str, external: ExternalId
    ) -> Position | InvoiceKey: ...

    def add(self, invoice: IssuedInvoice, last: Position, external: ExternalId) -> None: ...


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
    org, account, own = profiles.get_with_rates(request.org_id, request.account_id)
    series = series_in(org, InvoiceKind.INVOICE, now)

    def default_tax(day: date) -> Tax:
        return tax_at(account.country, account.state_id, day, own)

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
