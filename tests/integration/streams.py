"""The streams of the tables: their records, as an event source hands them to its function."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from tests import template

type Json = dict[str, Any]

EVENTS = Path(__file__).parents[2] / "events"


@dataclass
class _Stream:
    """What was read of a stream so far, and where to go on: what is in it stays as it is."""

    arn: str
    shard_id: str
    iterator: str
    records: list[Json] = field(default_factory=list)


def read(table: str) -> tuple[str, str, list[Json]]:
    """Read the whole stream of a table: its ARN, its shard and its records."""
    stream = _stream(table)
    while True:
        answer = _client().get_records(ShardIterator=stream.iterator)
        stream.records += answer["Records"]
        stream.iterator = answer["NextShardIterator"]
        if not answer["Records"]:
            return stream.arn, stream.shard_id, stream.records.copy()


def forget() -> None:
    """Forget all streams, as the tables are made anew."""
    _stream.cache_clear()


@cache
def _stream(table: str) -> _Stream:
    """Find the beginning of a table's stream."""
    [found] = _client().list_streams(TableName=table)["Streams"]
    arn = found["StreamArn"]
    [shard] = _client().describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    shard_id = shard["ShardId"]
    iterator = _client().get_shard_iterator(
        StreamArn=arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return _Stream(arn, shard_id, iterator)


def of_source(source: template.Source, records: list[Json]) -> list[Json]:
    """Keep the records that an event source lets through, as its function gets them."""
    [example] = json.loads((EVENTS / "documents_stream.json").read_text())["Records"]
    filters = source.properties["FilterCriteria"]["Filters"]
    patterns = [json.loads(each["Pattern"]) for each in filters]
    return [
        {
            **example,
            "eventName": each["eventName"],
            "dynamodb": {
                **each["dynamodb"],
                "ApproximateCreationDateTime": _seconds(
                    each["dynamodb"]["ApproximateCreationDateTime"]
                ),
            },
        }
        for each in records
        if any(_matches(pattern, each) for pattern in patterns)
    ]


def _seconds(at: Any) -> float:
    return float(at.timestamp()) if hasattr(at, "timestamp") else float(at)


def _matches(pattern: Any, value: Any) -> bool:
    """Tell whether the pattern of a filter lets a value through."""
    if isinstance(pattern, dict):
        return all(key in value and _matches(each, value[key]) for key, each in pattern.items())
    return any(_lets_through(each, value) for each in pattern)


def _lets_through(rule: Any, value: str) -> bool:
    if not isinstance(rule, dict):
        return bool(value == rule)
    [(kind, argument)] = rule.items()
    return value.startswith(argument) if kind == "prefix" else value not in argument


@cache
def _client() -> Any:
    return boto3.client("dynamodbstreams")
