"""
Billing profiles.

    pk                        sk         what
    org#<org>                 profile    the org's own profile
    account#<org>#<account>   profile    the profile of one of its accounts
    orgs                      <org>      that there is such an org
"""

import json
from collections.abc import Iterator
from typing import Any

from billing import config
from billing.domain.errors import NotFoundError
from billing.domain.parties import Account, Org
from billing.domain.records import account_record, org_record, to_account, to_json, to_org
from billing.domain.tax_rates import OwnRates
from billing.persistence.dynamodb import (
    Item,
    Key,
    get_item,
    get_items,
    joined,
    key_of,
    put,
    put_item,
    query,
    transact,
)
from billing.persistence.tax_rates import own_rates_key, to_own_rates

_ORGS = "orgs"


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
        org, account, _ = self.get_with_rates(org_id, account_id)
        return org, account

    def get_with_rates(self, org_id: str, account_id: str) -> tuple[Org, Account, OwnRates]:
        """Read who bills, who is billed, and the org's own rates of tax, in one request."""
        org, account = org_key(org_id), account_key(org_id, account_id)
        rates = own_rates_key(org_id)
        found = get_items({self._table: [org, account, rates]})
        billed = account_of(found.get((self._table, *account)))
        return (
            org_of(found.get((self._table, *org))),
            billed,
            to_own_rates(found.get((self._table, *rates))),
        )

    def list_orgs(self, after: str | None = None) -> Iterator[str]:
        """List all orgs, from the one after `after` on."""
        options = {"ExclusiveStartKey": key_of((_ORGS, after))} if after else {}
        items = query(self._table, "pk = :pk", {":pk": {"S": _ORGS}}, **options)
        return (item["sk"]["S"] for item in items)

    def save_org(self, org: Org) -> None:
        """Write an org's profile, and that there is such an org: both or none."""
        profile = {"profile": {"S": to_json(org_record(org))}}
        transact(
            [
                put(self._table, org_key(org.id), profile, new=False),
                put(self._table, (_ORGS, org.id), {}, new=False),
            ]
        )

    def save_account(self, org_id: str, account: Account) -> None:
        profile = {"profile": {"S": to_json(account_record(account))}}
        put_item(self._table, account_key(org_id, account.id), profile)


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
