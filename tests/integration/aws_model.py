"""
What tests ask of AWS, held against AWS's own model and limits.

Clients leave out botocore's check of parameters, and an emulator takes more than AWS. So each call
that a test makes on the way is checked here, and fails the test where AWS would refuse its form or
its size.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.validate import ParamValidator

KB = 1024
LIMITS = {
    "item": 400 * KB,
    "partition key": 2048,
    "sort key": 1024,
    "writes of a transaction": 100,
    "transaction": 4 * KB * KB,
    "items of a batch": 100,
    "messages of a batch": 10,
    # 1 MB since 2025, but not in every region at once.
    "messages": 256 * KB,
    "characters of a group's name": 128,
    "object key": 1024,
    "answer": 6 * KB * KB,
}
"""The quotas of DynamoDB, SQS, S3 and Lambda that a call can exceed; what is no number is bytes."""

largest: Counter[str] = Counter()
"""The largest of each that there was so far."""


def check(params: Any, model: Any, **_: Any) -> None:
    """Check a call of a client, just before it is made; register it for all that clients do."""
    report = ParamValidator().validate(params, model.input_shape)
    if report.has_errors():
        pytest.fail(f"{model.name}: {report.generate_report()}")
    for what, size in sizes(model.name, params):
        measure(what, size)


def measure(what: str, size: int) -> None:
    """Fail where something is larger than AWS takes."""
    largest[what] = max(largest[what], size)
    if size > LIMITS[what]:
        pytest.fail(f"{what}: {size:,} is more than AWS takes, {LIMITS[what]:,}")


def sizes(operation: str, params: Any) -> Iterator[tuple[str, int]]:
    """Compute what of a call has a limit."""
    if operation == "TransactWriteItems":
        writes = [next(iter(write.values())) for write in params["TransactItems"]]
        yield "writes of a transaction", len(writes)
        yield "transaction", sum(map(_size_of_write, writes))
        for write in writes:
            yield from _sizes_of_item(write)
    elif operation in ("PutItem", "UpdateItem", "DeleteItem", "GetItem"):
        yield from _sizes_of_item(params)
    elif operation == "BatchGetItem":
        yield "items of a batch", sum(len(each["Keys"]) for each in params["RequestItems"].values())
    elif operation == "SendMessage":
        yield from _sizes_of_messages([params])
    elif operation == "SendMessageBatch":
        yield "messages of a batch", len(params["Entries"])
        yield from _sizes_of_messages(params["Entries"])
    elif "Key" in params and "Bucket" in params:
        yield "object key", len(params["Key"].encode())


def _sizes_of_item(write: Any) -> Iterator[tuple[str, int]]:
    key = write.get("Item") or write["Key"]
    yield "partition key", len(key["pk"]["S"].encode())
    yield "sort key", len(key["sk"]["S"].encode())
    if "Item" in write:
        yield "item", _size(write["Item"])


def _size_of_write(write: Any) -> int:
    return sum(_size(write.get(part, {})) for part in ("Item", "Key", "ExpressionAttributeValues"))


def _sizes_of_messages(messages: Any) -> Iterator[tuple[str, int]]:
    yield "messages", sum(len(each["MessageBody"].encode()) for each in messages)
    for each in messages:
        for name in ("MessageGroupId", "MessageDeduplicationId"):
            yield "characters of a group's name", len(each.get(name, ""))


def _size(value: Any) -> int:
    """Compute at most how many bytes attributes take: names, values, and a few for each level."""
    if isinstance(value, dict):
        return 3 + sum(len(name.encode()) + 1 + _size(each) for name, each in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + _size(each) for each in value)
    if isinstance(value, bytes):
        return len(value)
    return len((value if isinstance(value, str) else json.dumps(value)).encode())
