"""Invoices and payments as v1 reads them."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing import aws, clock, config
from billing.api import cursors
from billing.domain.invoices import InvoiceKey
from billing.domain.periods import local_date
from billing.persistence.dynamodb import key_of
from billing.persistence.invoice_items import summary_key, unpaid_key
from billing.persistence.lanes import behind, lane_of, list_org_wide
from tests.integration.billing import have_lanes
from tests.integration.callers import TOKEN_ID
from tests.integration.conftest import Answer, Invoker

pytestmark = pytest.mark.moto

EVERYWHERE = {"accounts": "*"}

type Json = dict[str, Any]


def test_gives_an_invoice_whole(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201
    payment_id = billed("invoices_pay").json["id"]
    [listed] = billed("invoices_list").json
    [details] = billed("invoices_get").json
    profile = billed("billing_info_get_account").json

    answer = billed("invoices_get_whole")

    assert answer.status == 200
    assert answer.json == {
        "id": "1",
        "account_id": "100001",
        "number": listed["invoiceNumber"],
        "kind": "INVOICE",
        "status": "partly_paid",
        "description": "Fibra 600 Mb, noviembre",
        "issued_at": answer.json["issued_at"],
        "issue_date": details["creationDate"],
        "due_date": details["dueDate"],
        "currency": "EUR",
        "net": 46.67,
        "tax": 9.8,
        "gross": 56.47,
        "paid": 20,
        "credited": 0,
        "remaining": 36.47,
        "lines": [
            {
                "description": "Fibra 600 Mb",
                "quantity": 1,
                "unit_price": 30.5,
                "setup_costs": 10,
                "net": 40.5,
                "tax": {"type": "IVA", "percentage": 21},
                "period_start": "2026-11-01",
                "period_end": "2026-11-30",
                "order_id": "1001",
                "remarks": None,
                "subscription_id": None,
                "movement_id": None,
            },
            {
                "description": "Llamadas a móviles",
                "quantity": 50,
                "unit_price": 0.1234,
                "setup_costs": 0,
                "net": 6.17,
                "tax": {"type": "IVA", "percentage": 21},
                "period_start": None,
                "period_end": None,
                "order_id": None,
                "remarks": "50 llamadas",
                "subscription_id": None,
                "movement_id": None,
            },
        ],
        "taxes": [{"type": "IVA", "percentage": 21, "category": "S", "net": 46.67, "amount": 9.8}],
        "period": profile["current_period"],
        "payments": [
            {
                "id": payment_id,
                "amount": 20,
                "currency": "EUR",
                "paid_datetime": "2026-11-20T11:00:00Z",
                "method": "transfer",
            }
        ],
        "corrected_by": [],
        "buyer": {
            "name": "Ana Pérez Ejemplo",
            "company_name": None,
            "tax_id": "12345678Z",
            "email": "ana@example.com",
            "address": profile["address"],
            "iban": None,
            "bic": None,
            "buyer_reference": "ES23 1234",
            "electronic_address": None,
        },
        "seller": {
            "legal_name": "Telco Ejemplo S.A.",
            "tax_id": "A58818501",
            "address": billed("billing_info_get_org").json["address"],
            "phone": "+34 910 000 000",
            "email": "facturas@telco.example",
            "url": "https://telco.example",
            "iban": "ES9121000418450200051332",
            "bic": "CAIXESBBXXX",
            "electronic_address": None,
        },
        "hash": listed["invoiceHash"],
        "previous_hash": "",
    }


def test_a_credit_note_and_its_invoice_name_each_other(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201
    _credit(billed, "part", [{"line": 1, "amount_without_taxes": 40.5}])
    partly = billed("invoices_get_whole").json
    _credit(billed, "rest")

    invoice, *notes = (billed("invoices_get_whole", invoiceId=each).json for each in (1, 2, 3))

    assert (partly["status"], partly["credited"], partly["remaining"]) == ("unpaid", 49.01, 7.46)
    assert (invoice["status"], invoice["credited"], invoice["remaining"]) == ("credited", 56.47, 0)
    assert invoice["corrected_by"] == [
        {"id": each["id"], "number": each["number"]} for each in notes
    ]
    assert "corrects" not in invoice
    for note in notes:
        assert (note["kind"], note["status"]) == ("CREDIT_NOTE", "paid")
        assert note["corrects"] == {
            "id": "1", "number": invoice["number"], "issue_date": invoice["issue_date"],
        }  # fmt: skip
        assert note["corrected_by"] == []
    assert [note["gross"] for note in notes] == [-49.01, -7.46]
    assert [each["previous_hash"] for each in notes] == [invoice["hash"], notes[0]["hash"]]


def test_an_invoice_names_its_newest_credit_notes(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.domain.credit_notes.MAX_CORRECTIONS", 2)
    assert billed("invoices_create").status == 201
    for number in range(3):
        line = {"line": 1, "amount_without_taxes": 1}
        _credit(billed, str(number), [line])

    named = billed("invoices_get_whole").json["corrected_by"]

    assert [each["id"] for each in named] == ["3", "4"]


@pytest.mark.parametrize("days", [-1, 0])
def test_is_overdue_the_day_after_it_was_due(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    assert billed("invoices_create").status == 201
    due = date.fromisoformat(billed("invoices_get_whole").json["due_date"])
    late = clock.now() + (due - clock.now().date()) + timedelta(days=1 + days)
    monkeypatch.setattr("billing.clock.now", lambda: late.replace(hour=12))

    invoice = billed("invoices_get_whole").json

    assert invoice["status"] == ("overdue" if days == 0 else "unpaid")


def test_an_invoice_of_release_1_0_0_has_its_place_in_the_chain(
    billed: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    for number in range(2):
        assert billed("invoices_create", {"external_invoice_unique_id": str(number)}).status == 201
    first = billed("invoices_get_whole")
    second = billed("invoices_get_whole", invoiceId=2)
    aws.dynamodb().update_item(
        TableName=config.invoices_table(),
        Key=key_of(summary_key(InvoiceKey(billed.org_id, "100001", 2))),
        UpdateExpression="REMOVE #before",
        ExpressionAttributeNames={"#before": "before"},
    )
    aws_calls()

    again = billed("invoices_get_whole", invoiceId=2)

    assert again.text == second.text
    assert again.json["previous_hash"] == first.json["hash"]
    assert aws_calls() == ["BatchGetItem"] * 2


# ---------------------------------------------------------------- payments


def test_a_payment_is_found_where_its_location_says(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201
    created = billed("invoices_pay", {"method": None})

    payment = billed("invoices_get_payment", paymentId=created.json["id"])

    assert created.headers["location"] == (
        f"/v1/orgs/{billed.org_id}/accounts/100001/invoices/1/payments/{payment.json['id']}"
    )
    assert payment.json == {
        "id": created.json["id"],
        "amount": 20,
        "currency": "EUR",
        "paid_datetime": "2026-11-20T11:00:00Z",
        "method": None,
    }


def test_a_reversed_payment_is_shown_as_such(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201
    payment_id = _pay(billed, 1)
    reversal = billed("invoices_reverse_payment", paymentId=payment_id)
    assert reversal.status == 201
    sent = json.loads(billed.event("invoices_reverse_payment")["body"])

    whole = billed("invoices_get_whole").json
    payment = billed("invoices_get_payment", paymentId=payment_id).json

    assert (whole["status"], whole["paid"], whole["remaining"]) == ("unpaid", 0, 56.47)
    assert whole["payments"] == _payments(billed, 1).json["payments"] == [payment]
    assert payment["reversal"]["reason"] == sent["reason"]
    assert payment["reversal"].keys() == {"reason", "reversed_datetime"}


def test_lists_payments_page_by_page_newest_first(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert billed("invoices_create").status == 201
    ids = [_pay(billed, number) for number in range(5)]

    pages: list[list[str]] = []
    cursor = None
    while cursor or not pages:
        answer = _payments(billed, 2, cursor).json
        pages.append([each["id"] for each in answer["payments"]])
        cursor = answer["next_cursor"]
    monkeypatch.setattr("billing.services.read_invoice.MAX_PAYMENTS", 3)

    assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    shown = billed("invoices_get_whole").json["payments"]
    assert [each["id"] for each in shown] == ids[:1:-1]
    assert [each["amount"] for each in shown] == [5, 4, 3]


def test_a_cursor_of_another_list_or_caller_is_refused(billed: Invoker) -> None:
    for number in range(2):
        assert billed("invoices_create", {"external_invoice_unique_id": str(number)}).status == 201
    for number in range(2):
        _pay(billed, number)
    cursor = _payments(billed, 1).json["next_cursor"]

    others = [
        _payments(billed, 1, cursor, invoiceId=2),
        _payments(billed, 1, cursor, caller={"token_id": "0" * 32}),
        _payments(billed, 1, cursor[:-1]),
        billed("billing_info_list_subscriptions", query={"cursor": cursor}),
    ]

    assert _payments(billed, 1, cursor).status == 200
    assert [each.status for each in others] == [400] * 4
    assert {each.json["details"][0]["field"] for each in others} == {"cursor"}


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ("invoices_get_whole", {"invoiceId": "2"}),
        ("invoices_get_whole", {"invoiceId": "x"}),
        ("invoices_get_whole", {"accountId": "100002"}),
        ("invoices_list_payments", {"invoiceId": "2"}),
        ("invoices_list_payments", {"invoiceId": "x"}),
        ("invoices_get_payment", {"paymentId": "unknown"}),
        ("invoices_get_payment", {"invoiceId": "2"}),
    ],
)
def test_what_is_not_there_is_not_found(billed: Invoker, event: str, path: dict[str, str]) -> None:
    assert billed("invoices_create").status == 201
    payment_id = _pay(billed, 1)

    named: Any = {"paymentId": payment_id, **path}
    answer = billed(event, caller={"accounts": "*"}, **named)

    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")


def test_an_invoice_without_payments_lists_none(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201

    assert _payments(billed, 1).json == {"payments": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        pytest.param("invoices_get_whole", ["BatchGetItem"], id="whole"),
        pytest.param("invoices_list_payments", ["Query"], id="payments"),
        pytest.param("invoices_get_payment", ["GetItem"], id="payment"),
    ],
)
def test_costs_no_more_calls_than_promised(
    billed: Invoker, aws_calls: Callable[[], list[str]], event: str, calls: list[str]
) -> None:
    assert billed("invoices_create").status == 201
    payment_id = "unknown"
    if event != "invoices_get_whole":
        payment_id = _pay(billed, 1)
    aws_calls()

    assert billed(event, paymentId=payment_id).status == 200
    assert aws_calls() == calls

    _pay(billed, 2)
    aws_calls()
    assert billed("invoices_get_whole").status == 200
    assert aws_calls() == ["BatchGetItem", "Query"]


# ---------------------------------------------------------------- lists


def test_lists_an_account_s_invoices_newest_first(billed: Invoker) -> None:
    _issue(billed, 5)
    _credit(billed, "whole")
    _pay(billed, 1, invoiceId=3)

    pages = _pages(billed, "invoices_list_of_account", limit=2)
    unpaid = _pages(billed, "invoices_list_of_account", limit=2, status="unpaid")

    assert [[each["id"] for each in page] for page in pages] == [["6", "5"], ["4", "3"], ["2", "1"]]
    assert [[each["id"] for each in page] for page in unpaid] == [["5", "4"], ["3", "2"]]
    listed = {each["id"]: each for page in pages for each in page}
    for number, each in listed.items():
        whole = billed("invoices_get_whole", invoiceId=number).json
        assert each == {name: whole[name] for name in each}
    assert [listed[each]["status"] for each in "1356"] == [
        "credited", "partly_paid", "unpaid", "paid",
    ]  # fmt: skip


def test_lists_what_is_owed_to_an_org_the_earliest_due_date_first(org: Invoker) -> None:
    terms = {"100001": [9, 3, 5], "100002": [4, 6, 2]}
    for account_id, days in terms.items():
        for number, more in enumerate(days):
            _issue(org, 1, account_id, due_date=_day(more), prefix=f"{account_id}-{number}-")
    _pay_whole(org, "100001", 3)
    _credit(org, "c", caller=EVERYWHERE, accountId="100002", invoiceId=2)

    pages = _pages(org, "invoices_list_of_org", limit=3)

    assert [len(page) for page in pages] == [3, 1]
    listed = [(each["account_id"], each["id"]) for page in pages for each in page]
    assert listed == [("100002", "3"), ("100001", "2"), ("100002", "1"), ("100001", "1")]


def test_lists_what_is_overdue_by_the_day_of_each_invoice(
    org: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for more in (3, 1, 2):
        _issue(org, 1, due_date=_day(more), prefix=f"{more}-")
    noon = datetime.combine(date.fromisoformat(_day(3)), time(12), UTC)
    midnight = datetime.combine(date.fromisoformat(_day(4)), time(), ZoneInfo("Europe/Madrid"))

    def listed(now: datetime, status: str) -> list[tuple[str, str]]:
        monkeypatch.setattr("billing.clock.now", lambda: now)
        [page] = _pages(org, "invoices_list_of_org", limit=10, status=status)
        return [(each["id"], each["status"]) for each in page]

    assert listed(noon, "overdue") == [("2", "overdue"), ("3", "overdue")]
    assert listed(noon, "unpaid") == [("2", "overdue"), ("3", "overdue"), ("1", "unpaid")]
    assert len(listed(midnight - timedelta(microseconds=1), "overdue")) == 2
    assert len(listed(midnight, "overdue")) == 3
    assert listed(noon - timedelta(days=3), "overdue") == []


def test_pages_of_what_is_overdue_follow_each_other(
    org: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    _issue(org, 5, due_date=_day(0))
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr("billing.clock.now", lambda: later)

    pages = _pages(org, "invoices_list_of_org", limit=2, status="overdue")

    assert [[each["id"] for each in page] for page in pages] == [["1", "2"], ["3", "4"], ["5"]]


def test_a_reversed_payment_brings_an_invoice_back_into_the_list(org: Invoker) -> None:
    _issue(org, 1)
    payment_id = _pay_whole(org, "100001", 1)
    assert _pages(org, "invoices_list_of_org", limit=2) == [[]]

    assert org("invoices_reverse_payment", paymentId=payment_id).status == 201

    [[invoice]] = _pages(org, "invoices_list_of_org", limit=2)
    assert (invoice["id"], invoice["remaining"]) == ("1", invoice["gross"])


def test_the_lanes_that_an_org_ever_had_are_merged(org: Invoker) -> None:
    have_lanes(org, 3)
    have_lanes(org, 1)
    for more in range(6):
        _issue(org, 1, due_date=_day(more), prefix=f"{more}-")
    for ordinal in (1, 4, 5):
        _move_to_lane(org, ordinal, "B")

    pages = _pages(org, "invoices_list_of_org", limit=4)

    assert [[each["id"] for each in page] for page in pages] == [["1", "2", "3", "4"], ["5", "6"]]


def test_what_the_index_has_not_seen_paid_is_left_out(
    org: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    _issue(org, 3)
    table = config.invoices_table()
    lagging = list_org_wide(table, "owed", org.org_id, 1, "due", behind(""), "~", 10)
    _pay_whole(org, "100001", 2)
    monkeypatch.setattr(
        "billing.persistence.invoices.list_org_wide", lambda *asked: lagging[: asked[-1]]
    )

    [first, last] = (
        org("invoices_list_of_org", query={"limit": limit}).json for limit in ("2", "3")
    )

    assert [each["id"] for each in first["invoices"]] == ["1"]
    assert first["next_cursor"]
    assert [each["id"] for each in last["invoices"]] == ["1", "3"]


def test_an_invoice_is_read_by_its_number(org: Invoker, aws_calls: Callable[[], list[str]]) -> None:
    _issue(org, 2, "100002")
    whole = org("invoices_get_whole", caller=EVERYWHERE, accountId="100002", invoiceId=2)
    number = whole.json["number"]
    aws_calls()

    found = org("invoices_get_whole_by_number", caller=EVERYWHERE, invoiceNumber=number)

    assert found.text == whole.text
    assert aws_calls() == ["GetItem", "BatchGetItem"]
    others = [
        org("invoices_get_whole_by_number", invoiceNumber=number),
        org("invoices_get_whole_by_number", invoiceNumber="F1999-000001", caller=EVERYWHERE),
        org("invoices_get_whole_by_number", invoiceNumber="nonsense", caller=EVERYWHERE),
    ]
    assert [(each.status, each.json["code"]) for each in others] == [(404, "NOT_FOUND")] * 3
    assert len({each.text for each in others}) == 1


@pytest.mark.parametrize(
    "query",
    [{"status": "paid"}, {"status": ""}, {"limit": "0"}, {"limit": "101"}, {"limit": "x"}],
)
@pytest.mark.parametrize("event", ["invoices_list_of_account", "invoices_list_of_org"])
def test_a_malformed_query_is_refused(org: Invoker, event: str, query: dict[str, str]) -> None:
    answer = org(event, query=query)

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == list(query)


def test_a_list_of_invoices_takes_its_own_cursors_only(org: Invoker) -> None:
    _issue(org, 3)

    def cursor(event: str, **query: str) -> str:
        return str(org(event, query={"limit": "1", **query}).json["next_cursor"])

    def status(event: str, cursor: str, *, caller: Json | None = None, **query: str) -> int:
        return org(event, query={**query, "cursor": cursor}, caller=caller).status

    account, of_org = "invoices_list_of_account", "invoices_list_of_org"
    of_all, of_unpaid, owed = cursor(account), cursor(account, status="unpaid"), cursor(of_org)
    forged = cursors.encode("x", TOKEN_ID, org.org_id, "100001", "invoices", "None")

    assert [status(account, of_all), status(account, of_unpaid, status="unpaid")] == [200, 200]
    assert status(of_org, owed) == 200
    assert {
        status(account, of_unpaid),
        status(account, of_all, status="unpaid"),
        status(account, owed),
        status(account, of_all, caller={"token_id": "0" * 32}),
        status(account, of_all + "A"),
        status(account, forged),
        status(of_org, of_all),
        status(of_org, owed, status="overdue"),
    } == {400}


def test_a_list_of_an_unknown_account_is_not_found(org: Invoker) -> None:
    unknown = org("invoices_list_of_account", accountId="100003", caller=EVERYWHERE)
    empty = org("invoices_list_of_account", accountId="100002", caller=EVERYWHERE)

    assert (unknown.status, empty.json) == (404, {"invoices": [], "next_cursor": None})


@pytest.mark.parametrize(
    ("event", "query", "calls"),
    [
        ("invoices_list_of_account", {}, ["Query"]),
        ("invoices_list_of_account", {"status": "unpaid"}, ["Query", "BatchGetItem"]),
        ("invoices_list_of_org", {"status": "unpaid"}, ["GetItem", "Query", "BatchGetItem"]),
        ("invoices_list_of_org", {"status": "overdue"}, ["GetItem", "Query", "BatchGetItem"]),
    ],
)
def test_a_page_costs_its_rows_at_any_depth(
    org: Invoker,
    monkeypatch: pytest.MonkeyPatch,
    aws_calls: Callable[[], list[str]],
    event: str,
    query: dict[str, str],
    calls: list[str],
) -> None:
    _issue(org, 7, due_date=_day(0))
    later = clock.now() + timedelta(days=2)
    monkeypatch.setattr("billing.clock.now", lambda: later)
    read: list[int] = []

    def count(parsed: Json, **_: Any) -> None:
        read.append(parsed.get("ScannedCount", 0))

    aws.dynamodb().meta.events.register("after-call.dynamodb.Query", count, unique_id="rows")
    cursor, pages = None, 0
    while cursor or not pages:
        aws_calls()
        asked = {**query, "limit": "2", **({"cursor": cursor} if cursor else {})}
        cursor, pages = org(event, query=asked).json["next_cursor"], pages + 1
        assert aws_calls() == calls
    aws.dynamodb().meta.events.unregister("after-call.dynamodb.Query", unique_id="rows")

    assert read == [3, 3, 3, 1]


# ---------------------------------------------------------------- inside


@pytest.fixture
def org(billed: Invoker) -> Invoker:
    """Call functions in the name of an org with two accounts."""
    answer = billed("billing_info_put_account", caller=EVERYWHERE, accountId="100002")
    assert answer.status == 204
    return billed


def _issue(
    invoke: Invoker, count: int, account_id: str = "100001", prefix: str = "", **body: Any
) -> None:
    for number in range(count):
        sent = {"external_invoice_unique_id": f"{prefix}{account_id}-{number}", **body}
        answer = invoke("invoices_create", sent, caller=EVERYWHERE, accountId=account_id)
        assert answer.status == 201, answer


def _day(more: int) -> str:
    """Return the day that many days after today, in the time zone of the org."""
    return (local_date(clock.now(), "Europe/Madrid") + timedelta(days=more)).isoformat()


def _pay_whole(invoke: Invoker, account_id: str, ordinal: int) -> str:
    body = {"amount": 56.47, "external_payment_unique_id": f"{account_id}-{ordinal}"}
    answer = invoke(
        "invoices_pay", body, caller=EVERYWHERE, accountId=account_id, invoiceId=ordinal
    )
    assert answer.status == 201, answer
    return str(answer.json["id"])


def _move_to_lane(invoke: Invoker, ordinal: int, lane: str) -> None:
    aws.dynamodb().update_item(
        TableName=config.invoices_table(),
        Key=key_of(unpaid_key(InvoiceKey(invoke.org_id, "100001", ordinal))),
        UpdateExpression="SET org = :org",
        ExpressionAttributeValues={":org": {"S": lane_of(invoke.org_id, lane)}},
    )


def _pages(invoke: Invoker, event: str, limit: int, **query: str) -> list[list[Json]]:
    """Read all pages of a list."""
    pages: list[list[Json]] = []
    cursor = None
    while cursor or not pages:
        asked = {**query, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        answer = invoke(event, query=asked)
        assert answer.status == 200, answer
        pages.append(answer.json["invoices"])
        cursor = answer.json["next_cursor"]
    return pages


def _pay(invoke: Invoker, number: int, **path: Any) -> str:
    body = {"amount": number + 1, "external_payment_unique_id": f"payment-{number}"}
    answer = invoke("invoices_pay", body, **path)
    assert answer.status == 201
    return str(answer.json["id"])


def _credit(
    invoke: Invoker, external_id: str, lines: Any = None, caller: Json | None = None, **path: Any
) -> None:
    body = {"external_credit_note_unique_id": external_id, **({"lines": lines} if lines else {})}
    answer = invoke("invoices_credit", body, caller=caller, **path)
    assert answer.status == 201, answer


def _payments(invoke: Invoker, limit: int, cursor: str | None = None, **options: Any) -> Answer:
    query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
    return invoke("invoices_list_payments", query=query, **options)
