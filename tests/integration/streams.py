"""The streams of the tables: their records, as an event source hands them to its function."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from tests import template

type Json = dict[str, Any]

EVENTS = Path(__file__).parents[2] / "events"


def read(table: str) -> tuple[str, str, list[Json]]:
    """Read the whole stream of a table: its ARN, its shard and its records."""
    streams = _client()
    [found] = streams.list_streams(TableName=table)["Streams"]
    arn = found["StreamArn"]
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[Json] = []
    while some := (answer := streams.get_records(ShardIterator=iterator))["Records"]:
        records += some
        iterator = answer["NextShardIterator"]
    return arn, shard["ShardId"], records


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
