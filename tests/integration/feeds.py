"""Feeds of events: what the streams of the tables say of an org is published, and read."""

import re
from collections.abc import Iterator
from typing import Any

from billing import config
from tests import template
from tests.integration import streams
from tests.integration.billing import call
from tests.integration.conftest import Invoker

type Json = dict[str, Any]

SOURCES = [
    source
    for source in template.sources()
    if source.function == "publish_events" and source.type == "DynamoDB"
]
"""The streams that events are drawn from."""


def changes(org_id: str) -> Iterator[Json]:
    """Read all that the streams have of an org, as it is handed to the function."""
    for source in SOURCES:
        name = source.properties["EventSourceArn"].split("Table.")[0]
        table = getattr(config, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() + "_table")()
        _, _, records = streams.read(table)
        for record in streams.of_source(source, records):
            if record["dynamodb"]["Keys"]["pk"]["S"].split("#")[1] == org_id:
                yield record


def publish(records: list[Json]) -> list[str]:
    """Hand records to the function at once; return the numbers of those that failed."""
    answer = call("publish_events", {"Records": records})
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def publish_all(org_id: str) -> None:
    assert publish(list(changes(org_id))) == []


def read(invoke: Invoker, limit: int = 100) -> list[Json]:
    """Read the whole feed of an org, page after page."""
    events: list[Json] = []
    after: Json = {}
    while True:
        answer = invoke("webhooks_list_events", query={"limit": str(limit), **after})
        assert answer.status == 200, answer
        if not answer.json["events"]:
            return events
        events += answer.json["events"]
        after = {"after": answer.json["next_after"]}
