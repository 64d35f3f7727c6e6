"""What the tables say of movements and refunds, beyond what the API shows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from billing import config
from billing.domain.movements import MovementKey
from billing.domain.periods import midnight, next_billing_date
from billing.persistence.cycles import closed_cycle_key, list_members, open_cycle_key
from billing.persistence.dynamodb import Item, get_item, put, transact, update
from billing.persistence.movements import MovementRepository, to_movement
from billing.persistence.refunds import RefundRepository

ACCOUNT = "100001"
SUBSCRIPTION = "600123456"
"""Whose and what the events are about."""


@dataclass(frozen=True)
class Ledger:
    """All that is kept of the events' subscription, but for what differs each time: ids, times."""

    refunded: dict[str, int]
    refunds: list[tuple[str, str, int]]


def ledger(org_id: str, *closed: date) -> Ledger:
    """
    Read the ledger, and verify it.

    What a movement says was refunded is the sum of its refunds and not more than it has; a
    billing run finds each movement, and each billable refund as it is. `closed` are earlier cycles.
    """
    movements, refunds = MovementRepository(), RefundRepository()
    listed = movements.list_page(org_id, SUBSCRIPTION, None, 1000)
    given_back = {each.key: refunds.list_page(each.key, None, 100_000) for each in listed}
    cycles = [*closed, open_cycle(org_id)] if listed else []

    for movement in listed:
        total = sum(refund.amount.gross.minor for refund in given_back[movement.key])
        assert movement.refunded.minor == total
        assert total <= movement.amount.gross.minor
    charged = [
        each.key
        for end in cycles
        for each in map(to_movement, members(org_id, end, "movement"))
        if each.key.subscription_id == SUBSCRIPTION
    ]
    assert sorted(charged, key=repr) == sorted((each.key for each in listed), key=repr)
    billable = [each for end in cycles for each in refunds.list_of_cycle(org_id, ACCOUNT, end)]
    assert {each.key: each for each in billable} == {
        each.key: each for page in given_back.values() for each in page if each.request.billable
    }

    return Ledger(
        refunded={repr(each.request): each.refunded.minor for each in listed},
        refunds=sorted(
            (repr(movement.request), repr(refund.request), refund.version)
            for movement in listed
            for refund in given_back[movement.key]
        ),
    )


def members(org_id: str, ends_on: date, kind: str) -> Iterator[Item]:
    """Read what a billing run finds of a kind in a cycle of the events' account."""
    return list_members(config.movements_table(), org_id, ACCOUNT, ends_on, kind)


def open_cycle(org_id: str) -> date:
    """Read which cycle of the events' account is open."""
    item = get_item(config.accounts_table(), open_cycle_key(org_id, ACCOUNT))
    assert item is not None
    return date.fromisoformat(item["ends_on"]["S"])


NOTHING: dict[str, Any] = {"parts": [], "credit_notes": {}}
"""What a billing run notes that had nothing to issue."""


def close_cycle(org_id: str, documents: dict[str, Any] | None = NOTHING) -> date:
    """
    Close the open cycle as a billing run does, and return which one it was.

    `documents` is what the run notes as issued, None while it has not issued anything yet.
    """
    table, closed = config.accounts_table(), open_cycle(org_id)
    attributes = {"documents": {"S": json.dumps(documents)}} if documents else {}
    following = next_billing_date(31, closed)
    transact(
        [
            put(table, closed_cycle_key(org_id, ACCOUNT, closed), attributes),
            update(
                table,
                open_cycle_key(org_id, ACCOUNT),
                "SET ends_on = :next, starts_at = :start, ends_at = :end",
                {
                    ":next": {"S": following.isoformat()},
                    ":end": {"S": midnight(following, "Europe/Madrid").isoformat()},
                    ":start": {"S": midnight(closed, "Europe/Madrid").isoformat()},
                },
                expected={"ends_on": closed.isoformat()},
            ),
        ]
    )
    return closed


def amount(gross: float, net: float) -> dict[str, Any]:
    """Write an amount at 21 %."""
    return {
        "value_with_taxes": gross,
        "value_without_taxes": net,
        "tax": {"type": "IVA", "percentage": 21},
    }


def key_of(org_id: str, movement_id: str) -> MovementKey:
    return MovementKey(org_id, SUBSCRIPTION, movement_id)
