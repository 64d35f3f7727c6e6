"""Register a subscription to an account."""

from typing import Protocol

from billing import deadline
from billing.domain.errors import SubscriptionTakenError


class Subscriptions(Protocol):
    def find_owner(self, org_id: str, account_id: str, subscription_id: str) -> str | None: ...

    def add(self, org_id: str, account_id: str, subscription_id: str) -> None: ...


def register_subscription(
    org_id: str, account_id: str, subscription_id: str, *, subscriptions: Subscriptions
) -> None:
    """
    Register a subscription to an account, for ever; one that is the account's already stays so.

    Raise SubscriptionTakenError where it belongs to another account.
    """

    def register() -> None:
        owner_id = subscriptions.find_owner(org_id, account_id, subscription_id)
        if owner_id is None:
            subscriptions.add(org_id, account_id, subscription_id)
        elif owner_id != account_id:
            raise SubscriptionTakenError

    deadline.retry(register)
