"""Ids that sort by the time they were made."""

import secrets
from datetime import datetime


def new_id(now: datetime) -> str:
    """Make an id: 12 hex digits of milliseconds, then 20 that are random."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"
