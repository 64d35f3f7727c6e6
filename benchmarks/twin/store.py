"""The tables by boto3's resource, with values as Python has them."""

import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from billing.domain.errors import ContentionError
from billing.domain.idempotency import ExternalId, IdempotencyRecord

type Item = dict[str, Any]
type Key = tuple[str, str]
type Write = dict[str, Any]

CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
NEW = "attribute_not_exists(pk)"
"""The condition on what is put for the first time."""


class ConditionFailedError(Exception):
    """
    Conditions of a transaction did not hold.

    `found` has the items that were there, as DynamoDB writes them, by the place of the write.
    """

    def __init__(self, found: Mapping[int, Mapping[str, Any]]) -> None:
        super().__init__()
        self.found = found


@cache
def dynamodb() -> Any:
    return boto3.resource("dynamodb", config=CONFIG)


@cache
def table(name: str) -> Any:
    return dynamodb().Table(os.environ[name])


def get(name: str, key: Key) -> Item | None:
    item: Item | None = table(name).get_item(Key=as_item(key), ConsistentRead=True).get("Item")
    return item


def get_all(*wanted: tuple[str, Key]) -> dict[Key, Item]:
    """Read items of one or more tables, each named by the table's variable and its key."""
    request: dict[str, Any] = {}
    for name, key in wanted:
        of_table = request.setdefault(os.environ[name], {"Keys": [], "ConsistentRead": True})
        of_table["Keys"].append(as_item(key))
    found: dict[Key, Item] = {}
    while request:
        answer = dynamodb().batch_get_item(RequestItems=request)
        for items in answer["Responses"].values():
            found |= {(item["pk"], item["sk"]): item for item in items}
        request = answer["UnprocessedKeys"]
    return found


def query(name: str, most: int | None = None, **request: Any) -> list[Item]:
    items: list[Item] = []
    while most is None or len(items) < most:
        answer = table(name).query(**request)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return items[:most]


def as_item(key: Key) -> Item:
    return {"pk": key[0], "sk": key[1]}


def put(name: str, key: Key, attributes: Item, *, new: bool = True) -> Write:
    action = {"TableName": os.environ[name], "Item": {**as_item(key), **attributes}}
    return {"Put": {**action, "ConditionExpression": NEW} if new else action}


def update(
    name: str, key: Key, expression: str, values: Item, condition: str | None = None
) -> Write:
    action = {
        "TableName": os.environ[name],
        "Key": as_item(key),
        "UpdateExpression": expression,
        "ExpressionAttributeValues": values,
    }
    return {"Update": {**action, "ConditionExpression": condition} if condition else action}


def delete(name: str, key: Key) -> Write:
    return {"Delete": {"TableName": os.environ[name], "Key": as_item(key)}}


def check(name: str, key: Key, condition: str, values: Item) -> Write:
    return {
        "ConditionCheck": {
            "TableName": os.environ[name],
            "Key": as_item(key),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def transact(writes: list[Write]) -> None:
    """Write all or nothing; the resource's own client takes values as Python has them, too."""
    token = str(uuid4())
    for _ in tries():
        try:
            dynamodb().meta.client.transact_write_items(
                TransactItems=writes, ClientRequestToken=token
            )
            return
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = [reason["Code"] for reason in reasons]
            if "ConditionalCheckFailed" in codes:
                raise ConditionFailedError(
                    {
                        place: reason.get("Item", {})
                        for place, reason in enumerate(reasons)
                        if reason["Code"] == "ConditionalCheckFailed"
                    }
                ) from error
            if "TransactionConflict" not in codes:
                raise
    raise ContentionError


def tries() -> Iterator[int]:
    """Count tries, with growing random pauses between."""
    for number in range(10):
        yield number
        time.sleep(random.uniform(0, min(0.02 * 2**number, 0.5)))


def external_key(org_id: str, kind: str, external: ExternalId) -> Key:
    return f"external#{org_id}#{kind}#{external.value}", "external"


def taken(item: Item | None) -> IdempotencyRecord | None:
    return IdempotencyRecord(item["id"], item["fingerprint"]) if item else None


def take(name: str, key: Key, thing_id: str, external: ExternalId) -> Write:
    return put(name, key, {"id": thing_id, "fingerprint": external.fingerprint})


def to_json(record: object) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
