"""
Events of orgs, in the order of their publication.

    pk                 sk            what
    feed#<org>         <position>    an event, by its position in the feed of its org
                       end           the last position
    event#<org>#<id>   published     the event with that id was published

Events are deleted some days after they can no longer be read. An event, that it was published, and
the new end of the feed are written in one transaction, so positions have no gaps. They are written
with twelve digits, so that they sort.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from billing import config
from billing.domain.errors import UpstreamBusyError
from billing.domain.events import KEPT, Event, EventType, PublishedEvent
from billing.domain.records import instant, to_instant, to_json
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    expiring,
    get_items,
    joined,
    put,
    query,
    transact,
    update,
)

MAX_EVENTS = 33
"""
Events that are published together. One read takes 100 keys: that of the end, and for each event its
own, and those of two that it may follow.
"""
_WRITES_OF_EVENT = 2
"""The event, and that it was published."""

STAYS = KEPT + timedelta(days=1)
"""Longer than it can be read: what begins to be read just in time is there until it is read."""
_LAST = f"{10**12 - 1:012}"


class NotYetError(UpstreamBusyError):
    """An event cannot be published before the one that it follows."""

    code = "EVENT_NOT_YET"

    def __init__(self) -> None:
        super().__init__("The event before this one was not published yet.")


class EventRepository:
    """The feeds of all orgs."""

    def __init__(self) -> None:
        self._table = config.events_table()

    def append(self, org_id: str, events: Sequence[Event], now: datetime) -> None:
        """
        Publish events of an org in their order, in one transaction; those that are known stay.

        Raise NotYetError where one of them waits for another that is not there, when those before
        it are published; ContentionError where others were published meanwhile.
        """
        unique = {event.id: event for event in events}
        known = {*unique, *(each for event in events for each in event.follows)}
        keys = {each: _event_key(org_id, each) for each in known}
        end = position_key(org_id, "end")
        found = get_items({self._table: [end, *keys.values()]})
        published = {each for each, key in keys.items() if (self._table, *key) in found}
        new = [event for event in unique.values() if event.id not in published]
        if not new:
            return
        known_end = found.get((self._table, *end))
        last = int(known_end["last_position"]["N"]) if known_end else 0
        writes: list[Any] = []
        for position, event in enumerate(new, last + 1):
            if event.may_wait(now) and not event.follows & published:
                break
            published.add(event.id)
            writes += self._put(position, event, now)
        count = len(writes) // _WRITES_OF_EVENT
        if count:
            transact([self._move_end(end, last, last + count), *writes])
        if count < len(new):
            raise NotYetError

    def list_from(
        self, org_id: str, position: int, limit: int, since: datetime
    ) -> list[PublishedEvent]:
        """List at most `limit` events from a position on, without those published before."""
        pk, first = position_key(org_id, position)
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": _LAST}},
            Limit=limit,
        )
        return list(islice(_kept(map(event_of, items), since), limit))

    # ---------------------------------------------------------------- inside

    def _move_end(self, key: Key, last: int, position: int) -> dict[str, Any]:
        return update(
            self._table,
            key,
            "SET last_position = :position",
            {":position": {"N": str(position)}},
            expected={"last_position": last} if last else {},
        )

    def _put(self, position: int, event: Event, now: datetime) -> list[Any]:
        gone = expiring(now + STAYS)
        record = {
            "id": event.id,
            "type": event.type.value,
            "at": instant(event.at),
            "published_at": instant(now),
            "data": event.data,
        }
        key = position_key(event.org_id, position)
        return [
            put(self._table, key, {"event": {"S": to_json(record)}, **gone}),
            put(self._table, _event_key(event.org_id, event.id), gone),
        ]


def _kept(events: Iterator[PublishedEvent], since: datetime) -> Iterator[PublishedEvent]:
    """Leave out what is to be deleted, which DynamoDB does in no order."""
    return (event for event in events if event.published_at >= since)


def position_key(org_id: str, position: int | str) -> Key:
    return joined("feed", org_id), position if isinstance(position, str) else f"{position:012}"


def _event_key(org_id: str, event_id: str) -> Key:
    return joined("event", org_id, event_id), "published"


def org_of_feed(item: Item) -> str:
    """Return the org of an event, by its item."""
    _, org_id = item["pk"]["S"].split(SEPARATOR)
    return str(org_id)


def event_of(item: Item) -> PublishedEvent:
    record = orjson.loads(item["event"]["S"])
    return PublishedEvent(
        position=int(item["sk"]["S"]),
        published_at=to_instant(record["published_at"]),
        id=record["id"],
        type=EventType(record["type"]),
        at=to_instant(record["at"]),
        data=record["data"],
    )
