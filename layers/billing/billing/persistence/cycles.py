"""
Cycles of accounts, in the accounts' table.

    pk                        sk             what
    account#<org>#<account>   cycle          the open cycle; it comes with the first write in it,
                                             and only a billing run moves it on
                              cycle#<date>   a cycle that a billing run has closed, and the
                                             documents it issued for it

Every write into the open cycle depends on its `ends_on`. `starts_at`, `ends_at` and `time_zone` are
fixed when the cycle is opened, even if the profile changes later. While the cycle before it is
being billed, `closing` names that one, with the documents that were planned and issued for it.
`due_on` is the first day on which there is something to bill: the index `due` lists the accounts
of an org's lane by it, and contains these items only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import orjson

from billing import config
from billing.domain.cycles import (
    BillableAccount,
    ClosedCycle,
    ClosingCycle,
    CycleDocuments,
    OpenCycle,
    Part,
)
from billing.domain.numbering import Lane, lane_of_account
from billing.domain.parties import Account, Org
from billing.domain.periods import BillingPeriod
from billing.domain.records import (
    Record,
    instant,
    period_record,
    to_instant,
    to_json,
    to_period,
)
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    check,
    get_items_of,
    joined,
    put,
    query,
    query_beginning,
    update,
)
from billing.persistence.lanes import lane_of


class CycleRepository:
    """The cycles of all accounts."""

    def __init__(self) -> None:
        self._table = config.accounts_table()

    def find_closed(
        self, org_id: str, account_id: str, dates: Iterable[date]
    ) -> dict[date, ClosedCycle]:
        """Find which of an account's cycles, by the day they end on, are closed; in one request."""
        keys = {closed_cycle_key(org_id, account_id, ends_on) for ends_on in dates}
        found = get_items_of(self._table, *keys)
        cycles = [_to_closed_cycle(item) for item in found.values()]
        return {cycle.ends_on: cycle for cycle in cycles}

    def list_closed(self, org_id: str, account_id: str, before: date) -> list[ClosedCycle]:
        """List the closed cycles of an account that ended before a day."""
        pk, sk = closed_cycle_key(org_id, account_id, before)
        closed = query(
            self._table,
            "pk = :pk AND sk BETWEEN :first AND :end",
            {":pk": {"S": pk}, ":first": {"S": joined("cycle", "")}, ":end": {"S": sk}},
        )
        cycles = map(_to_closed_cycle, closed)
        return [each for each in cycles if each.ends_on < before]

    def is_empty(self, org_id: str, account_id: str, ends_on: date) -> bool:
        """Return whether nothing falls into a cycle (yet)."""
        table = config.movements_table()
        return not any(True for _ in list_members(table, org_id, account_id, ends_on, Limit=1))

    def get_open(
        self, org_id: str, account_id: str, closed: date
    ) -> tuple[OpenCycle, ClosedCycle | None]:
        """Read the open cycle of an account, and an earlier one if it is closed; in one request."""
        open_key = open_cycle_key(org_id, account_id)
        closed_key = closed_cycle_key(org_id, account_id, closed)
        found = get_items_of(self._table, open_key, closed_key)
        item = found.get(closed_key)
        return to_open_cycle(found[open_key]), _to_closed_cycle(item) if item else None


def open_cycle_key(org_id: str, account_id: str) -> Key:
    return joined("account", org_id, account_id), "cycle"


def closed_cycle_key(org_id: str, account_id: str, ends_on: date) -> Key:
    return joined("account", org_id, account_id), joined("cycle", ends_on.isoformat())


def members(org_id: str, account_id: str, ends_on: date) -> str:
    """
    Return the key of the partition with everything in a cycle.

    Movements, adjustments, refunds and totals of usage are together there, in the movements' table,
    so that a billing run finds all of it by one query.
    """
    return joined("cycle", org_id, account_id, ends_on.isoformat())


def list_members(
    table: str, org_id: str, account_id: str, ends_on: date, kind: str = "", **options: Any
) -> Iterator[Item]:
    """
    List all that falls into a cycle, or one kind of it.

    Kinds are `movement`, `adjustment`, `refund` and `total`.
    """
    pk = members(org_id, account_id, ends_on)
    if kind:
        return query_beginning(table, (pk, joined(kind, "")), **options)
    return query(table, "pk = :pk", {":pk": {"S": pk}}, **options)


def put_open_cycle(table: str, org: Org, account_id: str, cycle: OpenCycle) -> dict[str, Any]:
    """Open an account's first cycle within a transaction."""
    return put(
        table,
        open_cycle_key(org.id, account_id),
        {
            "org": {"S": lane_of(org.id, lane_of_account(account_id, org.lanes).letter)},
            "due_on": {"S": cycle.ends_on.isoformat()},
            "ends_on": {"S": cycle.ends_on.isoformat()},
            "starts_at": {"S": instant(cycle.period.start)},
            "ends_at": {"S": instant(cycle.period.end)},
            "time_zone": {"S": cycle.time_zone},
        },
    )


