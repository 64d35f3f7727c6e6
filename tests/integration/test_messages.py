"""Messages that fail come again after seconds, and raise an alarm only where that helps nobody."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from billing.adapters.queues import AuditsQueue, BatchesQueue, MailQueue, RunsQueue
from billing.api.messages import MAX_HOPS, MAX_PAUSE_SECONDS, MAX_RECEIVES, take_messages
from billing.aws import sqs
from billing.domain.billing_runs import Batch
from billing.domain.chains import Stretch
from billing.domain.errors import UpstreamBusyError
from billing.domain.invoices import InvoiceKey
from tests import template
from tests.integration.billing import record
from tests.integration.conftest import Context, Json

BATCH = Batch("demo", "run", 1, date(2026, 12, 1), ["100001"])
GROUPS = {"a1": "a", "a2": "a", "a3": "a", "b1": "b"}
"""Messages of a FIFO queue, by what they say, and their groups."""


@pytest.fixture
def queue(aws: None) -> Iterator[str]:
    """Make a FIFO queue whose messages stay hidden for long, with some in it."""
    attributes: Any = {"FifoQueue": "true", "VisibilityTimeout": "600"}
    name = f"messages-{uuid4().hex}.fifo"
    url = sqs().create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    for text, group in GROUPS.items():
        sqs().send_message(
            QueueUrl=url,
            MessageBody=json.dumps({"text": text}),
            MessageGroupId=group,
            MessageDeduplicationId=text,
        )
    yield url
    sqs().delete_queue(QueueUrl=url)


def test_a_message_that_failed_comes_again_after_seconds_with_those_behind_it(queue: str) -> None:
    first = _receive(queue)
    taken: list[str] = []

    failed = _take(queue, first, taken, failing={"a2"})

    assert taken == ["a1", "a2", "b1"]
    assert [json.loads(each["Body"])["text"] for each in first if each["MessageId"] in failed] == [
        "a2",
        "a3",
    ]
    for message in first:
        if message["MessageId"] not in failed:
            sqs().delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert _receive(queue) == []
    time.sleep(2.2)
    again = _receive(queue)
    assert [json.loads(each["Body"])["text"] for each in again] == ["a2", "a3"]
    assert _take(queue, again, taken, failing=set()) == set()


@pytest.mark.parametrize(
    ("receives", "seconds"),
    [(1, 2), (3, 8), (8, 256), (9, MAX_PAUSE_SECONDS), (MAX_RECEIVES, MAX_PAUSE_SECONDS)],
)
def test_the_pauses_double(receives: int, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden: Json = {}
    monkeypatch.setattr("billing.api.messages.hide", lambda _, pauses: hidden.update(pauses))

    _take("queue", [_message("a1", receives)], [], failing={"a1"})

    assert hidden == {"handle": seconds}


def test_all_tries_take_about_an_hour() -> None:
    pauses = [min(2**each, MAX_PAUSE_SECONDS) for each in range(1, MAX_RECEIVES)]

    assert 3600 <= sum(pauses) <= 5400


@pytest.mark.parametrize(
    ("error", "receives", "level"),
    [
        pytest.param(UpstreamBusyError, 1, "WARNING", id="AWS, which will pass"),
        pytest.param(UpstreamBusyError, MAX_RECEIVES - 1, "WARNING", id="AWS, once more"),
        pytest.param(UpstreamBusyError, MAX_RECEIVES, "ERROR", id="AWS, for the last time"),
        pytest.param(KeyError, 1, "ERROR", id="the code, which will not pass"),
    ],
)
def test_what_will_pass_is_a_warning(
    error: type[Exception],
    receives: int,
    level: str,
    logged: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.api.messages.hide", lambda *_: None)

    _take("queue", [_message("a1", receives)], [], failing={"a1"}, error=error)

    [line] = map(json.loads, logged)
    assert (line["level"], line["message"], line["error"]) == (level, "not taken", error.__name__)
    assert (line["message_id"], line["receives"]) == ("a1", receives)


def test_where_it_cannot_be_given_back_it_comes_all_the_same(
    logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise UpstreamBusyError

    monkeypatch.setattr("billing.api.messages.hide", refuse)

    assert _take("queue", [_message("a1", 1)], [], failing={"a1"}) == {"a1"}
    assert [json.loads(line)["message"] for line in logged] == ["not taken", "not given back early"]


def test_a_message_says_by_how_many_others_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"Records": [record(_message("a1", 1)), record(_message("a2", 1, hops=MAX_HOPS))]}
    taken: list[Any] = []

    take_messages(event, Context(), lambda *each: taken.append(each), queue="", failure="")

    assert taken == [({"text": "a1"}, 1), ({"text": "a2"}, MAX_HOPS + 1)]


def test_a_message_that_came_by_too_many_is_not_taken_and_raises_an_alarm(
    logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.api.messages.hide", lambda *_: None)
    taken: list[str] = []

    failed = _take("queue", [_message("a1", 1, hops=MAX_HOPS + 1)], taken, failing=set())

    assert (taken, failed) == ([], {"a1"})
    [line] = map(json.loads, logged)
    pattern = template.resources()["LoopsFilter"]["Properties"]["FilterPattern"]
    assert pattern == f'{{ $.message = "{line["message"]}" }}'


@pytest.mark.parametrize(
    ("send", "setting"),
    [
        (lambda: RunsQueue(7).send_run("demo", "run"), "RUNS_QUEUE"),
        (lambda: RunsQueue(7).send_daily("demo"), "RUNS_QUEUE"),
        (lambda: AuditsQueue(7).send_orgs("demo"), "AUDITS_QUEUE"),
        (lambda: AuditsQueue(7).send_stretch(Stretch("demo", "A", 1, "")), "AUDITS_QUEUE"),
        (lambda: BatchesQueue(7).send([BATCH]), "BATCHES_QUEUE"),
        (lambda: MailQueue(7).send(InvoiceKey("demo", "100001", 1), "0"), "MAIL_QUEUE"),
    ],
    ids=["a run", "the runs of the day", "the audits of the week", "an audit", "a batch", "a mail"],
)
def test_all_that_is_sent_counts_on(
    send: Callable[[], None], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def remember(_: Any, *, MessageBody: str = "", Entries: Sequence[Json] = (), **__: Any) -> Json:  # noqa: N803 - of AWS
        sent.extend([MessageBody] if MessageBody else [each["MessageBody"] for each in Entries])
        return {}

    monkeypatch.setenv(setting, "queue")
    monkeypatch.setattr("billing.adapters.queues.call", remember)

    send()

    assert [json.loads(each)["hops"] for each in sent] == [7]


def _take(
    queue: str,
    messages: list[Json],
    taken: list[str],
    *,
    failing: set[str],
    error: type[Exception] = UpstreamBusyError,
) -> set[str]:
    """Take messages, some of which fail; return the ids of those that will come again."""

    def take(message: Json, _: int) -> None:
        text = message["text"]
        taken.append(text)
        if text in failing:
            raise error

    event = {"Records": list(map(record, messages))}
    answer = take_messages(event, Context(), take, queue=queue, failure="not taken")
    return {each["itemIdentifier"] for each in answer["batchItemFailures"]}


def _message(text: str, receives: int, **more: int) -> Json:
    return {
        "MessageId": text,
        "ReceiptHandle": "handle",
        "Body": json.dumps({"text": text, **more}),
        "Attributes": {"ApproximateReceiveCount": str(receives)},
    }


def _receive(queue: str) -> list[Any]:
    answer = sqs().receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )
    return list(answer.get("Messages", []))
