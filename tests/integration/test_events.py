"""The feed of events: every change has its event, once, in order, and nothing is missed."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing import aws, clock, config
from billing.domain.events import KEPT, Event, EventType
from billing.persistence.events import MAX_EVENTS, EventRepository
from tests.integration import feeds
from tests.integration.billing import Runs, charge, give_back
from tests.integration.conftest import EVENTS, Invoker

type Json = dict[str, Any]

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
ALL = {"accounts": "*"}


def event(org_id: str, number: int) -> Event:
    ids = {"account_id": "100001", "subscription_id": "s1", "movement_id": f"m{number}"}
    return Event(EventType.MOVEMENT_CREATED, org_id, ids, 1, NOW)


def told(events: list[Json]) -> list[str]:
    return [each["type"] for each in events]


# ---------------------------------------------------------------- every change has its event


def test_every_change_has_its_event_once(runs: Runs) -> None:
    invoke = runs.invoke
    movement = charge(invoke)
    kept = give_back(invoke, movement)
    withdrawn = give_back(invoke, movement)
    deleted = invoke("refunds_delete", movementId=movement, refundId=withdrawn)
    assert deleted.status == 204
    bill = runs.run(until="2026-12-01")
    assert bill["status"] == "completed"
    assert invoke("invoices_pay", {"amount": 1}, invoiceId=1).status == 201
    rest = {"amount": 107.9, "external_payment_unique_id": "the rest"}
    assert invoke("invoices_pay", rest, invoiceId=1).status == 201
    issued = invoke("invoices_create")
    assert issued.status == 201
    assert invoke("invoices_credit", invoiceId=issued.json["id"]).status == 201

    for _ in range(2):
        feeds.publish_all(invoke.org_id)

    events = feeds.read(invoke)
    assert sorted(told(events)) == sorted(
        [
            "account.changed",
            "movement.created",
            "refund.created",
            "refund.created",
            "refund.withdrawn",
            "refund.billed",
            "billing_run.finished",
            "invoice.issued",
            "payment.recorded",
            "invoice.partly_paid",
            "payment.recorded",
            "invoice.paid",
            "invoice.issued",
            "credit_note.issued",
        ]
    )
    known = {
        "org_id": invoke.org_id,
        "account_id": "100001",
        "subscription_id": "s1",
        "movement_id": movement,
    }
    by_type = {each["type"]: each["data"] for each in events}
    assert by_type["refund.billed"] == {
        **known,
        "subscription_id": by_type["movement.created"]["subscription_id"],
        "refund_id": kept,
        "version": 1,
    }
    assert by_type["refund.withdrawn"]["refund_id"] == withdrawn
    assert by_type["billing_run.finished"].keys() == {"org_id", "billing_run_id", "version"}
    assert by_type["invoice.paid"] == {
        "org_id": invoke.org_id,
        "account_id": "100001",
        "invoice_id": "1",
        "version": 3,
    }
    assert len({each["id"] for each in events}) == len(events)


def test_a_document_that_is_ready_and_an_account_that_failed(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke = runs.invoke
    issued = invoke("invoices_create")
    assert invoke("invoices_get_pdf", invoiceId=issued.json["id"]).status == 200

    def fail(*_: Any) -> None:
        raise ValueError

    charge(invoke)
    monkeypatch.setattr("billing.services.bill_accounts.draft_bill", fail)
    runs.run(until="2026-12-01")

    feeds.publish_all(invoke.org_id)

    types = told(feeds.read(invoke))
    assert types.index("invoice.issued") < types.index("invoice.document_ready")
    assert {"account.billing_failed", "billing_run.finished"} <= set(types)


def test_a_payment_that_is_reversed_is_told_of_with_its_invoice(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201
    paid = billed("invoices_pay")
    reversed_ = billed("invoices_reverse_payment", paymentId=paid.json["id"])
    assert (paid.status, reversed_.status) == (201, 201)

    feeds.publish_all(billed.org_id)

    of_invoice = [
        each for each in feeds.read(billed) if each["type"] in ("invoice.unpaid", "invoice.paid")
    ]
    [of_payment] = [each for each in feeds.read(billed) if each["type"] == "payment.reversed"]
    assert [each["data"]["version"] for each in of_invoice][-1] == 3
    assert told(of_invoice)[-1] == "invoice.unpaid"
    assert (of_payment["data"]["payment_id"], of_payment["data"]["version"]) == (
        paid.json["id"],
        2,
    )


def test_a_change_of_a_refund_has_a_version(billed: Invoker) -> None:
    movement = charge(billed)
    refund = give_back(billed, movement, external_refund_unique_id="theirs")
    changed = billed(
        "refunds_put",
        {"external_refund_unique_id": "theirs"},
        movementId=movement,
        refundId=refund,
    )
    assert changed.status == 204, changed

    feeds.publish_all(billed.org_id)

    versions = {
        each["type"]: each["data"]["version"]
        for each in feeds.read(billed)
        if each["type"].startswith("refund.")
    }
    assert versions == {"refund.created": 1, "refund.changed": 2}


def test_an_event_has_ids_and_nothing_personal(billed: Invoker) -> None:
    charge(billed)
    feeds.publish_all(billed.org_id)

    items = aws.dynamodb().query(
        TableName=config.events_table(),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"feed#{billed.org_id}"}},
    )["Items"]

    known = {"org_id", "account_id", "subscription_id", "movement_id", "version"}
    for item in items:
        if "event" in item:
            said = json.loads(item["event"]["S"])
            assert said.keys() == {"id", "type", "at", "published_at", "data"}
            assert said["data"].keys() <= known


# ---------------------------------------------------------------- however it is delivered


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(3))
def test_shuffled_repeated_and_in_parts_it_is_the_same_feed(billed: Invoker, seed: int) -> None:
    movements = [charge(billed) for _ in range(4)]
    for movement in movements:
        give_back(billed, movement)
    records = list(feeds.changes(billed.org_id))
    dice = random.Random(seed)

    mixed = dice.sample(records * 2, len(records) * 2)
    while mixed:
        part = [mixed.pop() for _ in range(min(len(mixed), dice.randrange(1, 5)))]
        assert feeds.publish(part) == []

    events = feeds.read(billed, limit=3)
    assert (
        sorted(told(events))
        == ["account.changed"] + ["movement.created"] * 4 + ["refund.created"] * 4
    )
    assert len({each["id"] for each in events}) == len(events)


def test_what_cannot_be_read_fails_alone(billed: Invoker, logged: list[str]) -> None:
    charge(billed)
    records = list(feeds.changes(billed.org_id))
    poison = {
        **records[0],
        "dynamodb": {
            **records[0]["dynamodb"],
            "SequenceNumber": "poison",
            "Keys": {"pk": {"S": f"subscription#{billed.org_id}#s1"}, "sk": {"S": "movement#x"}},
            "NewImage": {"record": {"S": "no JSON"}},
            "OldImage": {},
        },
    }

    assert feeds.publish([records[0], poison, *records[1:]]) == ["poison"]

    assert sorted(told(feeds.read(billed))) == ["account.changed", "movement.created"]
    assert len([line for line in logged if "not published" in line]) == 1


def test_many_at_once_have_positions_without_a_gap(invoke: Invoker) -> None:
    feed = EventRepository()
    numbers = list(range(40))

    def append(number: int) -> None:
        from billing import deadline
        from billing.domain.errors import ContentionError

        some = [event(invoke.org_id, number), event(invoke.org_id, (number + 1) % 40)]
        deadline.retry(lambda: feed.append(invoke.org_id, some, NOW), on=ContentionError)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, numbers))

    found = feed.list_from(invoke.org_id, 1, 100, NOW)
    assert [each.position for each in found] == list(range(1, 41))
    assert len({each.id for each in found}) == 40


def test_a_part_costs_one_read_and_one_write(invoke: Invoker, aws_calls: Any) -> None:
    feed = EventRepository()
    events = [event(invoke.org_id, number) for number in range(MAX_EVENTS)]
    aws_calls()

    feed.append(invoke.org_id, events, NOW)
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]
    feed.append(invoke.org_id, events, NOW)
    assert aws_calls() == ["BatchGetItem"]


# ---------------------------------------------------------------- order


def test_what_follows_waits_for_what_it_follows(billed: Invoker) -> None:
    issued = billed("invoices_create")
    assert billed("invoices_get_pdf", invoiceId=issued.json["id"]).status == 200
    records = list(feeds.changes(billed.org_id))
    ready = [each for each in records if each["dynamodb"]["Keys"]["sk"]["S"] == "pdf"]
    others = [each for each in records if each not in ready]

    early = feeds.publish(ready)
    assert early == [ready[0]["dynamodb"]["SequenceNumber"]]
    assert feeds.read(billed) == []
    assert feeds.publish([*others, *ready]) == []

    assert told(feeds.read(billed))[-1] == "invoice.document_ready"


def test_what_follows_waits_a_minute_and_no_longer(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = billed("invoices_create")
    assert billed("invoices_get_pdf", invoiceId=issued.json["id"]).status == 200
    records = list(feeds.changes(billed.org_id))
    ready = [each for each in records if each["dynamodb"]["Keys"]["sk"]["S"] == "pdf"]
    later = clock.now() + timedelta(seconds=70)
    monkeypatch.setattr("billing.clock.now", lambda: later)

    assert feeds.publish(ready) == []

    assert told(feeds.read(billed)) == ["invoice.document_ready"]


def test_what_stands_behind_a_failure_of_its_org_fails_too(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.domain.errors import UpstreamFailedError

    for _ in range(4):
        charge(billed)
    records = list(feeds.changes(billed.org_id))
    monkeypatch.setattr("functions.publish_events.app.MAX_EVENTS", 2)
    append = EventRepository.append
    parts: list[int] = []

    def second_fails(self: Any, org_id: str, events: Any, now: Any) -> None:
        parts.append(len(events))
        if len(parts) == 2:
            raise UpstreamFailedError
        append(self, org_id, events, now)

    monkeypatch.setattr(EventRepository, "append", second_fails)

    failed = feeds.publish(records)

    assert failed == [each["dynamodb"]["SequenceNumber"] for each in records[2:]]
    monkeypatch.undo()
    assert feeds.publish(records) == []
    assert len(feeds.read(billed)) == len(records)


# ---------------------------------------------------------------- reading it


def publish(org_id: str, count: int, now: datetime, first: int = 0) -> None:
    EventRepository().append(
        org_id, [event(org_id, first + number) for number in range(count)], now
    )


def test_pages_follow_each_other(invoke: Invoker) -> None:
    publish(invoke.org_id, 7, clock.now())

    events = feeds.read(invoke, limit=3)

    assert [each["data"]["movement_id"] for each in events] == [f"m{n}" for n in range(7)]
    assert events[0]["timestamp"] == "2026-11-21T10:00:00Z"


def test_an_empty_feed_has_a_place_to_go_on_from(invoke: Invoker) -> None:
    first = invoke("webhooks_list_events").json
    assert first["events"] == []
    publish(invoke.org_id, 1, clock.now())

    second = invoke("webhooks_list_events", query={"after": first["next_after"]}).json

    assert len(second["events"]) == 1


def test_a_gap_is_read_again(invoke: Invoker) -> None:
    """As if a transaction could be seen before the one that it followed."""
    publish(invoke.org_id, 5, clock.now())
    key = {"pk": {"S": f"feed#{invoke.org_id}"}, "sk": {"S": f"{3:012}"}}
    table = config.events_table()
    item: Any = aws.dynamodb().get_item(TableName=table, Key=key)["Item"]
    aws.dynamodb().delete_item(TableName=table, Key=key)

    page = invoke("webhooks_list_events").json
    assert len(page["events"]) == 2
    again = {"after": page["next_after"]}
    assert invoke("webhooks_list_events", query=again).json["events"] == []
    aws.dynamodb().put_item(TableName=table, Item=item)

    assert len(invoke("webhooks_list_events", query=again).json["events"]) == 3


def test_a_place_expires_with_the_events_behind_it(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock.now()
    publish(invoke.org_id, 3, began)
    place = {"after": invoke("webhooks_list_events", query={"limit": "1"}).json["next_after"]}

    monkeypatch.setattr("billing.clock.now", lambda: began + KEPT - timedelta(minutes=1))
    assert len(invoke("webhooks_list_events", query=place).json["events"]) == 2
    monkeypatch.setattr("billing.clock.now", lambda: began + KEPT + timedelta(minutes=1))
    expired = invoke("webhooks_list_events", query=place)

    assert (expired.status, expired.json["code"]) == (400, "EVENTS_EXPIRED")
    assert [each["field"] for each in expired.json["details"]] == ["after"]


def test_a_quiet_feed_does_not_expire_for_whoever_keeps_reading(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock.now()
    publish(invoke.org_id, 1, began)
    place = invoke("webhooks_list_events").json["next_after"]
    for days in (20, 40, 60):
        now = began + timedelta(days=days)
        monkeypatch.setattr("billing.clock.now", lambda now=now: now)
        page = invoke("webhooks_list_events", query={"after": place})
        assert (page.status, page.json["events"]) == (200, [])
        place = page.json["next_after"]
    publish(invoke.org_id, 1, now, first=1)

    page = invoke("webhooks_list_events", query={"after": place})

    assert len(page.json["events"]) == 1


def test_what_is_too_old_is_not_shown_while_it_is_there(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock.now()
    publish(invoke.org_id, 2, began - KEPT - timedelta(days=1))
    publish(invoke.org_id, 1, began, first=2)

    page = invoke("webhooks_list_events", query={"limit": "1"}).json

    assert [each["data"]["movement_id"] for each in page["events"]] == ["m2"]


@pytest.mark.parametrize("after", ["", "x", "AAAA", "MjAyNiAx"])
def test_an_after_that_was_not_given_out_is_refused(invoke: Invoker, after: str) -> None:
    answer = invoke("webhooks_list_events", query={"after": after})

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == ["after"]


def test_a_forged_place_is_refused(invoke: Invoker) -> None:
    from billing.api import cursors

    forged = cursors.encode("no place", invoke.org_id, "events")

    assert invoke("webhooks_list_events", query={"after": forged}).status == 400


def test_the_place_of_another_org_is_refused(invoke: Invoker) -> None:
    other = Invoker("another").__call__("webhooks_list_events").json["next_after"]

    assert invoke("webhooks_list_events", query={"after": other}).status == 400


def test_it_takes_a_token_of_all_accounts(invoke: Invoker) -> None:
    answer = invoke("webhooks_list_events", caller={"accounts": "100001"})

    assert answer.status == 403


def test_an_event_is_gone_after_a_month(invoke: Invoker) -> None:
    publish(invoke.org_id, 1, NOW)

    items = aws.dynamodb().query(
        TableName=config.events_table(),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"feed#{invoke.org_id}"}},
    )["Items"]

    times = [item.get("expires_at", {}).get("N") for item in items]
    assert times == [str(int((NOW + KEPT + timedelta(days=1)).timestamp())), None]


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("publish_events_accounts", "account.changed"),
        ("publish_events_billing_runs", "billing_run.finished"),
        ("publish_events_invoices", "invoice.issued"),
        ("publish_events_movements", "movement.created"),
        ("publish_events_refunds", "refund.created"),
        ("publish_events_webhooks", "webhook_endpoint.disabled"),
    ],
)
def test_publishes_what_the_event_is_about(invoke: Invoker, name: str, type_: str) -> None:
    text = (EVENTS / f"{name}.json").read_text().replace("demo", invoke.org_id)

    assert feeds.publish(json.loads(text)["Records"]) == []

    [event] = feeds.read(invoke)
    assert (event["type"], event["timestamp"]) == (type_, "2026-11-21T10:00:00Z")
