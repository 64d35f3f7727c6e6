"""Read an account's profile, and when it is billed next."""

from datetime import date, datetime
from typing import Protocol

from billing.domain.cycles import BillableAccount, BillingDetails, OpenCycle
from billing.domain.mails import AddressState, state_of
from billing.domain.parties import Account


class Accounts(Protocol):
    def get_details(
        self, org_id: str, account_id: str
    ) -> tuple[Account, int, BillableAccount | None, AddressState]: ...


class Cycles(Protocol):
    def is_empty(self, org_id: str, account_id: str, ends_on: date) -> bool: ...


def read_billing_details(
    org_id: str, account_id: str, *, now: datetime, accounts: Accounts, cycles: Cycles
) -> BillingDetails:
    """
    Return an account's profile with its open cycle, which is what the next run bills.

    Before the first write it is the cycle that this write would open. A closed account is billed
    for as long as something is left: refunds of what it was charged are still accepted.
    """
    account, version, cycles_of, address = accounts.get_details(org_id, account_id)
    cycle = cycles_of.open if cycles_of else OpenCycle.first(account, now)
    is_done = account.closed and (
        cycles_of is None
        or (cycles_of.closing is None and cycles.is_empty(org_id, account_id, cycle.ends_on))
    )
    return BillingDetails(
        account, version, cycle, None if is_done else cycle.ends_on, state_of(account, address)
    )
