"""
How far the sending of fiscal records is, in the invoices' table.

    pk              sk        what
    fiscal#<org>    sending   what was sent and answered, how long the next message waits, until
                              when a sender is at work

An org with unsent records is listed by the item of its lane, in the index `fiscal` that lists
records by their state: issuing a record lists it, and it is taken out once all is answered.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from billing import config
from billing.domain.fiscal_sending import Sending
from billing.domain.numbering import LANE
from billing.domain.records import instant, to_instant
from billing.persistence.dynamodb import (
    ConditionFailedError,
    Item,
    Key,
    get_item,
    int_of,
    joined,
    put,
    query,
    transact,
    update,
)
from billing.persistence.fiscal_items import UNSENT
from billing.persistence.numbering import lane_key


class SenderRepository:
    """How far the sending of the records of all orgs is."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    def get(self, org_id: str) -> Sending:
        item = get_item(self._table, sending_key(org_id))
        return to_sending(item) if item else Sending()

    def replace(self, org_id: str, before: Sending, after: Sending) -> None:
        """Write it in the place of what was read. Raise ContentionError if it changed."""
        expected = {"version": before.version} if before.version else None
        transact([put(self._table, sending_key(org_id), _item(after), expected=expected)])

    def list_unsent(self, after: str | None) -> Iterator[str]:
        """List the orgs behind `after` that have unsent records."""
        values = {":list": {"S": UNSENT}, ":after": {"S": after or " "}}
        condition = "fiscal_list = :list AND fiscal_place > :after"
        for item in query(self._table, condition, values, IndexName="fiscal"):
            yield item["fiscal_place"]["S"]

    def all_sent(self, org_id: str, position: int) -> None:
        """Take an org out of the list, unless it has issued a record behind this position."""
        try:
            transact(
                [
                    update(
                        self._table,
                        lane_key(org_id, LANE.letter),
                        "REMOVE fiscal_list, fiscal_place",
                        {},
                        expected={"fiscal_position": position},
                    )
                ]
            )
        except ConditionFailedError:
            return


def sending_key(org_id: str) -> Key:
    return joined("fiscal", org_id), "sending"


def _item(sending: Sending) -> dict[str, Any]:
    texts = {
        "reason": sending.reason,
        "last_at": sending.last_at and instant(sending.last_at),
        "busy_until": sending.busy_until and instant(sending.busy_until),
    }
    numbers = {
        "wait_seconds": int(sending.wait.total_seconds()),
        "tried_through": sending.tried_through,
        "answered_through": sending.answered_through,
        "failures": sending.failures,
        "version": sending.version,
    }
    return {
        **{name: {"N": str(number)} for name, number in numbers.items()},
        **{name: {"S": text} for name, text in texts.items() if text is not None},
    }


def to_sending(item: Item) -> Sending:
    return Sending(
        wait=timedelta(seconds=int_of(item, "wait_seconds")),
        last_at=_instant_of(item, "last_at"),
        tried_through=int_of(item, "tried_through"),
        answered_through=int_of(item, "answered_through"),
        failures=int_of(item, "failures"),
        reason=item["reason"]["S"] if "reason" in item else None,
        busy_until=_instant_of(item, "busy_until"),
        version=int_of(item, "version"),
    )


def _instant_of(item: Item, name: str) -> datetime | None:
    return to_instant(item[name]["S"]) if name in item else None
