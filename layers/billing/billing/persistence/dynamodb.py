"""DynamoDB as the repositories use it: keys, batches, and transactions that can be retried."""

import uuid
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import date, datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from billing import deadline
from billing.aws import call, dynamodb
from billing.domain.errors import ContentionError, NotFoundError

type Item = Mapping[str, Any]
type Key = tuple[str, str]
"""Partition key and sort key."""
type Expected = Mapping[str, int | str | None]
"""Attributes that an item must have, by name."""

_AT_ONCE = 10
"""Calls at once; a billing run makes three times as many, and clients keep connections for them."""

_PASSING = {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
"""Why a transaction may be cancelled that can be done a moment later."""

SEPARATOR = "#"
"""No id can contain it, so no two keys of several parts are alike."""

EXPIRES_AT = "expires_at"
"""The attribute of TimeToLiveSpecification: DynamoDB deletes an item within days of this time."""


class ConditionFailedError(ContentionError):
    """
    Some conditions of a transaction did not hold: what was read is out of date.

    `failed` has, by the place of each write in the transaction, the item as it was found (empty
    where there was none).
    """

    def __init__(self, failed: Mapping[int, Item]) -> None:
        super().__init__()
        self.failed = failed


class _TryAgainError(Exception):
    """AWS was too busy for all or part of a request."""


def joined(*parts: str | int) -> str:
    """Return a key of several parts."""
    return SEPARATOR.join(map(str, parts))


def padded(number: int) -> str:
    return f"{number:010}"


def key_of(key: Key) -> dict[str, Any]:
    """Write a key as DynamoDB wants it."""
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def expiring(at: datetime) -> Item:
    """Return the attribute of an item that DynamoDB deletes some time after an instant."""
    return {EXPIRES_AT: {"N": str(int(at.timestamp()))}}


def int_of(item: Item, name: str) -> int:
    """Read a number; 0 where there is none."""
    return int(item[name]["N"]) if name in item else 0


def bytes_of(item: Item, name: str) -> bytes:
    """Read a binary value, which an answer of DynamoDB has in base64."""
    return b64decode(item[name]["B"])


def date_of(item: Item, name: str) -> date | None:
    return date.fromisoformat(item[name]["S"]) if name in item else None


def get_item(table: str, key: Key) -> Item | None:
    """Read one item, as it is now."""
    answer = call(dynamodb().get_item, TableName=table, Key=key_of(key), ConsistentRead=True)
    return answer.get("Item")


def existing(item: Item | None) -> Item:
    """Return an item that was read. Raise NotFoundError where there was none."""
    if item is None:
        raise NotFoundError
    return item


def get_items(keys: Mapping[str, Iterable[Key]]) -> dict[tuple[str, str, str], Item]:
    """
    Read up to 100 items of several tables, as they are now, in one request.

    Return them by (table, partition key, sort key); what does not exist is left out.
    """
    request: Any = {
        table: {"Keys": [key_of(key) for key in some], "ConsistentRead": True}
        for table, some in keys.items()
    }
    found: dict[tuple[str, str, str], Item] = {}

    def read() -> None:
        nonlocal request
        answer = call(dynamodb().batch_get_item, RequestItems=request)
        for table, items in answer["Responses"].items():
            found.update({(table, item["pk"]["S"], item["sk"]["S"]): item for item in items})
        request = answer.get("UnprocessedKeys")
        if request:
            raise _TryAgainError

    deadline.retry(read, on=_TryAgainError)
    return found


def get_items_of(table: str, *keys: Key) -> dict[Key, Item]:
    """Read up to 100 items of one table, as they are now, in one request; none without keys."""
    found = get_items({table: keys}) if keys else {}
    return {(pk, sk): item for (_, pk, sk), item in found.items()}


def query(table: str, condition: str, values: Mapping[str, Any], **options: Any) -> Iterator[Item]:
    """Read the items of a partition in order, page after page, as they are now."""
    request = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "ConsistentRead": "IndexName" not in options,
        **options,
    }
    while True:
        answer = call(dynamodb().query, **request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def query_beginning(table: str, beginning: Key, **options: Any) -> Iterator[Item]:
    """Read the items of a partition whose sort keys have a beginning, in order."""
    values = {":pk": {"S": beginning[0]}, ":beginning": {"S": beginning[1]}}
    return query(table, "pk = :pk AND begins_with(sk, :beginning)", values, **options)


def list_after(
    table: str, beginning: Key, after: str | None, limit: int, *, newest_first: bool = True
) -> list[Item]:
    """
    Read at most `limit` items of a partition whose keys have a beginning, from `after` on.

    `after` is the rest of the last key before. Keys that sort by time give the newest first, or
    else each comes in the order of its key.
    """
    pk, prefix = beginning
    options = {"ExclusiveStartKey": key_of((pk, prefix + after))} if after else {}
    found = query_beginning(
        table, beginning, ScanIndexForward=not newest_first, Limit=limit, **options
    )
    return list(islice(found, limit))


def at_once[T, R](function: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """
    Run several reads at the same time, within the deadline of the request.

    What is still being read then is left alone: nothing can interrupt another thread.
    """
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        tasks = [pool.submit(copy_context().run, function, thing) for thing in things]
        return call(lambda: [task.result() for task in tasks])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def put_item(table: str, key: Key, attributes: Item) -> None:
    """Write one item, whatever was there."""
    call(dynamodb().put_item, TableName=table, Item={**key_of(key), **attributes})


def delete_item(table: str, key: Key) -> None:
    """Delete one item, if it is there."""
    call(dynamodb().delete_item, TableName=table, Key=key_of(key))


def transact(writes: Sequence[Any]) -> None:
    """
    Write all items of a transaction, or none.

    One token stands for all our tries, so that a reply lost after the commit cannot apply it
    twice. What no SDK retries, as it is inside a cancelled transaction, is tried again within the
    deadline: conflicts with other transactions, and throttling. Raise ConditionFailedError where
    a condition does not hold.
    """
    token = str(uuid.uuid4())
    for write in writes:
        for action in write.values():
            action["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"

    def commit() -> None:
        try:
            call(dynamodb().transact_write_items, TransactItems=writes, ClientRequestToken=token)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = {reason.get("Code") for reason in reasons}
            if "ConditionalCheckFailed" in codes:
                raise ConditionFailedError(
                    {
                        place: reason.get("Item", {})
                        for place, reason in enumerate(reasons)
                        if reason["Code"] == "ConditionalCheckFailed"
                    }
                ) from error
            if not codes & _PASSING:
                raise
            raise _TryAgainError from error

    deadline.retry(commit, on=_TryAgainError)


def create(writes: Sequence[Any]) -> None:
    """
    Write a transaction whose first item is new, under an id that nobody else makes.

    Where that item is there already, an earlier try of ours went through.
    """
    try:
        transact(writes)
    except ConditionFailedError as error:
        if 0 not in error.failed:
            raise


def put(
    table: str, key: Key, attributes: Item, *, new: bool = True, expected: Expected | None = None
) -> dict[str, Any]:
    """
    Return the put of an item in a transaction; unless `new` is False it must not exist yet.

    With `expected` it replaces an item that must still have these attributes.
    """
    action: dict[str, Any] = {"TableName": table, "Item": {**key_of(key), **attributes}}
    if expected or new:
        action |= _where(expected or {})
    return {"Put": action}


def put_any(table: str, key: Key, attributes: Item, expected: Expected) -> dict[str, Any]:
    """Return the put of an item that must have these attributes now, or not exist yet."""
    action = {"TableName": table, "Item": {**key_of(key), **attributes}, **_where_any(expected)}
    return {"Put": action}


def update(
    table: str,
    key: Key,
    expression: str,
    values: Item,
    *,
    expected: Expected | None = None,
    at_most: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """
    Return the update of an item in a transaction.

    With `expected` it must still have these attributes; with none expected it must not exist yet.
    With `at_most` its numbers must not be larger than these.
    """
    action: dict[str, Any] = {
        "TableName": table,
        "Key": key_of(key),
        "UpdateExpression": expression,
        "ExpressionAttributeValues": values,
    }
    if expected is not None or at_most:
        where = _where(expected or {}, at_most)
        where["ExpressionAttributeValues"] = {
            **values,
            **where.get("ExpressionAttributeValues", {}),
        }
        action |= where
    return {"Update": action}


def delete(table: str, key: Key, *, expected: Expected | None = None) -> dict[str, Any]:
    """Delete an item within a transaction; with `expected` it must still have these attributes."""
    action: dict[str, Any] = {"TableName": table, "Key": key_of(key)}
    if expected:
        action |= _where(expected)
    return {"Delete": action}


def check(table: str, key: Key, expected: Expected) -> dict[str, Any]:
    """Return a check of an item that the transaction does not write."""
    return {"ConditionCheck": {"TableName": table, "Key": key_of(key), **_where(expected)}}


def check_any(table: str, key: Key, expected: Expected) -> dict[str, Any]:
    """Return a check that an item has these attributes, or does not exist."""
    return {"ConditionCheck": {"TableName": table, "Key": key_of(key), **_where_any(expected)}}


def _where_any(expected: Expected) -> dict[str, Any]:
    where = _where(expected)
    where["ConditionExpression"] = f"attribute_not_exists(pk) OR ({where['ConditionExpression']})"
    return where


def _where(expected: Expected, at_most: Mapping[str, int] | None = None) -> dict[str, Any]:
    """
    Write what an item's attributes must be, None for one that it must not have.

    Where nothing is asked, the item itself must not exist.
    """
    conditions = [
        f"attribute_not_exists({name})" if value is None else f"{name} = :expected_{name}"
        for name, value in expected.items()
    ]
    values = {
        f":expected_{name}": _attribute(value)
        for name, value in expected.items()
        if value is not None
    }
    for name, most in (at_most or {}).items():
        conditions.append(f"{name} <= :most_{name}")
        values[f":most_{name}"] = _attribute(most)
    where: dict[str, Any] = {
        "ConditionExpression": " AND ".join(conditions) or "attribute_not_exists(pk)"
    }
    if values:
        where["ExpressionAttributeValues"] = values
    return where


def _attribute(value: int | str) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}
