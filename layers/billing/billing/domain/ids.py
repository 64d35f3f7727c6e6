"""Ids that sort by the time they were made, and the one that no account can have."""

import secrets
from datetime import datetime

ALL_ACCOUNTS = "all"
"""The word for all accounts of an org, wherever accounts are named."""


def new_id(now: datetime) -> str:
    """Create an id: 12 hex digits of milliseconds, then 20 that are random."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"


def check_account_id(account_id: str) -> str:
    """Return an account id. Raise ValueError if it is the word for all accounts."""
    if account_id == ALL_ACCOUNTS:
        raise ValueError(f'must not be "{ALL_ACCOUNTS}", which stands for all accounts')
    return account_id
