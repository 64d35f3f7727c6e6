"""Issue a one-off invoice."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.errors import AccountClosedError
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.idempotency import Created, ExternalId
from billing.domain.invoices import NewInvoice, draft_invoice
from billing.domain.issuing import Journal, OpenJournal, RegimeChangedError
from billing.domain.parties import Account, Org
from billing.domain.tax_rates import OwnRates
from billing.services.convert_tax import with_national_tax


class Profiles(Protocol):
    def get_with_rates(self, org_id: str, account_id: str) -> tuple[Org, Account, OwnRates]: ...


class Issuing(Protocol):
    def open(
        self, org: Org, account_ids: Iterable[str], now: datetime, *, external: ExternalId
    ) -> OpenJournal: ...

    def write(self, journal: Journal, external: ExternalId) -> None: ...


class Rates(Protocol):
    def find(self, org_id: str, currency: str, day: date) -> ExchangeRate | None: ...


def issue_invoice(
    request: NewInvoice,
    external: ExternalId,
    *,
    now: datetime,
    profiles: Profiles,
    rates: Rates,
    issuing: Issuing,
) -> Created:
    """
    Create an invoice with the next number of the org.

    Concurrent requests of an org compete for the next number, so conflicts are normal: the journal
    is opened and the invoice written again, within the deadline. Where the fiscal regime has
    changed meanwhile, the profile is read again, too.
    """

    def issue_as_of_now() -> Created:
        profile = profiles.get_with_rates(request.org_id, request.account_id)
        return deadline.retry(lambda: issue(*profile))

    def issue(org: Org, account: Account, own: OwnRates) -> Created:
        opened = issuing.open(org, [account.id], now, external=external)
        if known := external.replay(opened.known):
            return known
        if account.closed:
            raise AccountClosedError
        journal = opened.journal
        draft = draft_invoice(request, org, account, own, now)
        invoice = journal.issue(with_national_tax(draft, now, rates.find))
        issuing.write(journal, external)
        return Created(str(invoice.key.ordinal))

    return deadline.retry(issue_as_of_now, on=RegimeChangedError)
