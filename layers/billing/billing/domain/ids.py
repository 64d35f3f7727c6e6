"""Ids: new ones, the one that no account can have, and what names a resource whole."""

import secrets
from dataclasses import dataclass
from datetime import datetime

ALL_ACCOUNTS = "all"
"""The word for all accounts of an org, wherever accounts are named."""


@dataclass(frozen=True, slots=True)
class ResourceName:
    """
    What names a resource: its org, its kind, and ids from that of its outermost parent to its own.

    `account_id` is the account it belongs to, None if it belongs to the org itself.
    """

    org_id: str
    account_id: str | None
    kind: str
    ids: tuple[str, ...]


def new_id(now: datetime) -> str:
    """Create an id: 12 hex digits of milliseconds, then 20 that are random."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"


def check_account_id(account_id: str) -> str:
    """Return an account id. Raise ValueError if it is the word for all accounts."""
    if account_id == ALL_ACCOUNTS:
        raise ValueError(f'must not be "{ALL_ACCOUNTS}", which stands for all accounts')
    return account_id
