"""
Subscriptions of accounts, in the accounts' table.

    pk                         sk                   what
    account#<org>#<account>    subscription#<sub>   an entry for each subscription, to list them
    in the movements' table
    subscription#<org>#<sub>   account              the account it belongs to, for ever

Both are written in one transaction: when a subscription is registered, or with its first movement.
"""

from typing import Any

from billing import config
from billing.persistence.accounts import account_key, account_of
from billing.persistence.dynamodb import (
    Key,
    existing,
    get_items,
    get_items_of,
    joined,
    list_after,
    put,
    transact,
)

_KIND = "subscription"


class SubscriptionRepository:
    """The subscriptions of all accounts."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._movements = config.movements_table()

    def find_owner(self, org_id: str, account_id: str, subscription_id: str) -> str | None:
        """
        Return the owner of a subscription, for an account that registers it.

        Raise NotFoundError where that account has no profile.
        """
        account, owner = account_key(org_id, account_id), owner_key(org_id, subscription_id)
        found = get_items({self._accounts: [account], self._movements: [owner]})
        account_of(found.get((self._accounts, *account)))
        owned = found.get((self._movements, *owner))
        return owned["account_id"]["S"] if owned else None

    def get_owner(self, org_id: str, subscription_id: str) -> str:
        """Read the owner of a subscription. Raise NotFoundError if it has none."""
        owner = owner_key(org_id, subscription_id)
        item = existing(get_items_of(self._movements, owner).get(owner))
        return str(item["account_id"]["S"])

    def add(self, org_id: str, account_id: str, subscription_id: str) -> None:
        """Register a subscription. Raise ContentionError where it is an account's already."""
        transact(
            put_subscription(self._accounts, self._movements, org_id, account_id, subscription_id)
        )

    def list_page(self, org_id: str, account_id: str, after: str | None, limit: int) -> list[str]:
        """List an account's subscriptions by their ids, from the one after `after` on."""
        pk, _ = account_key(org_id, account_id)
        prefix = joined(_KIND, "")
        items = list_after(self._accounts, (pk, prefix), after, limit, newest_first=False)
        return [item["sk"]["S"].removeprefix(prefix) for item in items]


def put_subscription(
    accounts: str, movements: str, org_id: str, account_id: str, subscription_id: str
) -> list[dict[str, Any]]:
    """Return the writes that register a subscription, if it has no owner."""
    pk, _ = account_key(org_id, account_id)
    return [
        put(movements, owner_key(org_id, subscription_id), {"account_id": {"S": account_id}}),
        put(accounts, (pk, joined(_KIND, subscription_id)), {}, new=False),
    ]


def owner_key(org_id: str, subscription_id: str) -> Key:
    return subscription(org_id, subscription_id), "account"


def subscription(org_id: str, subscription_id: str) -> str:
    """Return the partition key, in every table, of what belongs to a subscription."""
    return joined(_KIND, org_id, subscription_id)
