"""
Billing profiles.

    pk                        sk         what
    org#<org>                 profile    the org's own profile
    account#<org>#<account>   profile    the profile of one of its accounts
"""

import json
from typing import Any

from billing import config
from billing.domain.errors import NotFoundError
from billing.domain.parties import Account, Org
from billing.persistence.dynamodb import (
    Item,
    Key,
    get_item,
    get_items,
    joined,
    put_item,
    to_json,
)
from billing.persistence.records import account_record, org_record, to_account, to_org


class AccountRepository:
    """Orgs and accounts."""

    def __init__(self) -> None:
        self._table = config.accounts_table()

    def get_org(self, org_id: str) -> Org:
        return org_of(get_item(self._table, org_key(org_id)))

    def get_account(self, org_id: str, account_id: str) -> Account:
        return account_of(get_item(self._table, account_key(org_id, account_id)))

    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]:
        """Read who bills and who is billed, in one request."""
        org, account = org_key(org_id), account_key(org_id, account_id)
        found = get_items({self._table: [org, account]})
        billed = account_of(found.get((self._table, *account)))
        return org_of(found.get((self._table, *org))), billed

    def save_org(self, org: Org) -> None:
        self._put(org_key(org.id), org_record(org))

    def save_account(self, org_id: str, account: Account) -> None:
        self._put(account_key(org_id, account.id), account_record(account))

    def _put(self, key: Key, profile: dict[str, Any]) -> None:
        put_item(self._table, key, {"profile": {"S": to_json(profile)}})


def org_of(item: Item | None) -> Org:
    """Read an org's profile. Raises NotFoundError where there is none."""
    return to_org(_profile(item, "org"))


def account_of(item: Item | None) -> Account:
    """Read an account's profile. Raises NotFoundError where there is none."""
    return to_account(_profile(item, "account"))


def org_key(org_id: str) -> Key:
    return joined("org", org_id), "profile"


def account_key(org_id: str, account_id: str) -> Key:
    return joined("account", org_id, account_id), "profile"


def _profile(item: Item | None, what: str) -> dict[str, Any]:
    if item is None:
        raise NotFoundError(f"The {what} has no billing profile; PUT one first.")
    profile: dict[str, Any] = json.loads(item["profile"]["S"])
    return profile
