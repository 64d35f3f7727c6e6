"""What each change of an item means: its event, or none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.domain.events import Event, EventType, event_id, settlement_event
from billing.domain.money import Money
from billing.domain.verifactu import FiscalEnd, Link, RecordState, chained
from billing.persistence.fiscal_items import record_attributes
from billing.persistence.item_events import BilledCycle, meaning_of, to_change
from local.stack import ROOT
from tests.integration.fiscal import SETTING, declaration

type Json = dict[str, Any]

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
PDF = {"object_key": {"S": "acme/1/1/F2026-000001.pdf"}, "sha256": {"S": "00"}}
PAYMENT = {"amount": {"N": "100"}, "currency": {"S": "EUR"}}
MOVEMENT = {
    "record": {"S": json.dumps({"account_id": "1", "subscription_id": "s1", "id": "m1"})},
    "refunded": {"N": "0"},
}


def head(paid: int = 0, credited: int = 0, settlements: int = 0, kind: str = "INVOICE") -> Json:
    text = json.dumps({"kind": kind, "currency": "EUR", "gross": 12100})
    return {
        "head": {"S": text},
        "paid": {"N": str(paid)},
        "credited": {"N": str(credited)},
        **({"settlements": {"N": str(settlements)}} if settlements else {}),
    }


def run(listed: bool, done: int) -> Json:
    counters = ("batches", "sent", "batches_done", "invoices_issued")
    return {
        **{name: {"N": "0"} for name in counters},
        "until": {"S": "2026-12-01"},
        "created_at": {"S": "2026-12-01T03:00:00Z"},
        "is_listed": {"BOOL": listed},
        "accounts_total": {"N": "2"},
        "accounts_done": {"N": str(done)},
    }


def drawn(pk: str, sk: str, before: Json | None, after: Json | None) -> list[Event] | BilledCycle:
    images = {"OldImage": before, "NewImage": after}
    return meaning_of(
        to_change(
            {
                "dynamodb": {
                    "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
                    "ApproximateCreationDateTime": AT.timestamp(),
                    **{name: image for name, image in images.items() if image is not None},
                }
            }
        )
    )


def fiscal(state: str) -> Json:
    """Return the item of a number with a fiscal record, the third of its chain."""
    end = FiscalEnd(2, Link("F2026-000006", AT.date(), "0" * 64), AT.isoformat(), "1-acme")
    said = declaration("F2026-000007", AT.date())
    record = chained(said, end, SETTING, AT, "Europe/Madrid")
    return {
        "account_id": {"S": "1"},
        "ordinal_of_account": {"N": "7"},
        **record_attributes("acme", record, RecordState(state)),
    }


CHARGE = {"account_id": "1", "subscription_id": "s1", "movement_id": "m1"}
HEAD = "account#acme#1", "invoice#0000000007"
DOCUMENT = {"account_id": "1", "invoice_id": "7"}


@pytest.mark.parametrize(
    ("key", "before", "after", "type_", "ids", "version"),
    [
        (HEAD, None, head(), "invoice.issued", DOCUMENT, 1),
        (HEAD, None, head(kind="CREDIT_NOTE"), "credit_note.issued", DOCUMENT, 1),
        (HEAD, head(), head(100, 0, 1), "invoice.partly_paid", DOCUMENT, 2),
        (HEAD, head(), head(12100, 0, 1), "invoice.paid", DOCUMENT, 2),
        (HEAD, head(100, 0, 1), head(100, 12000, 2), "invoice.paid", DOCUMENT, 3),
        (HEAD, head(12100, 0, 1), head(0, 0, 2), "invoice.unpaid", DOCUMENT, 3),
        (HEAD, head(12100, 0, 2), head(100, 0, 3), "invoice.partly_paid", DOCUMENT, 4),
        (("invoice#acme#1#7", "pdf"), None, PDF, "invoice.document_ready", DOCUMENT, 1),
        (
            ("invoice#acme#1#7", "payment#p1"), None, PAYMENT,
            "payment.recorded", {**DOCUMENT, "payment_id": "p1"}, 1,
        ),
        (
            ("invoice#acme#1#7", "payment#p1"), PAYMENT, {**PAYMENT, "reversal": {"S": "{}"}},
            "payment.reversed", {**DOCUMENT, "payment_id": "p1"}, 2,
        ),
        (
            ("subscription#acme#s1", "movement#m1"), None, MOVEMENT,
            "movement.created", CHARGE, 1,
        ),
        (
            ("subscription#acme#s1", "movement#m1"), MOVEMENT, None,
            "movement.deleted", CHARGE, 1,
        ),
        (
            ("account#acme#1", "profile"), None, {"version": {"N": "1"}},
            "account.changed", {"account_id": "1"}, 1,
        ),
        (
            ("account#acme#1", "profile"), {"version": {"N": "4"}}, {"version": {"N": "5"}},
            "account.changed", {"account_id": "1"}, 5,
        ),
        (
            ("number#acme#F2026", "0000000007"), fiscal("pending"), fiscal("accepted"),
            "verifactu.accepted", DOCUMENT, 3,
        ),
        (
            ("fiscal#acme", "0000000003"), fiscal("pending"), fiscal("accepted_with_errors"),
            "verifactu.accepted", DOCUMENT, 3,
        ),
        (
            ("number#acme#F2026", "0000000007"), fiscal("pending"), fiscal("rejected"),
            "verifactu.rejected", DOCUMENT, 3,
        ),
        (
            ("run#acme#r1", "failure#1"), None, {"code": {"S": "TOO_LARGE"}},
            "account.billing_failed", {"account_id": "1", "billing_run_id": "r1"}, 1,
        ),
        (
            ("run#acme#r1", "run"), run(True, 1), run(True, 2),
            "billing_run.finished", {"billing_run_id": "r1"}, 1,
        ),
        (
            ("run#acme#r1", "run"), run(False, 2), run(True, 2),
            "billing_run.finished", {"billing_run_id": "r1"}, 1,
        ),
    ],
)  # fmt: skip
def test_a_change_has_its_event(
    key: tuple[str, str], before: Json, after: Json, type_: str, ids: Json, version: int
) -> None:
    assert drawn(*key, before, after) == [Event(EventType(type_), "acme", ids, version, AT)]


@pytest.mark.parametrize(
    ("key", "before", "after"),
    [
        pytest.param(
            ("number#acme#F2026", "0000000007"), None, fiscal("pending"), id="a record to be sent"
        ),
        pytest.param(
            ("number#acme#F2026", "0000000007"),
            fiscal("rejected"),
            fiscal("rejected") | {"fiscal_amendments": {"S": "[4]"}},
            id="a record that was corrected",
        ),
        pytest.param(("number#acme#F2026", "0000000007"), None, {}, id="a number without one"),
        pytest.param(("fiscal#acme", "sending"), None, {}, id="how far the sending is"),
        pytest.param(HEAD, head(), head(0, 12100, 1), id="credited, as the credit note tells"),
        pytest.param(HEAD, head(12100), head(12100, 12100, 2), id="credited when it was paid"),
        pytest.param(HEAD, head(), {**head(), "erased_at": {"S": "…"}}, id="erased"),
        pytest.param(("invoice#acme#1#7", "pdf"), PDF, None, id="its PDF erased"),
        pytest.param(("invoice#acme#1#7", "pdf"), PDF, PDF | {"sha256": {"S": "1"}}, id="PDF"),
        pytest.param(("invoice#acme#1#7", "document"), None, {}, id="its record"),
        pytest.param(
            ("subscription#acme#s1", "movement#m1"),
            MOVEMENT,
            {**MOVEMENT, "refunded": {"N": "5"}},
            id="something of a movement was refunded",
        ),
        pytest.param(("subscription#acme#s1", "account"), None, {}, id="a subscription"),
        pytest.param(("cycle#acme#1#2026-12-01", "movement#s1#m1"), None, MOVEMENT, id="a copy"),
        pytest.param(("org#acme", "profile"), None, {"version": {"N": "1"}}, id="the org's own"),
        pytest.param(("account#acme#1", "cycle"), None, {"ends_on": {"S": "…"}}, id="a cycle"),
        pytest.param(("account#acme#1", "cycle#2026-12-01"), None, {}, id="a closed cycle"),
        pytest.param(("run#acme#r1", "run"), None, run(False, 0), id="a run begins"),
        pytest.param(("run#acme#r1", "run"), run(True, 2), run(True, 2), id="a run is finished"),
        pytest.param(("run#acme#r1", "failure#1"), {}, None, id="a failure goes after its time"),
        pytest.param(("external#acme#movement#m", "external"), None, {}, id="an external id"),
    ],
)
def test_other_changes_have_none(key: tuple[str, str], before: Json, after: Json) -> None:
    assert drawn(*key, before, after) == []


def test_a_billed_cycle_bills_its_refunds() -> None:
    documents = {"documents": {"S": "{}"}}

    meaning = drawn("account#acme#1", "cycle#2026-12-01", {"ends_on": {"S": "…"}}, documents)

    assert isinstance(meaning, BilledCycle)
    assert (meaning.org_id, meaning.account_id, str(meaning.ends_on)) == ("acme", "1", "2026-12-01")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, "pending", []),
        ("pending", "pending", []),
        ("pending", "failed", []),
        ("pending", "sent", [("email.sent", 1)]),
        ("sent", "sent", []),
        ("sent", "bounced", [("email.bounced", 2)]),
        ("bounced", "complained", [("email.bounced", 3)]),
        ("pending", "bounced", [("email.sent", 1), ("email.bounced", 2)]),
        ("pending", "complained", [("email.sent", 1), ("email.bounced", 3)]),
        ("sent", None, []),
    ],
)
def test_a_mail_is_told_of_when_it_is_sent_and_when_it_comes_back(
    before: str | None, after: str | None, told: list[tuple[str, int]]
) -> None:
    def item(status: str | None) -> Json | None:
        return {"mail_status": {"S": status}} if status else None

    events = drawn("invoice#acme#1#7", "mail#m1", item(before), item(after))

    assert isinstance(events, list)
    assert [(each.type, each.version) for each in events] == told
    assert all(each.ids == {**DOCUMENT, "delivery_id": "m1"} for each in events)


def test_ids_of_events_differ_by_all_they_are_about() -> None:
    ids = {
        event_id(type_, org, {"account_id": account}, version)
        for type_ in EventType
        for org in ("a", "b")
        for account in ("1", "2")
        for version in (1, 2)
    }

    assert len(ids) == len(EventType) * 8


def test_a_settlement_never_pays_what_does_not_remain() -> None:
    def of(paid: int, credited: int) -> tuple[Money, Money]:
        return Money(paid, "EUR"), Money(credited, "EUR")

    gross = Money(100, "EUR")

    assert settlement_event(gross, of(0, 0), of(0, 0)) is None
    assert settlement_event(gross, of(0, 100), of(0, 100)) is None
    assert settlement_event(gross, of(50, 50), of(0, 50)) is EventType.INVOICE_UNPAID


def test_the_page_has_every_type_and_an_example_of_each() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    examples = [json.loads(line) for line in page.splitlines() if line.startswith('{"id"')]

    assert [each["type"] for each in examples] == list(EventType)
    assert all(f"`{each}`" in page for each in EventType)
    for example in examples:
        data = dict(example["data"])
        org_id, version = data.pop("org_id"), data.pop("version")
        assert example["id"] == event_id(EventType(example["type"]), org_id, data, version)
