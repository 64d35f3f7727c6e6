"""Read a feed of events from a place on: what is there, and the place behind it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from billing.domain.events import KEPT, FeedPlace, PublishedEvent


class Feed(Protocol):
    def list_from(
        self, org_id: str, position: int, limit: int, since: datetime
    ) -> list[PublishedEvent]: ...


def read_events(
    org_id: str, after: FeedPlace | None, limit: int, *, now: datetime, feed: Feed
) -> tuple[Sequence[PublishedEvent], FeedPlace]:
    """
    Return at most `limit` events behind a place, oldest first, and the place behind them.

    Without a place begin with the oldest that are kept. Raise EventsExpiredError where some behind
    the place may be gone.
    """
    if after:
        after.check(now)
    first = after.position + 1 if after else 1
    found = feed.list_from(org_id, first, limit + 1, now - KEPT)
    if found and not after:
        first = found[0].position  # those before are gone
    events = list(_without_gap(found, first))
    page, following = events[:limit], events[limit:]
    last = page[-1].position if page else first - 1
    return page, FeedPlace(last, following[0].published_at if following else now)


def _without_gap(events: Sequence[PublishedEvent], first: int) -> Iterator[PublishedEvent]:
    """
    Yield events up to a position that is missing.

    A read may see an event of one transaction and not yet that of the one before, so what is behind
    a gap is read again.
    """
    for position, event in enumerate(events, first):
        if event.position != position:
            return
        yield event
