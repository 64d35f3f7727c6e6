"""
Copies all items of a table into another one, as restoring needs it: docs/runbooks/restore.md.

    python -m tools.copy_table FROM TO

It can be repeated: an item that is there already is written again, as it is in FROM.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

import boto3
from botocore.config import Config

SEGMENTS = 8
"""Parts of the table that are copied at once."""
BATCH = 25
"""Items that DynamoDB takes in one request."""


def copy(source: str, target: str) -> int:
    """Copy all items and return how many there are."""
    client = boto3.client(
        "dynamodb", config=Config(retries={"mode": "standard", "max_attempts": 10})
    )
    with ThreadPoolExecutor(SEGMENTS) as pool:
        return sum(pool.map(lambda n: _copy_segment(client, source, target, n), range(SEGMENTS)))


def _copy_segment(client: Any, source: str, target: str, segment: int) -> int:
    copied = 0
    for batch in batched(_items(client, source, segment), BATCH, strict=False):
        request = {target: [{"PutRequest": {"Item": item}} for item in batch]}
        while request:
            request = client.batch_write_item(RequestItems=request)["UnprocessedItems"]
        copied += len(batch)
    return copied


def _items(client: Any, table: str, segment: int) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("scan").paginate(
        TableName=table, Segment=segment, TotalSegments=SEGMENTS, ConsistentRead=True
    )
    for page in pages:
        yield from page["Items"]


if __name__ == "__main__":
    _, source, target = sys.argv
    print(f"{copy(source, target):,} items copied")