def check_open_cycle(table: str, key: Key, ends_on: date) -> dict[str, Any]:
    """Return a check that a cycle is the open one."""
    return check(table, key, {"ends_on": ends_on.isoformat()})


def to_open_cycle(item: Item) -> OpenCycle:
    start, end = (to_instant(item[name]["S"]) for name in ("starts_at", "ends_at"))
    ends_on = date.fromisoformat(item["ends_on"]["S"])
    return OpenCycle(ends_on, BillingPeriod(start, end), item["time_zone"]["S"])


def close_cycle(table: str, org_id: str, closing: ClosingCycle) -> list[Any]:
    """Close the open cycle within a transaction, as long as it is the one that is open."""
    ends_on = closing.ends_on.isoformat()
    return [
        update(
            table,
            open_cycle_key(org_id, closing.account.id),
            "SET ends_on = :ends_on, starts_at = :starts_at, ends_at = :ends_at, "
            "time_zone = :time_zone, closing = :closing",
            {
                ":ends_on": {"S": closing.following.ends_on.isoformat()},
                ":starts_at": {"S": instant(closing.following.period.start)},
                ":ends_at": {"S": instant(closing.following.period.end)},
                ":time_zone": {"S": closing.following.time_zone},
                ":closing": {"S": to_json(_closing_record(closing))},
            },
            expected={"ends_on": ends_on, "due_on": ends_on},
        ),
        put(table, closed_cycle_key(org_id, closing.account.id, closing.ends_on), {}),
    ]


def bill_cycle(
    table: str,
    org_id: str,
    closing: ClosingCycle,
    documents: CycleDocuments,
    lane: Lane,
    *,
    is_all: bool,
) -> list[Any]:
    """
    Return the writes that record what was issued for a cycle, if no other request has.

    The condition stands in the first of the writes. Once that `is_all`, the cycle is billed, and
    the next one is listed in the lane that this one was billed in.
    """
    key = open_cycle_key(org_id, closing.account.id)
    before = {"closing": to_json(_closing_record(closing))}
    if not is_all:
        after = {":closing": {"S": to_json(_closing_record(replace(closing, documents=documents)))}}
        return [update(table, key, "SET closing = :closing", after, expected=before)]
    place = {
        ":org": {"S": lane_of(org_id, lane.letter)},
        ":due_on": {"S": closing.following.ends_on.isoformat()},
    }
    return [
        update(
            table, key, "SET org = :org, due_on = :due_on REMOVE closing", place, expected=before
        ),
        put(
            table,
            closed_cycle_key(org_id, closing.account.id, closing.ends_on),
            {"documents": {"S": to_json(_documents_record(documents))}},
            new=False,
        ),
    ]


def to_billable_account(account: Account, version: int, item: Item) -> BillableAccount:
    """Read the open cycle of an account, and the one before it while that is being billed."""
    open_cycle = to_open_cycle(item)
    record = orjson.loads(item["closing"]["S"]) if "closing" in item else None
    return BillableAccount(
        account=account,
        version=version,
        open=open_cycle,
        closing=record
        and ClosingCycle(
            account=account,
            ends_on=date.fromisoformat(record["ends_on"]),
            period=to_period(record["period"]),
            time_zone=record["time_zone"],
            documents=_to_documents(record["documents"]),
            following=open_cycle,
        ),
    )


def _closing_record(closing: ClosingCycle) -> Record:
    return {
        "ends_on": closing.ends_on.isoformat(),
        "period": period_record(closing.period),
        "time_zone": closing.time_zone,
        "documents": _documents_record(closing.documents),
    }


def _documents_record(documents: CycleDocuments) -> Record:
    return {
        "parts": [
            [part.currency, part.first_line, part.ordinal, part.is_credit]
            for part in documents.parts
        ],
        "credit_notes": {
            str(original): ordinal for original, ordinal in documents.credit_notes.items()
        },
    }


def _to_documents(record: Record) -> CycleDocuments:
    return CycleDocuments(
        parts=tuple(Part(*part) for part in record["parts"]),
        credit_notes={
            int(original): ordinal for original, ordinal in record["credit_notes"].items()
        },
    )


def _to_closed_cycle(item: Item) -> ClosedCycle:
    return ClosedCycle(
        ends_on=date.fromisoformat(item["sk"]["S"].split(SEPARATOR)[1]),
        documents=_to_documents(orjson.loads(item["documents"]["S"]))
        if "documents" in item
        else None,
    )
