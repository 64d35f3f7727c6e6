"""Check the VAT numbers of accounts, as VIES knows them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from billing import deadline
from billing.domain.parties import Account, Org, VatNumberStatus
from billing.domain.tax_ids import vies_id

STEP_SECONDS = 15.0
"""What one account may take: VIES answers within ten seconds, or not at all."""


class Vies(Protocol):
    def check(self, vat_id: str) -> VatNumberStatus | None: ...


class Accounts(Protocol):
    def get_for_check(self, org_id: str, account_id: str) -> tuple[Org, Account, int]: ...

    def replace_account(
        self, org_id: str, account: Account, known: Account | None, version: int, lanes: int
    ) -> None: ...

    def list_vat_numbers(self, org: Org, after: str) -> Iterable[tuple[str, str]]: ...


class Orgs(Protocol):
    def list_orgs(self, after: str | None = None) -> Iterable[str]: ...

    def get_org(self, org_id: str) -> Org: ...


class LookupsQueue(Protocol):
    def send_orgs(self, after: str) -> None: ...

    def send_org(self, org_id: str, after: str) -> None: ...


def check_vat_number(
    org_id: str, account_id: str, *, accounts: Accounts, vies: Vies
) -> VatNumberStatus | None:
    """
    Set what VIES says of an account's VAT number, and return it.

    VIES knows who trades with other member states, so a number of the org's own country is not
    asked for. None says that, or that nobody can tell at present: nothing changes then. A profile
    that was written meanwhile is read, and its number checked, again.
    """

    def check() -> VatNumberStatus | None:
        org, account, version = accounts.get_for_check(org_id, account_id)
        abroad = org.address.country != account.country
        number = vies_id(account.tax_id, account.country) if abroad else None
        status = vies.check(number) if number else None
        if status and status is not account.vat_number_status:
            checked = replace(account, vat_number_status=status)
            accounts.replace_account(org_id, checked, account, version, org.lanes)
        return status

    return deadline.retry(check)


def check_in_time(
    org_id: str, after: str, *, orgs: Orgs, accounts: Accounts, vies: Vies, queue: LookupsQueue
) -> Iterator[tuple[str, VatNumberStatus | None]]:
    """Check the accounts of an org behind a place in its list; continue later if time is short."""
    for place, account_id in accounts.list_vat_numbers(orgs.get_org(org_id), after):
        if deadline.seconds_left() < STEP_SECONDS:
            queue.send_org(org_id, after)
            return
        yield account_id, check_vat_number(org_id, account_id, accounts=accounts, vies=vies)
        after = place


def start_checks(after: str, *, orgs: Orgs, queue: LookupsQueue) -> None:
    """Queue the check of each further org but sandboxes; continue later if time runs short."""
    for org_id in orgs.list_orgs(after or None):
        if deadline.seconds_left() < deadline.STEP_SECONDS:
            queue.send_orgs(after)
            return
        if not orgs.get_org(org_id).sandbox:
            queue.send_org(org_id, "")
        after = org_id
