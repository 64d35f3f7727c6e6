"""Publish what has happened: draw events from changes, and add them to the feeds of their orgs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import batched, chain
from typing import Any, Protocol

from billing import deadline
from billing.domain.errors import ContentionError
from billing.domain.events import Event

type Record = Mapping[str, Any]


class Feed(Protocol):
    def append(self, org_id: str, events: Sequence[Event], now: datetime) -> None: ...


def publish_events(
    records: Sequence[Record],
    *,
    draw: Callable[[Record], Sequence[Event]],
    now: datetime,
    feed: Feed,
    at_once: int,
) -> Iterator[tuple[Record, Exception]]:
    """
    Publish the events of some records of a stream; yield those that failed, and why.

    Events of an org are published in the order of their records, `at_once` in one transaction. So
    where that fails, it fails for all records of the org that come behind, too. A record of which
    no event can be drawn fails alone.
    """
    waiting: dict[str, list[tuple[Record, Event]]] = {}
    for record in records:
        try:
            events = draw(record)
        except Exception as error:
            yield record, error
            continue
        for event in events:
            waiting.setdefault(event.org_id, []).append((record, event))
    for org_id, drawn in waiting.items():
        parts = list(batched(drawn, at_once, strict=False))
        for place, part in enumerate(parts):
            events = [event for _, event in part]
            try:
                deadline.retry(partial(feed.append, org_id, events, now), on=ContentionError)
            except Exception as error:
                yield from ((record, error) for record, _ in chain(*parts[place:]))
                break
