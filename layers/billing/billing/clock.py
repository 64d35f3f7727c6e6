"""The clock; functions ask it, rules are told."""

from datetime import UTC, datetime


def now() -> datetime:
    """Tell the present instant, in UTC."""
    return datetime.now(UTC)
