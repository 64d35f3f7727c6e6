"""Webhooks: created by an org, sent each event, tried until they have it or are given up."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from billing import aws, clock, config
from billing.adapters.secrets import webhooks_key
from billing.domain.events import Event, EventType
from billing.domain.webhooks import MAX_ENDPOINTS
from billing.persistence.events import EventRepository
from billing.persistence.webhooks import WebhookRepository
from tests.integration import feeds, streams
from tests.integration.billing import call, record
from tests.integration.conftest import EVENTS, Invoker
from tests.integration.receiver import Receiver, receiver
from tests.integration.test_refund_races import at_once
from tests.integration.world import SOURCES

type Json = dict[str, Any]

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


class Org:
    """An org with an endpoint, and a clock that is set by hand."""

    def __init__(self, invoke: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.invoke, self.org_id = invoke, invoke.org_id
        self.now = clock.now()
        monkeypatch.setattr("billing.clock.now", lambda: self.now)
        self._delayed: list[tuple[float, Json]] = []
        self._events = 0
        self._told = 0
        queue = aws.sqs().create_queue(QueueName=f"webhooks-{invoke.org_id}")["QueueUrl"]
        self.queue = queue
        monkeypatch.setenv("WEBHOOKS_QUEUE", queue)
        send = aws.sqs().send_message_batch

        def send_now(**request: Any) -> Any:
            """Send at once, and note the delay: the clock of the queue is another one."""
            for entry in request["Entries"]:
                self.delays.append(entry.pop("DelaySeconds"))
            return send(**request)

        self.delays: list[int] = []
        monkeypatch.setattr(aws.sqs(), "send_message_batch", send_now)

    def create(self, url: str, **body: Any) -> tuple[str, str]:
        """Create an endpoint; return its id and its secret."""
        answer = self.invoke("webhooks_create_endpoint", {"url": url, "types": None, **body})
        assert answer.status == 201, answer
        return answer.json["id"], answer.json["secret"]

    def happen(self, count: int = 1) -> None:
        """Publish events, and have them delivered for the first time."""
        ids = [{"account_id": str(self._events + number)} for number in range(1, count + 1)]
        self._events += count
        events = [Event(EventType.ACCOUNT_CHANGED, self.org_id, each, 1, self.now) for each in ids]
        EventRepository().append(self.org_id, events, self.now)
        self.fan_out()

    def fan_out(self) -> None:
        """Hand over what the stream has of the feed since the last time."""
        _, _, records = streams.read(config.events_table())
        source = SOURCES["EventsTable to deliver_webhooks"]
        ours = [
            each
            for each in streams.of_source(source, records)
            if each["dynamodb"]["Keys"]["pk"]["S"] == f"feed#{self.org_id}"
        ]
        new, self._told = ours[self._told :], len(ours)
        assert call("deliver_webhooks", {"Records": new}) == {"batchItemFailures": []}

    def take(self) -> list[Json]:
        taken = []
        while (
            received := aws.sqs()
            .receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
            )
            .get("Messages")
        ):
            for message in received:
                taken.append(record(message))  # type: ignore[arg-type]
                aws.sqs().delete_message(
                    QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"]
                )
        return taken

    def deliver(self) -> int:
        """Deliver what is in the queue, each message once; return how many there were."""
        self.delays.clear()
        webhooks_key.cache_clear()  # in Lambda, no other function has read it
        messages = self.take()
        for each in messages:
            answer = call("deliver_webhooks", {"Records": [each]})
            assert answer == {"batchItemFailures": []}
        return len(messages)

    def sweep(self) -> None:
        text = (EVENTS / "deliver_webhooks_sweep.json").read_text()
        assert call("deliver_webhooks", json.loads(text)) == {"batchItemFailures": []}

    def deliveries(self, endpoint_id: str) -> list[Json]:
        answer = self.invoke("webhooks_list_deliveries", endpointId=endpoint_id, query={})
        assert answer.status == 200
        found: list[Json] = answer.json["deliveries"]
        return found


@pytest.fixture
def org(invoke: Invoker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Org]:
    made = Org(invoke, monkeypatch)
    yield made
    aws.sqs().delete_queue(QueueUrl=made.queue)


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    with receiver() as receiving:
        yield receiving


# ---------------------------------------------------------------- it arrives, signed


def test_an_event_arrives_signed_and_as_the_feed_has_it(org: Org, hooks: Receiver) -> None:
    endpoint, secret = org.create(hooks.url)
    org.happen()
    org.deliver()

    [received] = hooks.received
    [event] = feeds.read(org.invoke)
    assert received.verified(secret) == {
        name: event[name] for name in ("type", "timestamp", "data")
    }
    assert received.headers["webhook-id"] == event["id"]
    assert received.headers["content-type"] == "application/json"
    assert received.path == "/hooks?a=b"
    [delivery] = org.deliveries(endpoint)
    assert delivery == {
        "id": "000000000001",
        "event_id": event["id"],
        "status": "delivered",
        "attempts": 1,
        "response_status": 204,
        "next_attempt_at": None,
    }


def test_only_the_types_that_were_asked_for(org: Org, hooks: Receiver) -> None:
    org.create(hooks.url, types=["invoice.paid"])
    org.happen()

    assert org.deliver() == 0
    assert hooks.received == []


def test_nothing_from_before_the_endpoint(org: Org, hooks: Receiver) -> None:
    org.happen()
    org.now += timedelta(seconds=1)
    org.create(hooks.url)
    org.happen()
    org.deliver()

    assert len(hooks.received) == 1


def test_each_endpoint_gets_its_own_copy_signed_with_its_own_secret(
    org: Org, hooks: Receiver
) -> None:
    _, first = org.create(hooks.url)
    _, second = org.create(hooks.url)
    org.happen(3)
    org.deliver()

    assert len(hooks.received) == 6
    verified = {first: 0, second: 0}
    for received in hooks.received:
        for secret in verified:
            with suppress(WebhookVerificationError):
                received.verified(secret)
                verified[secret] += 1
    assert verified == {first: 3, second: 3}


def test_a_rotated_secret_and_the_old_one_sign_for_a_day(org: Org, hooks: Receiver) -> None:
    endpoint, old = org.create(hooks.url)
    new = org.invoke("webhooks_rotate_secret", endpointId=endpoint).json["secret"]
    assert new != old

    org.happen()
    org.deliver()
    for secret in (old, new):
        hooks.received[0].verified(secret)
    assert hooks.received[0].headers["webhook-signature"].count("v1,") == 2
    org.now += timedelta(days=1)
    org.happen()
    org.deliver()

    assert hooks.received[1].headers["webhook-signature"].count("v1,") == 1


def test_no_secret_is_stored_or_shown_again(org: Org, hooks: Receiver) -> None:
    endpoint, secret = org.create(hooks.url)
    org.happen()
    org.deliver()

    items = aws.dynamodb().scan(TableName=config.webhooks_table())["Items"]
    listed = org.invoke("webhooks_list_endpoints")

    assert secret.removeprefix("whsec_") not in json.dumps(items, default=str) + listed.text
    assert [each["id"] for each in listed.json["webhook_endpoints"]] == [endpoint]


# ---------------------------------------------------------------- it is tried again


def test_a_failure_is_tried_again_by_the_schedule(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    hooks.status = 500
    org.happen()
    org.deliver()
    assert 5 <= org.delays[0] <= 6
    assert org.deliver() == 1  # too early: it waits on
    assert len(hooks.received) == 1

    org.now += timedelta(seconds=6)
    org.deliver()
    assert len(hooks.received) == 2
    assert 300 <= org.delays[0] <= 331
    org.now += timedelta(seconds=331)
    org.deliver()
    assert len(hooks.received) == 3
    assert org.deliver() == 0  # half an hour is too long for a queue

    [delivery] = org.deliveries(endpoint)
    assert (delivery["status"], delivery["attempts"]) == ("pending", 3)
    assert delivery["response_status"] == 500
    org.sweep()
    assert org.deliver() == 0
    hooks.status = 200
    org.now += timedelta(minutes=34)
    org.sweep()
    org.sweep()
    assert org.deliver() == 1

    [delivery] = org.deliveries(endpoint)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 4)
    assert len(set(hooks.ids)) == 1


def test_an_endpoint_that_fails_all_day_gets_each_event_once_it_is_well(
    org: Org, hooks: Receiver
) -> None:
    endpoint, _ = org.create(hooks.url)
    hooks.status = 500
    org.happen(4)
    for _ in range(26):
        org.now += timedelta(hours=1)
        for _ in range(4):
            org.sweep()
            org.deliver()
    hooks.status = 200
    hooks.received.clear()
    for _ in range(30):
        org.now += timedelta(hours=1)
        org.sweep()
        org.deliver()

    assert {each["status"] for each in org.deliveries(endpoint)} == {"delivered"}
    assert len(hooks.received) == 4
    assert org.invoke("webhooks_list_endpoints").json["webhook_endpoints"][0]["failing_since"] is (
        None
    )


def test_a_receiver_says_how_long_to_wait(org: Org, hooks: Receiver) -> None:
    org.create(hooks.url)
    hooks.status, hooks.headers = 503, {"retry-after": "120"}
    org.happen()
    org.deliver()

    assert 119 <= org.delays[0] <= 120


def test_410_disables_it_and_tells_so(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    hooks.status = 410
    org.happen(2)
    org.deliver()

    assert len(hooks.received) == 1
    assert {each["status"] for each in org.deliveries(endpoint)} == {"failed"}
    [listed] = org.invoke("webhooks_list_endpoints").json["webhook_endpoints"]
    assert listed["disabled_at"] is not None
    feeds.publish_all(org.org_id)
    told = [each for each in feeds.read(org.invoke) if each["type"].startswith("webhook")]
    assert [(each["type"], each["data"]["webhook_endpoint_id"]) for each in told] == [
        ("webhook_endpoint.disabled", endpoint)
    ]
    org.fan_out()
    assert org.deliver() == 0


def test_five_days_of_failure_disable_it(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    hooks.status = 500
    for _ in range(6):
        org.happen()
        for _ in range(3):
            org.sweep()
            org.deliver()
        org.now += timedelta(days=1)

    [listed] = org.invoke("webhooks_list_endpoints").json["webhook_endpoints"]
    assert listed["disabled_at"] is not None
    replay = org.invoke("webhooks_replay", endpointId=endpoint)
    assert (replay.status, replay.json["code"]) == (409, "ENDPOINT_DISABLED")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(org: Org, hooks: Receiver, status: int) -> None:
    endpoint, _ = org.create(hooks.url)
    hooks.status, hooks.headers = status, {"location": hooks.url + "/elsewhere"}
    org.happen()
    org.deliver()

    assert len(hooks.received) == 1
    assert org.deliveries(endpoint)[0]["response_status"] == status


def test_nobody_there_is_a_failure_without_a_status(org: Org) -> None:
    endpoint, _ = org.create("http://127.0.0.1:1/")
    org.happen()
    org.deliver()

    [delivery] = org.deliveries(endpoint)
    assert (delivery["status"], delivery["response_status"]) == ("pending", None)


def test_what_was_delivered_or_failed_can_be_replayed(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    org.happen()
    org.deliver()

    replayed = org.invoke("webhooks_replay", endpointId=endpoint)
    org.deliver()

    assert (replayed.status, replayed.text) == (204, "")
    assert len(hooks.received) == 2
    assert hooks.ids[0] == hooks.ids[1]
    [delivery] = org.deliveries(endpoint)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 2)


# ---------------------------------------------------------------- nobody delays another


def test_a_slow_endpoint_has_five_at_once_and_others_wait_for_it_in_the_queue(
    org: Org, hooks: Receiver
) -> None:
    endpoint, _ = org.create(hooks.url)
    org.happen()
    webhooks = WebhookRepository()
    slow = webhooks.get_endpoint(org.org_id, endpoint)
    for slot in range(5):
        assert webhooks._take(slow, slot, org.now, timedelta(seconds=20))

    assert org.deliver() == 1
    assert hooks.received == []
    assert 1 <= org.delays[0] <= 10
    org.now += timedelta(seconds=22)
    assert org.deliver() == 1

    assert len(hooks.received) == 1


def test_one_that_fails_has_one_at_once(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    hooks.status = 500
    org.happen()
    org.deliver()
    webhooks = WebhookRepository()
    failing = webhooks.get_endpoint(org.org_id, endpoint)
    assert failing.failing_since
    assert webhooks._take(failing, 0, org.now, timedelta(seconds=20))
    org.now += timedelta(seconds=6)
    org.deliver()

    assert len(hooks.received) == 1
    assert 60 <= org.delays[0] <= 600


def test_a_try_frees_its_place_whatever_comes_of_it(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    for status in (500, 200):
        hooks.status = status
        org.happen()
        org.deliver()
        org.now += timedelta(seconds=6)

    items = aws.dynamodb().query(
        TableName=config.webhooks_table(),
        KeyConditionExpression="pk = :pk AND begins_with(sk, :slot)",
        ExpressionAttributeValues={
            ":pk": {"S": f"endpoint#{org.org_id}#{endpoint}"},
            ":slot": {"S": "slot#"},
        },
    )["Items"]
    assert {item["busy_until"]["N"] for item in items} == {"0"}


def test_a_receiver_may_take_fifteen_seconds_in_all(
    org: Org, hooks: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.adapters.webhooks.TIMEOUT_SECONDS", 0.3)
    endpoint, _ = org.create(hooks.url)
    hooks.hold = lambda: time.sleep(1)
    org.happen()
    began = time.monotonic()
    org.deliver()

    assert time.monotonic() - began < 1
    assert org.deliveries(endpoint)[0]["response_status"] is None


# ---------------------------------------------------------------- messages come twice


@pytest.mark.faults
def test_a_message_that_comes_twice_is_delivered_once(org: Org, hooks: Receiver) -> None:
    org.create(hooks.url)
    org.happen()
    messages = org.take()

    for each in messages * 2:
        assert call("deliver_webhooks", {"Records": [each]}) == {"batchItemFailures": []}

    assert len(hooks.received) == 1


@pytest.mark.faults
def test_events_that_are_handed_over_twice_are_delivered_once(org: Org, hooks: Receiver) -> None:
    org.create(hooks.url)
    org.happen(2)
    org._told = 0
    org.fan_out()

    assert org.deliver() == 4
    assert len(hooks.received) == 2


@pytest.mark.faults
def test_a_secret_that_is_rotated_during_a_failed_try_stays(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    org.happen()
    rotated: list[Any] = []

    def rotate() -> None:
        if not rotated:
            rotated.append(org.invoke("webhooks_rotate_secret", endpointId=endpoint))

    hooks.status, hooks.hold = 500, rotate
    org.deliver()

    [answer] = rotated
    assert answer.status == 201
    [listed] = org.invoke("webhooks_list_endpoints").json["webhook_endpoints"]
    assert listed["failing_since"]
    hooks.status = 204
    org.now += timedelta(seconds=20)
    org.deliver()
    assert hooks.received[-1].verified(answer.json["secret"])


def test_a_deleted_endpoint_gets_nothing_more(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    org.happen()
    deleted = org.invoke("webhooks_delete_endpoint", endpointId=endpoint)
    assert (deleted.status, deleted.text) == (204, "")
    org.deliver()

    assert hooks.received == []
    for name in ("webhooks_delete_endpoint", "webhooks_list_deliveries", "webhooks_rotate_secret"):
        assert org.invoke(name, endpointId=endpoint).status == 404


def test_takes_what_the_events_of_lambda_are_about(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url, types=["invoice.issued"])
    ids = {"account_id": "100001", "invoice_id": "1"}
    event = Event(EventType.INVOICE_ISSUED, org.org_id, ids, 1, org.now)
    EventRepository().append(org.org_id, [event], org.now)
    soon = json.dumps(org.now.isoformat())
    for name in ("deliver_webhooks_stream", "deliver_webhooks_delivery"):
        text = (EVENTS / f"{name}.json").read_text().replace("demo", org.org_id)
        text = text.replace("01a1fd8c6b203c9621aadb49bccccc17", endpoint)
        text = text.replace(
            '\\"published_at\\":\\"2026-11-21T10:00:00Z\\"',
            (f'\\"published_at\\":\\"{json.loads(soon)}\\"'),
        )
        assert call("deliver_webhooks", json.loads(text)) == {"batchItemFailures": []}

    assert len(hooks.received) == 1


# ---------------------------------------------------------------- the routes


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/", "http://hooks.example.com/", "https://u:p@hooks.example.com/", "x", ""],
)
def test_refuses_where_nothing_may_be_sent(org: Org, url: str) -> None:
    answer = org.invoke("webhooks_create_endpoint", {"url": url})

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == ["url"]


def test_an_org_has_ten_at_most(org: Org, hooks: Receiver) -> None:
    for _ in range(MAX_ENDPOINTS):
        org.create(hooks.url)

    answer = org.invoke("webhooks_create_endpoint")

    assert (answer.status, answer.json["code"]) == (409, "TOO_MANY_ENDPOINTS")


@pytest.mark.faults
def test_an_org_has_ten_at_most_however_many_are_made_and_deleted_at_once(
    org: Org, hooks: Receiver
) -> None:
    for _ in range(MAX_ENDPOINTS - 3):
        org.create(hooks.url)

    create = partial(org.invoke, "webhooks_create_endpoint", {"url": hooks.url})
    delete = partial(org.invoke, "webhooks_delete_endpoint")

    def listed() -> list[str]:
        found = org.invoke("webhooks_list_endpoints").json["webhook_endpoints"]
        return [each["id"] for each in found]

    for _ in range(3):
        made = at_once([create] * 8)
        assert sorted(each.status for each in made) == [201] * 3 + [409] * 5
        assert len(listed()) == MAX_ENDPOINTS

        # Each twice: only one of the two gives a place free.
        gone = [each.json["id"] for each in made if each.status == 201] * 2
        deleted = at_once([partial(delete, endpointId=each) for each in gone])
        assert sorted(each.status for each in deleted) == [204] * 3 + [404] * 3
        assert len(listed()) == MAX_ENDPOINTS - 3


def test_deliveries_are_paged(org: Org, hooks: Receiver) -> None:
    endpoint, _ = org.create(hooks.url)
    org.happen(5)

    first = org.invoke("webhooks_list_deliveries", endpointId=endpoint).json
    query = {"limit": "3", "cursor": first["next_cursor"]}
    second = org.invoke("webhooks_list_deliveries", endpointId=endpoint, query=query).json

    ids = [each["id"] for each in first["deliveries"] + second["deliveries"]]
    assert ids == [f"{number:012}" for number in range(5, 0, -1)]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_only_admins_of_all_accounts_have_to_do_with_it(org: Org, role: str) -> None:
    assert org.invoke("webhooks_list_endpoints", caller={"role": role}).status == 403
    some = {"role": "admin", "accounts": "100001"}
    assert org.invoke("webhooks_create_endpoint", caller=some).status == 403
