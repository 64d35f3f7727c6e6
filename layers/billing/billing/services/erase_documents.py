"""Erase the personal data of old documents, once the law does not ask for it any more."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from functools import partial
from typing import Protocol

from billing import deadline
from billing.domain.errors import ConflictError
from billing.domain.invoices import InvoiceKey, InvoiceSummary
from billing.domain.parties import Account, Org
from billing.domain.periods import local_date, years_before
from billing.domain.regimes import retention_years

RENDER_SECONDS = 25
"""How long the function that makes PDFs may take: its time-out in template.yaml."""


class Profiles(Protocol):
    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]: ...


class Invoices(Protocol):
    def list_unerased(
        self, org_id: str, account_id: str, before: date
    ) -> Iterable[InvoiceSummary]: ...

    def erase(self, key: InvoiceKey, now: datetime) -> None: ...


class Store(Protocol):
    def delete(self, key: InvoiceKey) -> None: ...


def check_retention(org: Org, before: date, now: datetime) -> None:
    """Raise ConflictError where the law still asks for documents issued before a day."""
    years = retention_years(org.address.country)
    latest = years_before(local_date(now, org.time_zone), years)
    if before > latest:
        raise ConflictError(
            f"Documents are kept for {years} years in {org.address.country}: "
            f"only those issued before {latest} can be erased."
        )


def erase_documents(
    org_id: str,
    account_id: str,
    before: date,
    *,
    now: datetime,
    profiles: Profiles,
    invoices: Invoices,
    store: Store,
    pause: Callable[[float], None],
) -> Iterator[str]:
    """
    Erase the personal part and the PDF of an account's documents issued before a day.

    Yield each number. Every step can be repeated. A PDF that is being made meanwhile is not
    recorded any more, but can still be stored: PDFs are deleted again once no function can be at
    work on one, after a pause. Raise ConflictError where the legal term of retention in the
    seller's country is not over.
    """
    org, _ = profiles.get_both(org_id, account_id)
    check_retention(org, before, now)
    erased = []
    for summary in invoices.list_unerased(org_id, account_id, before):
        # First, and recorded or not: while the document is listed, this is done again.
        store.delete(summary.key)
        deadline.retry(partial(invoices.erase, summary.key, now))
        erased.append(summary.key)
        yield summary.number
    if erased:
        pause(RENDER_SECONDS)
    for key in erased:
        store.delete(key)
