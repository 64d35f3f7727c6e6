"""Deliver events to webhooks: to every endpoint that takes them, until it has them or gives up."""

import random
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from billing import deadline
from billing.domain.errors import ContentionError, NotFoundError
from billing.domain.events import PublishedEvent
from billing.domain.records import instant
from billing.domain.webhooks import (
    SECRET_PREFIX,
    SLOTS,
    Delivery,
    DeliveryStatus,
    Endpoint,
    Outcome,
    body_of,
    secret_of,
    signatures,
)

LONGEST_DELAY = timedelta(minutes=15)
"""The longest that a message of the queue can be delayed."""
SWEPT_AT_ONCE = 100

SLOT_TIME = timedelta(seconds=20)
"""A slot is taken for this long where its delivery is cut off: a little more than one may take."""
BUSY_PAUSE = timedelta(seconds=10)
FAILING_PAUSE = timedelta(minutes=10)
"""
How long a delivery waits at most, for which its endpoint has no slot. Many wait for one that fails,
so they come rarely.
"""

type Found = tuple[Endpoint, Delivery, PublishedEvent]


class Webhooks(Protocol):
    def get_endpoint(self, org_id: str, endpoint_id: str) -> Endpoint: ...

    def replace_endpoint(self, before: Endpoint, endpoint: Endpoint) -> None: ...

    def add_delivery(self, delivery: Delivery) -> None: ...

    def find(self, org_id: str, endpoint_id: str, position: int) -> Found | None: ...

    def get_delivery(self, org_id: str, endpoint_id: str, position: int) -> Delivery: ...

    def replace_delivery(self, before: Delivery, after: Delivery, *, is_swept: bool) -> None: ...

    def list_due(self, now: datetime, limit: int) -> list[Delivery]: ...

    def slot(
        self, endpoint: Endpoint, slots: Iterator[int], now: datetime, takes: timedelta
    ) -> AbstractContextManager[bool]: ...


class Queue(Protocol):
    def send(self, deliveries: Iterable[Delivery], delay: timedelta = ...) -> None: ...

    def send_sweep(self) -> None: ...


class Sender(Protocol):
    def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome: ...


def fan_out(
    org_id: str,
    events: Iterable[PublishedEvent],
    endpoints: Sequence[Endpoint],
    *,
    webhooks: Webhooks,
    queue: Queue,
) -> None:
    """Write a delivery for each endpoint that takes an event, and have it tried."""
    deliveries = [
        Delivery(org_id, endpoint.id, event.id, event.position, event.published_at)
        for event in events
        for endpoint in endpoints
        if endpoint.takes(event.type, event.published_at)
    ]
    for delivery in deliveries:
        webhooks.add_delivery(delivery)
    queue.send(deliveries)


def deliver(
    org_id: str,
    endpoint_id: str,
    position: int,
    *,
    clock: Callable[[], datetime],
    key: Callable[[], bytes],
    webhooks: Webhooks,
    sender: Sender,
    queue: Queue,
) -> Outcome | None:
    """
    Try a delivery, if it is time, and return what came of it.

    A delivery that is done is not tried again; one whose endpoint or event is gone is given up.
    """
    found = webhooks.find(org_id, endpoint_id, position)
    if found is None or found[1].status is not DeliveryStatus.PENDING:
        return None
    endpoint, delivery, event = found
    now = clock()
    if endpoint.disabled_at:
        _replace(delivery, replace(delivery, status=DeliveryStatus.FAILED), webhooks)
        return None
    wait = (delivery.next_attempt_at or now) - now
    if wait > timedelta():
        if wait <= LONGEST_DELAY:
            queue.send([delivery], wait)
        return None
    with webhooks.slot(endpoint, _slots(endpoint), now, SLOT_TIME) as is_free:
        if not is_free:
            most = FAILING_PAUSE if endpoint.failing_since else BUSY_PAUSE
            queue.send([delivery], most * random.uniform(0.1, 1))
            return None
        body = body_of(event.type, instant(event.at), event.data)
        outcome = sender.send(endpoint.url, body, _headers(endpoint, event.id, body, now, key()))
    now = clock()
    endpoint = _record(endpoint, outcome, now, webhooks)
    after = delivery.after(outcome, endpoint, now, random.random())
    pause = (after.next_attempt_at or now) - now
    _replace(delivery, after, webhooks, is_swept=pause > LONGEST_DELAY)
    if after.next_attempt_at and pause <= LONGEST_DELAY:
        queue.send([after], pause)
    return outcome


def replay(
    org_id: str,
    endpoint_id: str,
    position: int,
    *,
    now: datetime,
    webhooks: Webhooks,
    queue: Queue,
) -> None:
    """
    Have a delivery tried again from the beginning, whatever has come of it.

    Raise EndpointDisabledError if its endpoint is, and NotFoundError if there is no such delivery.
    """

    def begin_again() -> Delivery:
        webhooks.get_endpoint(org_id, endpoint_id).must_be_enabled()
        delivery = webhooks.get_delivery(org_id, endpoint_id, position)
        again = delivery.again(now)
        webhooks.replace_delivery(delivery, again, is_swept=False)
        return again

    queue.send([deadline.retry(begin_again)])


def sweep(now: datetime, *, webhooks: Webhooks, queue: Queue) -> int:
    """Queue deliveries that are due; ask for more where there may be some, and return how many."""
    due = webhooks.list_due(now, SWEPT_AT_ONCE)
    queue.send(due)
    for delivery in due:
        _replace(delivery, delivery, webhooks)
    if len(due) == SWEPT_AT_ONCE:
        queue.send_sweep()
    return len(due)


def _slots(endpoint: Endpoint) -> Iterator[int]:
    """Return the slots to look at: two of all, so that a busy endpoint costs little."""
    return iter([0] if endpoint.failing_since else random.sample(range(SLOTS), 2))


def _headers(
    endpoint: Endpoint, event_id: str, body: bytes, now: datetime, key: bytes
) -> dict[str, str]:
    timestamp = int(now.timestamp())
    secrets = [
        b64decode(secret_of(key, endpoint, each).removeprefix(SECRET_PREFIX))
        for each in endpoint.generations(now)
    ]
    return {
        "content-type": "application/json",
        "user-agent": "billing-webhooks",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(secrets, event_id, timestamp, body),
    }


def _record(endpoint: Endpoint, outcome: Outcome, now: datetime, webhooks: Webhooks) -> Endpoint:
    """Write what a try says of the endpoint, if that is news; return the endpoint as it is."""
    known = endpoint

    def record() -> Endpoint:
        nonlocal known
        after = known.after(outcome, now)
        if after == known:
            return known
        try:
            webhooks.replace_endpoint(known, after)
        except ContentionError:
            known = webhooks.get_endpoint(known.org_id, known.id)
            raise
        return after

    try:
        return deadline.retry(record)
    except NotFoundError:
        return endpoint  # it was deleted meanwhile


def _replace(
    delivery: Delivery, after: Delivery, webhooks: Webhooks, *, is_swept: bool = False
) -> None:
    """Write a delivery, unless another message did."""
    try:
        webhooks.replace_delivery(delivery, after, is_swept=is_swept)
    except ContentionError:
        return
