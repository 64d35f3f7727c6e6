"""Erase the texts of old charges, with the documents that billed them."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Protocol

from billing.domain.cycles import ClosedCycle
from billing.domain.parties import Account, Org
from billing.services.erase_documents import check_retention


class Profiles(Protocol):
    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]: ...


class Cycles(Protocol):
    def list_closed(self, org_id: str, account_id: str, before: date) -> list[ClosedCycle]: ...


class Invoices(Protocol):
    def last_before(self, org_id: str, account_id: str, before: date) -> int: ...


class Texts(Protocol):
    def erase(
        self, org_id: str, account_id: str, cycles: Collection[date], before: date, now: datetime
    ) -> int: ...


def erase_charges(
    org_id: str,
    account_id: str,
    before: date,
    *,
    now: datetime,
    profiles: Profiles,
    cycles: Cycles,
    invoices: Invoices,
    texts: Texts,
) -> int:
    """
    Erase the texts of charges that were billed before a day; return of how many.

    Charges are movements, adjustments, refunds and usage. They go with their documents: a cycle's,
    once all that it issued is old enough. Amounts, times and ids stay. Every step can be
    repeated. Raise ConflictError where the legal term of retention is not over.
    """
    org, _ = profiles.get_both(org_id, account_id)
    check_retention(org, before, now)
    last = invoices.last_before(org_id, account_id, before)
    closed = cycles.list_closed(org_id, account_id, before)
    billed = {each.ends_on for each in closed if each.is_billed_up_to(last)}
    return texts.erase(org_id, account_id, billed, before, now)
