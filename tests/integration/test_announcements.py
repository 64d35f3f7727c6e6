"""Events are put on the bus of EventBridge: all of them, those that it refused again."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from billing import aws, clock, config
from billing.domain.events import Event, EventType
from billing.persistence.events import EventRepository
from tests.integration import feeds, streams
from tests.integration.billing import call
from tests.integration.conftest import EVENTS, Invoker
from tests.integration.world import SOURCES, make_bus

type Json = dict[str, Any]


@pytest.fixture
def queue(aws: None) -> Iterator[str]:
    """Make a rule that sends all that comes from us to a queue."""
    bus, sqs = boto3.client("events"), boto3.client("sqs")
    name = f"bus-{uuid4().hex}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    make_bus()
    rule: Any = {"Name": name, "EventBusName": config.event_bus()}
    bus.put_rule(**rule, EventPattern=json.dumps({"source": ["billing"]}))
    bus.put_targets(
        Rule=name, EventBusName=config.event_bus(), Targets=[{"Id": "1", "Arn": arn["QueueArn"]}]
    )
    yield url
    bus.remove_targets(Rule=name, EventBusName=config.event_bus(), Ids=["1"])
    bus.delete_rule(**rule)
    sqs.delete_queue(QueueUrl=url)


def received(queue: str) -> list[Json]:
    found: list[Json] = []
    while some := aws.sqs().receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for each in some:
            found.append(json.loads(each["Body"]))
            aws.sqs().delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
    return found


def published(org_id: str, count: int) -> list[Json]:
    """Publish events, and read what the stream has of them."""
    events = [
        Event(EventType.ACCOUNT_CHANGED, org_id, {"account_id": str(number)}, 1, clock.now())
        for number in range(count)
    ]
    EventRepository().append(org_id, events, clock.now())
    _, _, records = streams.read(config.events_table())
    return [
        each
        for each in streams.of_source(SOURCES["EventsTable to announce_events"], records)
        if each["dynamodb"]["Keys"]["pk"]["S"] == f"feed#{org_id}"
    ]


def announce(records: list[Json]) -> list[str]:
    answer = call("announce_events", {"Records": records})
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_all_events_come_to_the_bus(invoke: Invoker, queue: str) -> None:
    assert announce(published(invoke.org_id, 23)) == []

    came = received(queue)
    feed = {each["id"]: each for each in feeds.read(invoke)}
    assert {each["detail"]["id"] for each in came} == feed.keys()
    assert {(each["source"], each["detail-type"]) for each in came} == {
        ("billing", "account.changed")
    }
    for each in came:
        assert each["detail"]["data"] == feed[each["detail"]["id"]]["data"]


@pytest.mark.faults
def test_what_the_bus_refuses_comes_again(
    invoke: Invoker, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = published(invoke.org_id, 4)
    put = aws.events().put_events

    def throttle(**request: Any) -> Json:
        taken: Any = put(Entries=request["Entries"][::2])
        refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
        entries = [taken["Entries"][0], refused, taken["Entries"][1], refused]
        return {"FailedEntryCount": 2, "Entries": entries}

    monkeypatch.setattr(aws.events(), "put_events", throttle)
    failed = announce(records)
    assert failed == [each["dynamodb"]["SequenceNumber"] for each in records[1::2]]
    monkeypatch.undo()

    assert announce(records[1:]) == []

    assert {each["detail"]["data"]["account_id"] for each in received(queue)} == set("0123")


def test_what_cannot_be_read_fails_alone(invoke: Invoker, queue: str) -> None:
    first, *others = published(invoke.org_id, 3)
    poison = {**first, "dynamodb": {"SequenceNumber": "poison", "Keys": {}}}

    assert announce([first, poison, *others]) == ["poison"]
    assert len(received(queue)) == 3


def test_takes_the_event_of_lambda(invoke: Invoker, queue: str) -> None:
    text = (EVENTS / "announce_events_stream.json").read_text()

    assert announce(json.loads(text)["Records"]) == []
    assert [each["detail-type"] for each in received(queue)] == ["invoice.issued"]
