"""Write for an org what older releases did not: the places of its items in org-wide lists."""

from collections.abc import Iterable
from typing import Protocol

from billing.domain.invoices import InvoiceKey


class Documents(Protocol):
    def list_keys(self, org_id: str) -> Iterable[InvoiceKey]: ...


class OldItems(Protocol):
    def list_charged_accounts(self, org_id: str) -> Iterable[str]: ...

    def place_account(self, org_id: str, account_id: str) -> bool: ...

    def place_unpaid(self, org_id: str, account_id: str) -> int: ...


def upgrade_org(org_id: str, *, documents: Documents, items: OldItems) -> tuple[int, int]:
    """
    List the accounts of an org, and its unpaid invoices; return how many of each were not listed.

    It can be done again at any time. An account that was never charged nor billed is not found; it
    is listed with the next change of its profile.
    """
    account_ids = set(items.list_charged_accounts(org_id))
    account_ids |= {key.account_id for key in documents.list_keys(org_id)}
    accounts = invoices = 0
    for account_id in sorted(account_ids):
        accounts += items.place_account(org_id, account_id)
        invoices += items.place_unpaid(org_id, account_id)
    return accounts, invoices
