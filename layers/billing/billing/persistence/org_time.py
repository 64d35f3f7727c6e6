"""The current time of an org. Every function may read it; sandbox_clocks.py writes clocks."""

from datetime import datetime

from billing import config
from billing.domain.records import to_instant
from billing.domain.sandbox_clocks import SandboxClock
from billing.persistence.dynamodb import Item, Key, get_items_of, joined


def org_time(org_id: str, present: datetime, *, is_sandbox: bool) -> datetime:
    """Return the current time of an org; only a sandbox costs a read."""
    return (get_clock(org_id).now if is_sandbox else None) or present


def get_clock(org_id: str) -> SandboxClock:
    """Read the clock of a sandbox; one that was never set shows the present."""
    key = clock_key(org_id)
    return to_clock(get_items_of(config.accounts_table(), key).get(key))


def clock_key(org_id: str) -> Key:
    return joined("org", org_id), "clock"


def to_clock(item: Item | None) -> SandboxClock:
    if item is None:
        return SandboxClock()
    at = item["clock_time"].get("S")
    return SandboxClock(to_instant(at) if at else None, int(item["version"]["N"]))
