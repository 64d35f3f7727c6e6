"""
One table, by boto3's resource, with values as Python has them.

    pk                    sk                    what
    account#<org>#<id>    profile               who bills, who is billed, and how
    account#<org>#<id>    totals                how many documents there are, how many are unpaid
    account#<org>#<id>    invoice#<ordinal>     a document, as lists show it
    account#<org>#<id>    details#<ordinal>     its lines and parties
    account#<org>#<id>    pdf#<ordinal>         where its PDF is
    account#<org>#<id>    day#<date>            the first and last document of a day
    account#<org>#<id>    payment#<id>          a payment
    account#<org>#<id>    xml#<ordinal>         its e-invoice, as a tree
    org#<org>             series#<prefix>       the last number of a series, and its hash
    number#<org>          <number>              the document with that number
    external#<org>#<kind> <external id>         what was made with that external id
    movement#<org>        <subscription>#<id>   a movement, and what was refunded of it
    movement#<org>        refund#<id>           a refund
    token                 <sha256>              whom a token belongs to
"""

import json
import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

type Item = dict[str, Any]
type Key = tuple[str, str]
type Write = dict[str, Any]

CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
NEW = "attribute_not_exists(pk)"


class ConditionFailedError(Exception):
    """What was read no longer holds."""


@cache
def dynamodb() -> Any:
    return boto3.resource("dynamodb", config=CONFIG)


@cache
def table() -> Any:
    return dynamodb().Table(os.environ["TWIN_TABLE"])


def account_of(org_id: str, account_id: str) -> str:
    return f"account#{org_id}#{account_id}"


def at(kind: str, ordinal: int) -> str:
    return f"{kind}#{ordinal:010}"


def as_item(key: Key) -> Item:
    return {"pk": key[0], "sk": key[1]}


def get(key: Key) -> Item | None:
    item: Item | None = table().get_item(Key=as_item(key), ConsistentRead=True).get("Item")
    return item


def get_all(*keys: Key) -> dict[Key, Item]:
    name = os.environ["TWIN_TABLE"]
    request: Any = {name: {"Keys": [as_item(key) for key in keys], "ConsistentRead": True}}
    found: dict[Key, Item] = {}
    while request:
        answer = dynamodb().batch_get_item(RequestItems=request)
        found |= {(item["pk"], item["sk"]): item for item in answer["Responses"].get(name, [])}
        request = answer["UnprocessedKeys"]
    return found


def query(most: int | None = None, **request: Any) -> list[Item]:
    items: list[Item] = []
    while most is None or len(items) < most:
        answer = table().query(**request)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return items[:most]


def put(key: Key, attributes: Item) -> Write:
    item = {**as_item(key), **attributes}
    return {
        "Put": {"TableName": os.environ["TWIN_TABLE"], "Item": item, "ConditionExpression": NEW}
    }


def update(key: Key, expression: str, values: Item, condition: str | None = None) -> Write:
    action = {
        "TableName": os.environ["TWIN_TABLE"],
        "Key": as_item(key),
        "UpdateExpression": expression,
        "ExpressionAttributeValues": values,
    }
    return {"Update": {**action, "ConditionExpression": condition} if condition else action}


def transact(*writes: Write) -> None:
    """Write all or nothing; the resource's own client takes values as Python has them, too."""
    try:
        dynamodb().meta.client.transact_write_items(TransactItems=list(writes))
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", [])
        if any(each["Code"] == "ConditionalCheckFailed" for each in reasons):
            raise ConditionFailedError from error
        raise


def to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
