"""
The texts of charges, to be erased: descriptions of movements, adjustments and refunds, and whom
usage reached. They stand in the items of those and in their copies, which get `erased_at`.
"""

from collections.abc import Collection, Iterator
from datetime import date, datetime
from itertools import batched
from typing import Any

import orjson

from billing import config, deadline
from billing.domain.adjustments import AdjustmentKey
from billing.domain.movements import MovementKey
from billing.domain.records import instant, to_json
from billing.persistence.adjustments import adjustment_key
from billing.persistence.cycles import list_members
from billing.persistence.dynamodb import (
    SEPARATOR,
    Expected,
    Item,
    get_item,
    int_of,
    joined,
    key_of,
    put,
    query,
    transact,
)
from billing.persistence.movements import movement_key
from billing.persistence.refunds import refund_copy_key, refunds_pk, to_refund
from billing.persistence.subscriptions import subscription

_EMPTY = {"description": "", "destination": None}
"""What records have instead of their texts."""
_WRITTEN_AT_ONCE = 25


class ChargeTextRepository:
    """The texts of all charges."""

    def __init__(self) -> None:
        self._movements = config.movements_table()
        self._refunds = config.refunds_table()
        self._consumptions = config.consumptions_table()

    def erase(
        self, org_id: str, account_id: str, cycles: Collection[date], before: date, now: datetime
    ) -> int:
        """
        Erase the texts of an account's charges in some cycles; return of how many.

        Each charge is erased with its copies, all or nothing. Usage that was consumed on `before`
        or later keeps its texts.
        """
        erased, used = 0, set[tuple[str, str]]()
        for ends_on in cycles:
            for copy in list_members(self._movements, org_id, account_id, ends_on):
                match copy["sk"]["S"].split(SEPARATOR):
                    case "movement", subscription_id, movement_id:
                        movement = MovementKey(org_id, subscription_id, movement_id)
                        erased += self._erase_movement(movement, copy, now)
                        erased += self._erase_refunds(movement, cycles, now)
                    case "adjustment", adjustment_id:
                        adjustment = AdjustmentKey(org_id, account_id, adjustment_id)
                        erased += self._erase_adjustment(adjustment, copy, now)
                    case "total", subscription_id, kind, *_:
                        used.add((subscription_id, kind))
        for subscription_id, kind in sorted(used):
            erased += self._erase_usage(org_id, subscription_id, kind, cycles, before, now)
        return erased

    def _erase_movement(self, key: MovementKey, copy: Item, now: datetime) -> int:
        def erase() -> int:
            movement = get_item(self._movements, movement_key(key))
            if movement is None:
                return 0  # what is only a copy is a fault, for the audit to find
            # It can be refunded at this moment; then we read it again.
            amounts = {name: int_of(movement, name) for name in ("refunded", "refunded_net")}
            return _write(
                *_without_texts(self._movements, movement, now, amounts),
                *_without_texts(self._movements, copy, now),
            )

        return deadline.retry(erase)

    def _erase_refunds(self, key: MovementKey, cycles: Collection[date], now: datetime) -> int:
        """Erase the refunds of a movement that fell into some cycles, billable or not."""
        erased = 0
        for item in query(self._refunds, "pk = :pk", {":pk": {"S": refunds_pk(key)}}):
            refund = to_refund(item)
            if refund.cycle in cycles:
                copy = {**item, **key_of(refund_copy_key(refund))}
                copies = [copy] if refund.request.billable else []
                erased += _write(
                    *_without_texts(self._refunds, item, now, {"version": refund.version}),
                    *(w for each in copies for w in _without_texts(self._movements, each, now)),
                )
        return erased

    def _erase_adjustment(self, key: AdjustmentKey, copy: Item, now: datetime) -> int:
        adjustment = {**copy, **key_of(adjustment_key(key))}
        return _write(
            *_without_texts(self._movements, adjustment, now),
            *_without_texts(self._movements, copy, now),
        )

    def _erase_usage(
        self,
        org_id: str,
        subscription_id: str,
        kind: str,
        cycles: Collection[date],
        before: date,
        now: datetime,
    ) -> int:
        days = {each.isoformat() for each in cycles}
        items = query(
            self._consumptions,
            "pk = :pk AND sk BETWEEN :first AND :end",
            {
                ":pk": {"S": subscription(org_id, subscription_id)},
                ":first": {"S": joined(kind, "")},
                ":end": {"S": joined(kind, before.isoformat())},
            },
        )
        writes = (
            write
            for item in items
            if orjson.loads(item["record"]["S"])["cycle"] in days
            for write in _without_texts(self._consumptions, item, now)
        )
        erased = 0
        for some in batched(writes, _WRITTEN_AT_ONCE, strict=False):
            transact(some)
            erased += len(some)
        return erased


def _without_texts(
    table: str, item: Item, now: datetime, expected: Expected | None = None
) -> Iterator[Any]:
    """Return the write of an item without its texts; nothing if it has none (any more)."""
    record = orjson.loads(item["record"]["S"])
    if any(record.get(name) for name in _EMPTY):
        empty = {name: _EMPTY[name] for name in record.keys() & _EMPTY.keys()}
        erased = {"record": {"S": to_json(record | empty)}, "erased_at": {"S": instant(now)}}
        key = item["pk"]["S"], item["sk"]["S"]
        yield put(table, key, {**item, **erased}, new=False, expected=expected)


def _write(*writes: Any) -> int:
    """Write a charge and its copies, all or nothing; return 0 where there is nothing to write."""
    if writes:
        transact(writes)
    return min(len(writes), 1)
