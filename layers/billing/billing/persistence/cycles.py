"""
Cycles of accounts, in the accounts' table.

    pk                        sk             what
    account#<org>#<account>   cycle          the open cycle; it comes with the first write in it,
                                             and only a billing run moves it on
                              cycle#<date>   a cycle that a billing run has closed, and the
                                             documents it issued for it

`ends_on` of the open cycle is what every write depends on that falls into it.
"""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from billing import config
from billing.domain.cycles import ClosedCycle, CycleDocuments, OpenCycle
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    check,
    get_items,
    joined,
    put,
)
from billing.persistence.records import instant, to_instant


class CycleRepository:
    """The closed cycles of all accounts."""

    def __init__(self) -> None:
        self._table = config.accounts_table()

    def find_closed(
        self, org_id: str, account_id: str, dates: Iterable[date]
    ) -> dict[date, ClosedCycle]:
        """Find which of an account's cycles, by the day they end on, are closed; in one request."""
        keys = {closed_cycle_key(org_id, account_id, ends_on) for ends_on in dates}
        found = get_items({self._table: keys}) if keys else {}
        cycles = [_to_closed_cycle(item) for item in found.values()]
        return {cycle.ends_on: cycle for cycle in cycles}


def open_cycle_key(org_id: str, account_id: str) -> Key:
    return joined("account", org_id, account_id), "cycle"


def closed_cycle_key(org_id: str, account_id: str, ends_on: date) -> Key:
    return joined("account", org_id, account_id), joined("cycle", ends_on.isoformat())


def members(org_id: str, account_id: str, ends_on: date) -> str:
    """Name the partition, in each table that has some, of what falls into a cycle."""
    return joined("cycle", org_id, account_id, ends_on.isoformat())


def put_open_cycle(table: str, key: Key, cycle: OpenCycle) -> dict[str, Any]:
    """Open an account's first cycle within a transaction."""
    return put(
        table,
        key,
        {
            "ends_on": {"S": cycle.ends_on.isoformat()},
            "starts_at": {"S": instant(cycle.starts_at)},
        },
    )


def check_open_cycle(table: str, key: Key, ends_on: date) -> dict[str, Any]:
    """Make a transaction depend on which cycle is open."""
    return check(table, key, {"ends_on": ends_on.isoformat()})


def to_open_cycle(item: Item) -> OpenCycle:
    return OpenCycle(
        date.fromisoformat(item["ends_on"]["S"]), to_instant(item["starts_at"]["S"])
    )


def _to_closed_cycle(item: Item) -> ClosedCycle:
    """Read a closed cycle; `documents` is JSON: {"invoices": {currency: ordinal}, …}."""
    documents = json.loads(item["documents"]["S"]) if "documents" in item else None
    return ClosedCycle(
        ends_on=date.fromisoformat(item["sk"]["S"].split(SEPARATOR)[1]),
        documents=documents
        and CycleDocuments(
            invoices=documents["invoices"],
            credit_notes={
                int(original): ordinal for original, ordinal in documents["credit_notes"].items()
            },
        ),
    )
