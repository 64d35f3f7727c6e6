"""
Webhooks: endpoints of orgs, and what is delivered to them.

    pk                          sk                      what
    org#<org>                   endpoint#<id>           an endpoint; ids sort by time
                                number#<n>              that an endpoint has this number; as there
                                                        are ten, an org has ten endpoints at most
    endpoint#<org>#<endpoint>   delivery#<position>     an event for it, by its place in the feed,
                                                        and how far its delivery is
                                slot#<n>                until when one of the deliveries that go on
                                                        at once takes this place

A delivery that waits longer than a queue can hold it is in the index `due`, and in no queue; any
other that is pending is in a queue. Deliveries are deleted with their events.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
from botocore.exceptions import ClientError

from billing import config
from billing.aws import call, dynamodb
from billing.domain.events import EventType, PublishedEvent
from billing.domain.records import instant, to_instant, to_json
from billing.domain.webhooks import Delivery, DeliveryStatus, Endpoint
from billing.persistence.dynamodb import (
    Item,
    Key,
    delete,
    existing,
    expiring,
    get_item,
    get_items,
    joined,
    key_of,
    list_after,
    put,
    query,
    query_beginning,
    transact,
)
from billing.persistence.events import STAYS, event_of, position_key

_DUE = "due"


class WebhookRepository:
    """The endpoints and deliveries of all orgs."""

    def __init__(self) -> None:
        self._table = config.webhooks_table()
        self._events = config.events_table()

    # ---------------------------------------------------------------- endpoints

    def list_endpoints(self, org_id: str) -> list[Endpoint]:
        """List the endpoints of an org, oldest first."""
        items = query_beginning(self._table, _endpoint_key(org_id, ""))
        return [to_endpoint(org_id, item) for item in items]

    def get_endpoint(self, org_id: str, endpoint_id: str) -> Endpoint:
        item = existing(get_item(self._table, _endpoint_key(org_id, endpoint_id)))
        return to_endpoint(org_id, item)

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """Write a new endpoint. Raise ContentionError if another one took its number."""
        transact(
            [
                put(self._table, _endpoint_key(endpoint.org_id, endpoint.id), _item(endpoint)),
                put(self._table, _number_key(endpoint), {}),
            ]
        )

    def replace_endpoint(self, before: Endpoint, endpoint: Endpoint) -> None:
        """Write an endpoint in the place of what was read. Raise ContentionError if it changed."""
        later = replace(endpoint, version=before.version + 1)
        transact(
            [
                put(
                    self._table,
                    _endpoint_key(endpoint.org_id, endpoint.id),
                    _item(later),
                    expected={"version": before.version},
                )
            ]
        )

    def delete_endpoint(self, endpoint: Endpoint) -> None:
        """
        Delete an endpoint as it was read; what is to be delivered to it is not.

        Raise ContentionError if it changed: once it is deleted, its number can be another one's.
        """
        key = _endpoint_key(endpoint.org_id, endpoint.id)
        transact(
            [
                delete(self._table, key, expected={"version": endpoint.version}),
                delete(self._table, _number_key(endpoint)),
            ]
        )

    # ---------------------------------------------------------------- deliveries

    def add_delivery(self, delivery: Delivery) -> None:
        """Write a new delivery, unless it is there."""
        key = _delivery_key(delivery)
        gone = expiring(delivery.created_at + STAYS)
        try:
            call(
                dynamodb().put_item,
                TableName=self._table,
                Item={**key_of(key), **_delivery_item(delivery), **gone},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def find(
        self, org_id: str, endpoint_id: str, position: int
    ) -> tuple[Endpoint, Delivery, PublishedEvent] | None:
        """Read a delivery, with its endpoint and its event; None where one of them is gone."""
        endpoint = _endpoint_key(org_id, endpoint_id)
        delivery = _place_key(org_id, endpoint_id, position)
        event = position_key(org_id, position)
        found = get_items({self._table: [endpoint, delivery], self._events: [event]})
        if len(found) < 3:
            return None
        return (
            to_endpoint(org_id, found[self._table, *endpoint]),
            to_delivery(found[self._table, *delivery]),
            event_of(found[self._events, *event]),
        )

    def replace_delivery(self, before: Delivery, after: Delivery, *, is_swept: bool) -> None:
        """
        Write a delivery in the place of what was read; one that `is_swept` is in no queue.

        Raise ContentionError if it changed.
        """
        due: Any = {}
        if is_swept and after.next_attempt_at:
            due = {
                "due": {"S": _DUE},
                "due_at": {"N": str(int(after.next_attempt_at.timestamp()))},
            }
        gone = expiring(after.created_at + STAYS)
        transact(
            [
                put(
                    self._table,
                    _delivery_key(after),
                    {**_delivery_item(after), **due, **gone},
                    expected={"attempts": before.attempts, "tries_left": before.tries_left},
                )
            ]
        )

    def list_deliveries(
        self, org_id: str, endpoint_id: str, after: str | None, limit: int
    ) -> list[Delivery]:
        """List the deliveries of an endpoint, newest first, from the one after `after` on."""
        beginning = _deliveries(org_id, endpoint_id), joined("delivery", "")
        items = list_after(self._table, beginning, after, limit)
        return [to_delivery(item) for item in items]

    def get_delivery(self, org_id: str, endpoint_id: str, position: int) -> Delivery:
        key = _place_key(org_id, endpoint_id, position)
        return to_delivery(existing(get_item(self._table, key)))

    def list_due(self, now: datetime, limit: int) -> list[Delivery]:
        """List deliveries that no queue holds and that are to be tried now."""
        items = query(
            self._table,
            "due = :due AND due_at <= :now",
            {":due": {"S": _DUE}, ":now": {"N": str(int(now.timestamp()))}},
            IndexName="due",
            Limit=limit,
        )
        keys = [(item["pk"]["S"], item["sk"]["S"]) for item in islice(items, limit)]
        found = get_items({self._table: keys}) if keys else {}
        return [to_delivery(item) for item in found.values() if "due" in item]

    # ---------------------------------------------------------------- how many at once

    @contextmanager
    def slot(
        self, endpoint: Endpoint, slots: Iterator[int], now: datetime, takes: timedelta
    ) -> Iterator[bool]:
        """Take the first of some slots that is free, for as long as the block takes."""
        taken = next((each for each in slots if self._take(endpoint, each, now, takes)), None)
        try:
            yield taken is not None
        finally:
            if taken is not None:
                self._set_busy(endpoint, taken, datetime.fromtimestamp(0, UTC))

    def _take(self, endpoint: Endpoint, slot: int, now: datetime, takes: timedelta) -> bool:
        try:
            self._set_busy(endpoint, slot, now + takes, free_at=now)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _set_busy(
        self, endpoint: Endpoint, slot: int, until: datetime, free_at: datetime | None = None
    ) -> None:
        values = {":until": {"N": str(int(until.timestamp()))}}
        request: dict[str, Any] = {}
        if free_at:
            values[":now"] = {"N": str(int(free_at.timestamp()))}
            request["ConditionExpression"] = "attribute_not_exists(busy_until) OR busy_until < :now"
        call(
            dynamodb().update_item,
            TableName=self._table,
            Key=key_of((_deliveries(endpoint.org_id, endpoint.id), joined("slot", slot))),
            UpdateExpression="SET busy_until = :until",
            ExpressionAttributeValues=values,
            **request,
        )


def _endpoint_key(org_id: str, endpoint_id: str) -> Key:
    return joined("org", org_id), joined("endpoint", endpoint_id)


def _number_key(endpoint: Endpoint) -> Key:
    return joined("org", endpoint.org_id), joined("number", endpoint.number)


def _deliveries(org_id: str, endpoint_id: str) -> str:
    return joined("endpoint", org_id, endpoint_id)


def _place_key(org_id: str, endpoint_id: str, position: int) -> Key:
    return _deliveries(org_id, endpoint_id), joined("delivery", f"{position:012}")


def _delivery_key(delivery: Delivery) -> Key:
    return _place_key(delivery.org_id, delivery.endpoint_id, delivery.position)


def _item(endpoint: Endpoint) -> dict[str, Any]:
    record = {
        "id": endpoint.id,
        "url": endpoint.url,
        "types": sorted(endpoint.types),
        "number": endpoint.number,
        "created_at": instant(endpoint.created_at),
        "generation": endpoint.generation,
        "rotated_at": [instant(each) for each in endpoint.rotated_at],
        "failing_since": _instant(endpoint.failing_since),
    }
    disabled = {"disabled_at": {"S": instant(endpoint.disabled_at)}} if endpoint.disabled_at else {}
    return {
        "endpoint": {"S": to_json(record)},
        "version": {"N": str(endpoint.version)},
        **disabled,
    }


def to_endpoint(org_id: str, item: Item) -> Endpoint:
    record = orjson.loads(item["endpoint"]["S"])
    return Endpoint(
        org_id=org_id,
        id=record["id"],
        url=record["url"],
        types=frozenset(map(EventType, record["types"])),
        number=record.get("number", 0),
        created_at=to_instant(record["created_at"]),
        generation=record["generation"],
        rotated_at=tuple(map(to_instant, record["rotated_at"])),
        failing_since=_to_instant(record["failing_since"]),
        disabled_at=to_instant(item["disabled_at"]["S"]) if "disabled_at" in item else None,
        version=int(item["version"]["N"]),
    )


def _delivery_item(delivery: Delivery) -> dict[str, Any]:
    record = {
        "org_id": delivery.org_id,
        "endpoint_id": delivery.endpoint_id,
        "event_id": delivery.event_id,
        "position": delivery.position,
        "created_at": instant(delivery.created_at),
        "status": delivery.status.value,
        "response_status": delivery.response_status,
        "next_attempt_at": _instant(delivery.next_attempt_at),
    }
    return {
        "delivery": {"S": to_json(record)},
        "attempts": {"N": str(delivery.attempts)},
        "tries_left": {"N": str(delivery.tries_left)},
    }


def to_delivery(item: Item) -> Delivery:
    record = orjson.loads(item["delivery"]["S"])
    return Delivery(
        org_id=record["org_id"],
        endpoint_id=record["endpoint_id"],
        event_id=record["event_id"],
        position=record["position"],
        created_at=to_instant(record["created_at"]),
        status=DeliveryStatus(record["status"]),
        attempts=int(item["attempts"]["N"]),
        tries_left=int(item["tries_left"]["N"]),
        response_status=record["response_status"],
        next_attempt_at=_to_instant(record["next_attempt_at"]),
    )


def _instant(value: datetime | None) -> str | None:
    return instant(value) if value else None


def _to_instant(text: str | None) -> datetime | None:
    return to_instant(text) if text else None
