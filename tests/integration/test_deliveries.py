"""
However messages are delivered, all ends as if each had come once.

Every message between the functions, in every way that it can come, and unreadable ones among them.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

import boto3
import pytest

from billing import aws
from billing.adapters import queues
from billing.domain.fiscal_sending import BUSY_FOR
from billing.domain.mails import LEASE
from billing.persistence.item_events import draw
from billing.services.deliver_webhooks import SLOT_TIME
from billing_cli import dead_letters
from tests import template
from tests.integration.billing import audited
from tests.integration.conftest import EVENTS, Json
from tests.integration.faults import (
    Fault,
    Killed,
    dying,
    interfering,
    lose_the_answer,
    reset,
)
from tests.integration.world import ACCOUNTS, SOURCES, World, id_of, new_world

pytestmark = pytest.mark.faults

SCHEDULES = [
    (target["Arn"].removesuffix(".Arn"), target["Input"])
    for source in template.sources()
    if source.type == "Schedule"
    for target in [source.properties["Target"]]
]
"""The queues to which something is sent at its time, each with what that is."""


# -------------------------------------------------------------------- what is delivered


@dataclass(frozen=True)
class Kind:
    """A kind of message."""

    queue: str
    """Or the table whose stream it comes from."""
    bring_about: Callable[[World], list[Json]]
    """Have some messages sent, and take them."""
    mark: Callable[[Json], str]
    """What stands in the calls to AWS that are made for a message."""
    unreadable: tuple[Any, ...]
    is_written_down: bool = True
    """Whether anything is kept of it."""
    lease: timedelta = timedelta()
    """For how long what failed in its middle is let alone."""
    is_after_charges: bool = False
    """
    Whether all is charged before there are any: what is charged later is in another bill, or to
    somebody who has moved.
    """

    @property
    def source(self) -> template.Source:
        return SOURCES[self.queue]


BODIES = ("", "no JSON", "null", "5", "[]", '"after"', "{}", '{"run_id": 7}', "[" * 100_000)
KEYS: tuple[Json, ...] = (
    {},
    {"sk": {"S": "document"}},
    {"pk": {"S": "no key of ours"}},
    {"pk": {"S": "invoice#demo#100001#x"}},
    {"pk": {"S": "invoice#demo#100001#99"}},
)


def _runs_of_the_day(world: World) -> list[Json]:
    return _scheduled(world, "RunsQueue", lambda: queues.RunsQueue().send_daily("demo"))


def _listings(world: World) -> list[Json]:
    world.dice.seed("listings")
    world.start_runs()
    return world.take(SOURCES["RunsQueue"])


def _batches(world: World) -> list[Json]:
    assert world.deliver(SOURCES["RunsQueue"], _listings(world)) == []
    return world.take(SOURCES["BatchesQueue"])


def _documents(world: World) -> list[Json]:
    world.drain()
    world.issue("documents")
    return world.take(SOURCES["InvoicesTable to documents"])


def _mails(world: World) -> list[Json]:
    world.drain()
    world.issue("mailed")
    world.drain(but=SOURCES["MailQueue"])
    return world.take(SOURCES["MailQueue"])


def _bounces(world: World) -> list[Json]:
    """Let SES tell of the mails of two documents that they came back."""
    world.issue("bounced")
    world.drain()
    [example] = json.loads((EVENTS / "send_invoice_bounce.json").read_text())["Records"]
    messages = []
    for org_id, account_id in sorted({(*each.split(" ")[:2],) for each in world.mails})[:2]:
        body = json.loads(example["body"])
        ids = {"org_id": org_id, "account_id": account_id, "invoice_id": "1"}
        body["detail"]["mail"]["tags"].update({name: [value] for name, value in ids.items()})
        messages.append({**example, "messageId": account_id, "body": json.dumps(body)})
    return messages


def _audits_of_the_week(world: World) -> list[Json]:
    world.issue("audited")
    world.drain()
    return _scheduled(world, "AuditsQueue", lambda: queues.AuditsQueue().send_orgs("demo"))


def _audits(world: World) -> list[Json]:
    assert world.deliver(SOURCES["AuditsQueue"], _audits_of_the_week(world)) == []
    return world.take(SOURCES["AuditsQueue"])


def _checks_of_the_night(world: World) -> list[Json]:
    world.issue("looked up")
    world.move_abroad()
    world.drain()
    return _scheduled(
        world, "LookupsQueue", lambda: queues.LookupsQueue().send_orgs("demo"), "vat numbers"
    )


def _checks(world: World) -> list[Json]:
    assert world.deliver(SOURCES["LookupsQueue"], _checks_of_the_night(world)) == []
    return world.take(SOURCES["LookupsQueue"])


def _exchange_rates(world: World) -> list[Json]:
    world.issue("looked up")
    world.drain()
    _send_scheduled(world, "LookupsQueue", "exchange rates")
    _send_scheduled(world, "LookupsQueue", "exchange rates")
    return world.take(SOURCES["LookupsQueue"])


def _senders(world: World) -> list[Json]:
    source = SOURCES["FiscalRecordsQueue"]
    world.switch_on()
    world.issue("declared")
    world.drain()
    _send_scheduled(world, "FiscalRecordsQueue")
    assert world.deliver(source, world.take(source)) == []
    return world.take(source)


def _changes(table: str) -> Callable[[World], list[Json]]:
    """Take what a table says of a month that was billed, of which nothing was published yet."""
    source = SOURCES[f"{table} to publish_events"]

    def bring_about(world: World) -> list[Json]:
        world.issue("published")
        world.dice.seed("published runs")
        world.start_runs()
        world.drain(but=source)
        return [each for each in world.take(source) if draw(each)]

    return bring_about


def _told(source: str) -> Callable[[World], list[Json]]:
    """Take what comes of the events of some invoices, for orgs that have webhooks."""

    def bring_about(world: World) -> list[Json]:
        world.tell_endpoints()
        world.issue("told")
        world.drain(but=SOURCES[source])
        taken = world.take(SOURCES[source])
        return [each for each in taken if source != DISABLED or draw(each)]

    return bring_about


DISABLED = "WebhooksTable to publish_events"


def _position(record: Json) -> str:
    return f"delivery#{record['dynamodb']['Keys']['sk']['S']}"


def _event_id(record: Json) -> str:
    return draw(record)[0].id


def _send_scheduled(world: World, queue: str, what: str = "") -> None:
    """Send what a schedule sends to a queue; say what, where there is more than one."""
    [body] = [body for other, body in SCHEDULES if other == queue and what in body]
    aws.sqs().send_message(QueueUrl=world.queue(SOURCES[queue]), MessageBody=body)


def _scheduled(world: World, queue: str, go_on: Callable[[], None], what: str = "") -> list[Json]:
    """Send what a schedule sends, and what is sent where there is no time for all orgs."""
    _send_scheduled(world, queue, what)
    go_on()
    return world.take(SOURCES[queue])


def _of_document(message: Json) -> str:
    body = _body(message)
    return f"invoice#{body['org_id']}#{body['account_id']}#{body['ordinal']}"


def _body(message: Json) -> Json:
    body: Json = json.loads(message["body"])
    return body


KINDS = {
    "the runs of the day": Kind(
        "RunsQueue", _runs_of_the_day, lambda _: "second#daily", unreadable=BODIES
    ),
    "a run": Kind(
        "RunsQueue", _listings, lambda each: str(_body(each)["run_id"]), unreadable=BODIES
    ),
    "a batch": Kind(
        "BatchesQueue",
        _batches,
        lambda each: f"{_body(each)['org_id']}#{_body(each)['account_ids'][0]}",
        unreadable=BODIES,
    ),
    "an issued invoice": Kind(
        "InvoicesTable to documents",
        _documents,
        lambda each: str(each["dynamodb"]["Keys"]["pk"]["S"]).removeprefix("invoice#"),
        unreadable=KEYS,
    ),
    **{
        f"a change in {table}": Kind(
            f"{table} to publish_events",
            _changes(table),
            _event_id,
            unreadable=KEYS,
            is_after_charges=True,
        )
        for table in (
            "AccountsTable",
            "BillingRunsTable",
            "InvoicesTable",
            "MovementsTable",
            "RefundsTable",
        )
    },
    "an event": Kind(
        "EventsTable to deliver_webhooks",
        _told("EventsTable to deliver_webhooks"),
        _position,
        unreadable=KEYS,
    ),
    "an announcement": Kind(
        "EventsTable to announce_events",
        _told("EventsTable to announce_events"),
        lambda each: str(json.loads(each["dynamodb"]["NewImage"]["event"]["S"])["id"]),
        unreadable=KEYS,
        is_written_down=False,
    ),
    "a webhook": Kind(
        "WebhooksQueue",
        _told("WebhooksQueue"),
        lambda each: f"delivery#{_body(each)['position']:012}",
        unreadable=BODIES,
    ),
    "an endpoint that is disabled": Kind(DISABLED, _told(DISABLED), _event_id, unreadable=KEYS),
    "the checks of the night": Kind(
        "LookupsQueue",
        _checks_of_the_night,
        lambda _: "org#second",
        unreadable=BODIES,
        is_written_down=False,
        is_after_charges=True,
    ),
    "a check of VAT numbers": Kind(
        "LookupsQueue",
        _checks,
        lambda each: f"#{_body(each)['org_id']}",
        unreadable=BODIES,
        is_after_charges=True,
    ),
    "exchange rates": Kind(
        "LookupsQueue", _exchange_rates, lambda _: "exchange-rates", unreadable=BODIES
    ),
    "a mail": Kind("MailQueue", _mails, _of_document, unreadable=BODIES, lease=LEASE),
    "a bounce": Kind(
        "MailQueue",
        _bounces,
        lambda each: "#{org_id}#{account_id}#".format(
            **{name: value[0] for name, value in _body(each)["detail"]["mail"]["tags"].items()}
        ),
        unreadable=BODIES,
    ),
    "a sender of fiscal records": Kind(
        "FiscalRecordsQueue",
        _senders,
        lambda each: f"fiscal#{_body(each)['org_id']}",
        unreadable=BODIES,
        lease=BUSY_FOR,
    ),
    "the audits of the week": Kind(
        "AuditsQueue",
        _audits_of_the_week,
        lambda _: "lane#second",
        unreadable=BODIES,
        is_written_down=False,
    ),
    "an audit": Kind(
        "AuditsQueue",
        _audits,
        lambda each: f"number#{_body(each)['org_id']}#",
        unreadable=BODIES,
        is_written_down=False,
    ),
}


def test_there_is_a_message_of_every_source() -> None:
    assert {kind.queue for kind in KINDS.values()} == SOURCES.keys()
    assert {queue for queue, _ in SCHEDULES} <= SOURCES.keys()


# -------------------------------------------------------------------- how it is delivered


def _once(world: World, kind: Kind, messages: list[Json]) -> None:
    assert world.deliver(kind.source, messages) == []


def _twice(world: World, kind: Kind, messages: list[Json]) -> None:
    assert world.deliver(kind.source, messages) == []
    assert world.deliver(kind.source, messages) == []


def _shuffled(world: World, kind: Kind, messages: list[Json]) -> None:
    """In an order of their own, each when all that came of another one is done."""
    for each in random.Random(1).sample(messages[::-1], len(messages)):
        assert world.deliver(kind.source, [each]) == []
        world.drain()


def _half_failed(world: World, kind: Kind, messages: list[Json]) -> None:
    """Nothing comes through that is asked for every other message."""
    with failing(messages, kind, reset):
        again = world.deliver(kind.source, messages)
    assert again
    assert world.deliver(kind.source, again) == []


def _half_failed_though_done(world: World, kind: Kind, messages: list[Json]) -> None:
    """What is written for every other message is done, and nobody is told."""
    with failing(messages, kind, lose_the_answer, writes_only=True):
        again = world.deliver(kind.source, messages)
    assert again
    world.now += kind.lease
    assert world.deliver(kind.source, again) == []


def _redriven(world: World, kind: Kind, messages: list[Json]) -> None:
    """They end as dead letters, and an operator has them tried again."""
    world.die(kind.source, messages)
    letters = _letters(world, kind.source)
    count = letters.count()
    assert count > 0
    assert letters.replay() == (count, 0)
    assert letters.count() == 0
    world.drain()


def _letters(world: World, source: template.Source) -> dead_letters.Queue:
    dead = world.dead_letters(source)
    if source.type == "DynamoDB":
        [redo] = [redo for name, redo in dead_letters.STREAMS.items() if world.names[name] == dead]
        return dead_letters.StreamRecords(aws.sqs(), dead, redo)
    return dead_letters.Messages(aws.sqs(), dead, world.queue(source))


def _killed(world: World, kind: Kind, messages: list[Json]) -> None:
    """
    Its process ends before and after each call to AWS; each time all of them come again.

    So each time it gets one call further, from where the one before it left all.
    """
    kills = 0
    for nth, is_sent in ((nth, is_sent) for nth in count(1) for is_sent in (False, True)):
        with dying(nth, is_sent) as died:
            with suppress(Killed):
                assert world.deliver(kind.source, messages) == []
            if not died():
                break
        kills += 1
        world.now += kind.lease
        if kind.queue == "WebhooksQueue":
            world.now += SLOT_TIME * 1.1  # when the place of the one that died is free again
    assert kills > 3


WAYS = [_once, _twice, _shuffled, _half_failed, _half_failed_though_done, _redriven, _killed]
TELLS = {
    "announce_events",
    "deliver_webhooks",
    "lookups",
    "publish_events",
    "send_fiscal_records",
}
"""Functions that are killed here; those of billing runs are in test_billing_exactly_once.py."""


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("name", "way"),
    [
        pytest.param(name, way, id=f"{name}, {way.__name__.strip('_')}")
        for name, kind in KINDS.items()
        for way in WAYS
        if (kind.is_written_down or way is not _half_failed_though_done)
        and (kind.source.function in TELLS or way is not _killed)
    ],
)
def test_all_ends_the_same(name: str, way: Callable[[World, Kind, list[Json]], None]) -> None:
    _check_end(name, way)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["a run", "a batch"])
def test_in_lanes_all_ends_the_same(
    name: str, way: Callable[[World, Kind, list[Json]], None]
) -> None:
    _check_end(name, way, lanes=3)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", KINDS)
def test_late_all_ends_the_same(name: str) -> None:
    """They come when clients have gone on, and again when the next month is billed."""
    kind = KINDS[name]
    with new_world() as world:
        if kind.is_after_charges:
            world.charge("meanwhile")
        messages = kind.bring_about(world)
        if not kind.is_after_charges:
            world.charge("meanwhile")
        assert world.deliver(kind.source, messages) == []
        _go_on(world)
        assert world.deliver(kind.source, messages) == []
        world.drain()

        assert world.state() == _end(name, _go_on)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", KINDS)
def test_unreadable_ones_fail_alone(name: str, logged: list[str]) -> None:
    """But where the first must be out first, they keep back those behind them in their group."""
    kind = KINDS[name]
    with new_world() as world:
        world.charge("meanwhile")
        first, *others = kind.bring_about(world)
        poison = [_unreadable(first, each, place) for place, each in enumerate(kind.unreadable)]

        failed = world.failed(kind.source, [first, *poison, *others])

        assert sum('"level":"ERROR"' in line for line in logged) == len(poison)
        kept_back = [each for each in others if id_of(each) in failed]
        group = first.get("attributes", {}).get("MessageGroupId")
        assert kept_back == [
            each for each in others if group and each["attributes"]["MessageGroupId"] == group
        ]
        assert failed == {id_of(each) for each in [*poison, *kept_back]}
        assert world.deliver(kind.source, kept_back) == []
        world.drain()
        assert world.state() == _end(name)


@pytest.mark.usefixtures("aws")
def test_letters_of_which_nothing_can_be_made_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SOURCES["InvoicesTable to documents"]
    monkeypatch.setattr(dead_letters, "EMPTY_READS", 3)
    with new_world() as world:
        first, *_, last = map(id_of, _documents(world))
        bodies = [
            "no JSON",
            "null",
            "{}",
            world.letter(source, first, "0"),
            world.letter(source, "9" * 30, last),
        ]
        for body in bodies:
            aws.sqs().send_message(QueueUrl=world.dead_letters(source), MessageBody=body)
        letters = _letters(world, source)

        assert letters.replay() == (0, len(bodies))
        assert letters.count() == len(bodies)


@pytest.mark.usefixtures("aws")
def test_a_read_of_the_stream_that_answers_nothing_is_not_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Sparse:
        """Answers nothing, and something, in turn."""

        def __init__(self, service: Any) -> None:
            self._streams, self._reads = session.client(service), 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._streams, name)

        def get_records(self, **request: Any) -> Any:
            self._reads += 1
            if self._reads % 2:
                return {"Records": [], "NextShardIterator": request["ShardIterator"]}
            return self._streams.get_records(**{**request, "Limit": 1})

    session = boto3.Session()
    monkeypatch.setattr("billing_cli.dead_letters.boto3.client", Sparse)
    with new_world() as world:
        messages = _documents(world)
        world.die(SOURCES["InvoicesTable to documents"], messages)

        assert _letters(world, SOURCES["InvoicesTable to documents"]).replay() == (1, 0)
        assert len(world.state()["DocumentsBucket"]) == len(messages)


def _check_end(name: str, way: Callable[[World, Kind, list[Json]], None], lanes: int = 1) -> None:
    """Check that all ends as where messages are delivered once, whichever way they are."""
    kind = KINDS[name]
    with new_world(lanes) as world:
        world.charge("meanwhile")
        way(world, kind, kind.bring_about(world))
        world.drain()

        assert world.state() == _end(name, lanes=lanes)


@cache
def _end(name: str, go_on: Callable[[World], None] = World.drain, lanes: int = 1) -> Json:
    """Tell the state in which all ends where messages are delivered once."""
    kind = KINDS[name]
    with new_world(lanes) as world:
        world.charge("meanwhile")
        messages = kind.bring_about(world)
        assert len(messages) > 1
        _once(world, kind, messages)
        go_on(world)
        state = world.state()
        assert sum(map(audited, ACCOUNTS)) == len(state["DocumentsBucket"]) >= len(world.customers)
    for key, item in state["BillingRunsTable"].items():
        assert not key.endswith(" run") or item["accounts_done"] == item["accounts_total"]
    return state


def _go_on(world: World) -> None:
    """Let clients go on, and the next run bill what they did."""
    world.drain()
    world.charge("afterwards")
    world.issue("afterwards")
    world.now = datetime(2027, 1, 27, 12, tzinfo=UTC)
    world.start_runs(until="2027-01-27")
    world.drain()
    _send_scheduled(world, "RunsQueue")
    world.drain()  # the runs of that day, which find nothing more to bill
    _send_scheduled(world, "FiscalRecordsQueue")
    world.drain()


@contextmanager
def failing(
    messages: list[Json], kind: Kind, fault: Fault, *, writes_only: bool = False
) -> Iterator[None]:
    """Let all calls to AWS go wrong that are made for every other message."""
    marks = [kind.mark(each) for each in messages[::2]]

    def interfere(client: Any, request: Any) -> Any:
        what = request.headers.get("X-Amz-Target", b"").decode() or request.method
        if writes_only and not what.endswith(("TransactWriteItems", "PutItem", "PUT")):
            return None
        asked = request.url.replace("/", "#").encode() + (request.body or b"")
        return fault(client, request) if any(each.encode() in asked for each in marks) else None

    clients = (aws.dynamodb(), aws.s3(), aws.events())
    with pytest.MonkeyPatch.context() as patch, interfering(interfere, *clients):
        patch.setattr(time, "sleep", lambda _: None)  # between tries
        yield


def _unreadable(example: Json, content: Any, place: int) -> Json:
    """Make a message of which nothing can be read; only the first is in the example's group."""
    name = f"unreadable-{place}"
    if "body" not in example:
        return {**example, "dynamodb": {"Keys": content, "SequenceNumber": name}}
    attributes = example["attributes"]
    if place and "MessageGroupId" in attributes:
        attributes = {**attributes, "MessageGroupId": name}
    return {**example, "messageId": name, "body": content, "attributes": attributes}
