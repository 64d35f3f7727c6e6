"""Invoices and payments as v1 reads them."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from billing import aws, clock, config
from billing.domain.invoices import InvoiceKey
from billing.persistence.dynamodb import key_of
from billing.persistence.invoice_items import summary_key
from tests.integration.conftest import Answer, Invoker

pytestmark = pytest.mark.moto

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
    part = {"lines": [{"line": 1, "amount_without_taxes": 40.5}]}
    _credit(billed, "part", **part)
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
        _credit(billed, str(number), lines=[line])

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


def _pay(invoke: Invoker, number: int) -> str:
    body = {"amount": number + 1, "external_payment_unique_id": f"payment-{number}"}
    answer = invoke("invoices_pay", body)
    assert answer.status == 201
    return str(answer.json["id"])


def _credit(invoke: Invoker, external_id: str, **body: Any) -> None:
    answer = invoke("invoices_credit", {"external_credit_note_unique_id": external_id, **body})
    assert answer.status == 201, answer


def _payments(invoke: Invoker, limit: int, cursor: str | None = None, **options: Any) -> Answer:
    query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
    return invoke("invoices_list_payments", query=query, **options)
