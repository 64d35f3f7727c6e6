"""Invoices through the function's handler, on real tables."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from billing import clock
from billing.dialects.v1.invoices import InvoiceRequestDTO
from billing.domain.errors import PaymentExceedsInvoiceError
from billing.domain.idempotency import Created, ExternalId
from billing.domain.invoices import InvoiceKey
from billing.domain.periods import local_date
from billing.persistence.accounts import AccountRepository
from billing.persistence.chains import ChainRepository
from billing.persistence.dynamodb import query
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.issuing import IssuingRepository
from billing.persistence.payments import PaymentRepository
from billing.services.audit import audit_invoices
from billing.services.issue_invoice import issue_invoice
from billing.services.receive_payment import receive_payment
from tests.integration.billing import in_lanes, set_rate
from tests.integration.conftest import Invoker

LINE = {"description": "Fibra 600 Mb", "quantity": 1, "unit_price": 30}


def test_issues_an_invoice_once_for_one_external_id(billed: Invoker) -> None:
    first = billed("invoices_create")
    again = billed("invoices_create")
    other = billed("invoices_create", {"description": "Something else"})

    assert (first.status, first.json) == (201, {"id": "1"})
    assert "idempotent-replayed" not in first.headers
    assert (again.status, again.json) == (201, {"id": "1"})
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert len(billed("invoices_list").json) == 1


def test_replays_whatever_has_become_of_the_account(billed: Invoker) -> None:
    billed("invoices_create")
    billed("billing_info_put_account", {"closed": True})

    again = billed("invoices_create")
    new = billed("invoices_create", {"external_invoice_unique_id": "new"})

    assert (again.status, again.json) == (201, {"id": "1"})
    assert (new.status, new.json["code"]) == (409, "ACCOUNT_CLOSED")


def test_twins_give_one_invoice(billed: Invoker) -> None:
    with ThreadPoolExecutor(8) as pool:
        issued = list(pool.map(lambda _: _issue_at_once(billed, "twin"), range(8)))

    assert {each.id for each in issued} == {"1"}
    assert sum(not each.replayed for each in issued) == 1
    assert billed("invoices_list").headers["ranged-data"].endswith("total=1")


def test_lists_an_invoice_in_v3(billed: Invoker) -> None:
    billed("invoices_create")

    answer = billed("invoices_list")

    [invoice] = answer.json
    assert answer.headers["ranged-data"] == "start=0,results=25,total=1"
    assert invoice == {
        "id": "1",
        "creationDate": invoice["creationDate"],
        "dueDate": invoice["dueDate"],
        "invoiceNumber": invoice["invoiceNumber"],
        "invoiceHash": invoice["invoiceHash"],
        "description": "Fibra 600 Mb, noviembre",
        "currency": "EUR",
        "currencySign": "€",
        "amountIncVAT": "5647",
        "amountExclVAT": "4667",
        "paymentStatus": 0,
        "paymentDate": 0,
        "isCredit": 0,
        "remainingAmount": "5647",
        "totalPaidAmount": "0",
    }
    assert invoice["dueDate"] - invoice["creationDate"] < 16 * 24 * 3600


def test_gives_the_details_in_v3_by_id_and_by_number(billed: Invoker) -> None:
    billed("invoices_create")
    [listed] = billed("invoices_list").json

    by_id = billed("invoices_get")
    by_number = billed("invoices_get_by_number", invoiceNumber=listed["invoiceNumber"])

    [details] = by_id.json
    assert by_number.text == by_id.text
    assert details == {
        "id": 1,
        "invoiceNumber": listed["invoiceNumber"],
        "invoiceHash": listed["invoiceHash"],
        "clientNumber": "100001",
        "creationDate": details["creationDate"],
        "dueDate": details["dueDate"],
        "paymentStatus": 0,
        "paymentDate": 0,
        "isCredit": 0,
        "paymentTerm": 15,
        "currency": "EUR",
        "currencySign": "€",
        "vatPercentage": 21,
        "vatAmount": "980",
        "amountIncVat": "5647",
        "amountExclVat": "4667",
        "items": [
            {
                "orderId": "1001",
                "description": "Fibra 600 Mb",
                "periodFrom": "2026-11-01",
                "periodTo": "2026-11-30",
                "remarks": "",
                "quantity": 1,
                "setupCosts": "1000",
                "unitPrice": "3050",
                "vatPercentage": 21,
                "vatAmount": "851",
                "amountIncVat": "4901",
                "amountExclVat": "4050",
            },
            {
                "orderId": "",
                "description": "Llamadas a móviles",
                "periodFrom": "",
                "periodTo": "",
                "remarks": "50 llamadas",
                "quantity": 50,
                "setupCosts": "0",
                "unitPrice": "12",
                "vatPercentage": 21,
                "vatAmount": "130",
                "amountIncVat": "747",
                "amountExclVat": "617",
            },
        ],
        "clientDetails": {
            "fullName": "Ana Pérez Ejemplo",
            "companyName": "",
            "email": "ana@example.com",
            "address": "Calle Mayor 2",
            "zip": "28001",
            "city": "Madrid",
            "country": "ES",
            "vatNumber": "12345678Z",
            "iban": "",
            "bic": "",
        },
        "companyDetails": {
            "name": "Telco Ejemplo S.A.",
            "address": "Gran Vía 1",
            "zip": "28013",
            "city": "Madrid",
            "country": "ES",
            "phone": "+34 910 000 000",
            "email": "facturas@telco.example",
            "url": "https://telco.example",
            "iban": "ES9121000418450200051332",
            "bic": "CAIXESBBXXX",
        },
    }


def test_lists_an_invoice_in_v2(billed: Invoker) -> None:
    billed("invoices_create")
    [details] = billed("invoices_get").json

    answer = billed("invoices_list_of_period")

    day = details["creationDate"].replace("-", "")
    [invoice] = answer.json["invoices"]
    assert answer.json["account_id"] == 100001
    assert answer.json["period_date"] == {"start_date": "2026-01-01", "end_date": "2027-12-31"}
    assert invoice == {
        "value": 56.47,
        "delivery_mode": "EMAIL",
        "date": invoice["date"],
        "number": details["invoiceNumber"],
        "path": f"/invoices/{day}/{details['invoiceNumber']}.pdf",
        "status": {"id": 1, "value": "PENDIENTE"},
        "cycle": invoice["cycle"],
    }


def test_payments_show_in_all_dialects(billed: Invoker) -> None:
    billed("invoices_create")

    part = billed("invoices_pay")
    again = billed("invoices_pay")
    [partly_paid] = billed("invoices_list").json
    rest = billed(
        "invoices_pay",
        {
            "amount": 36.47,
            "external_payment_unique_id": "bank-78",
            "paid_datetime": "2026-11-21T10:00:00Z",
        },
    )
    [paid] = billed("invoices_list").json
    [details] = billed("invoices_get").json
    [in_v2] = billed("invoices_list_of_period").json["invoices"]

    assert (part.status, rest.status) == (201, 201)
    assert (again.json, again.headers["idempotent-replayed"]) == (part.json, "true")
    assert _payment(partly_paid) == (2, 0, "3647", "2000")
    assert _payment(paid) == (1, 1795255200, "0", "5647")
    assert (details["paymentStatus"], details["paymentDate"]) == (1, 1795255200)
    assert in_v2["status"] == {"id": 2, "value": "PAGADO"}
    assert in_v2["pay_date"] == "2026-11-21T10:00:00Z"
    assert billed("invoices_list_unpaid").json == []


def test_it_is_paid_when_the_latest_payment_came_in_whatever_was_recorded_last(
    billed: Invoker,
) -> None:
    billed("invoices_create")
    late = {"paid_datetime": "2026-11-21T10:00:00Z", "external_payment_unique_id": "late"}
    early = {"paid_datetime": "2026-11-01T10:00:00Z", "external_payment_unique_id": "early"}

    billed("invoices_pay", late)
    billed("invoices_pay", {**early, "amount": 36.47})

    [paid] = billed("invoices_list").json
    [details] = billed("invoices_get").json
    [in_v2] = billed("invoices_list_of_period").json["invoices"]
    assert _payment(paid) == (1, 1795255200, "0", "5647")
    assert details["paymentDate"] == 1795255200
    assert in_v2["pay_date"] == "2026-11-21T10:00:00Z"


def test_what_was_credited_without_a_payment_was_never_paid(billed: Invoker) -> None:
    billed("invoices_create")
    billed("invoices_credit")

    documents = billed("invoices_list").json
    in_v2 = billed("invoices_list_of_period").json["invoices"]

    assert [(each["paymentStatus"], each["paymentDate"]) for each in documents] == [(1, 0)] * 2
    assert [each for each in in_v2 if "pay_date" in each] == []
    assert billed("invoices_list_unpaid").json == []


def test_a_payment_may_lie_a_day_ahead(billed: Invoker) -> None:
    billed("invoices_create")

    def paid_in(hours: int) -> int:
        at = (clock.now() + timedelta(hours=hours)).isoformat()
        body = {"paid_datetime": at, "external_payment_unique_id": str(hours), "amount": 1}
        return billed("invoices_pay", body).status

    assert [paid_in(hours) for hours in (23, 25)] == [201, 400]


def _payment(invoice: dict[str, Any]) -> tuple[Any, ...]:
    return (
        invoice["paymentStatus"],
        invoice["paymentDate"],
        invoice["remainingAmount"],
        invoice["totalPaidAmount"],
    )


def test_refuses_to_be_paid_more_than_remains(billed: Invoker) -> None:
    billed("invoices_create")

    too_much = billed("invoices_pay", {"amount": 56.48})
    with ThreadPoolExecutor(8) as pool:
        racing = list(pool.map(lambda n: _pay_at_once(billed, f"p{n}"), range(8)))

    assert (too_much.status, too_much.json["code"]) == (409, "PAYMENT_EXCEEDS_INVOICE")
    assert racing.count(True) == 2
    assert _payment(billed("invoices_list").json[0]) == (2, 0, "1647", "4000")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"amount": 20.001}, "amount", id="more decimals than the currency"),
        pytest.param({"currency": "USD"}, "currency", id="another currency"),
        pytest.param({"amount": 0}, "amount", id="nothing"),
        pytest.param({"paid_datetime": "2026-11-20"}, "paid_datetime", id="no instant"),
        pytest.param({"paid_datetime": "2926-11-20T10:00:00Z"}, "paid_datetime", id="ahead"),
    ],
)
def test_refuses_a_malformed_payment(billed: Invoker, body: Any, field: str) -> None:
    billed("invoices_create")

    answer = billed("invoices_pay", body)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == [field]


def test_pages_are_arithmetic(billed: Invoker) -> None:
    _issue(billed, 7)

    first = billed("invoices_list", headers={"ranged-data": " results=3 , start=0 "})
    middle = billed("invoices_list", headers={"ranged-data": "start=2,results=3"})
    last = billed("invoices_list", headers={"ranged-data": "start=5,results=100"})
    past = billed("invoices_list", headers={"ranged-data": "start=7,results=1"})

    assert [invoice["id"] for invoice in first.json] == ["7", "6", "5"]
    assert [invoice["id"] for invoice in middle.json] == ["5", "4", "3"]
    assert [invoice["id"] for invoice in last.json] == ["2", "1"]
    assert (past.status, past.json) == (200, [])
    assert past.headers["ranged-data"] == "start=7,results=1,total=7"


def test_unpaid_pages_leave_out_what_is_paid(billed: Invoker) -> None:
    _issue(billed, 7)
    for number in (2, 6):
        body = {"amount": 56.47, "external_payment_unique_id": f"p{number}"}
        assert billed("invoices_pay", body, invoiceId=number).status == 201

    answer = billed("invoices_list_unpaid", headers={"ranged-data": "start=1,results=3"})

    assert [invoice["id"] for invoice in answer.json] == ["5", "4", "3"]
    assert answer.headers["ranged-data"] == "start=1,results=3,total=5"


def test_deep_unpaid_pages_skip_whole_blocks(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("invoices", "issuing"):
        monkeypatch.setattr(f"billing.persistence.{module}.BLOCK", 3)
    _issue(billed, 10)
    for number in (4, 9):
        body = {"amount": 56.47, "external_payment_unique_id": f"p{number}"}
        assert billed("invoices_pay", body, invoiceId=number).status == 201

    pages = [
        billed("invoices_list_unpaid", headers={"ranged-data": f"start={start},results=2"})
        for start in range(10)
    ]

    unpaid = ["10", "8", "7", "6", "5", "3", "2", "1"]
    assert [[invoice["id"] for invoice in page.json] for page in pages] == [
        unpaid[start : start + 2] for start in range(10)
    ]
    assert {page.headers["ranged-data"].split(",")[-1] for page in pages} == {"total=8"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("FIBRA", ["3", "1"], id="any case"),
        pytest.param("bra 6", ["1"], id="any part"),
        pytest.param(".*", ["2"], id="nothing is special"),
        pytest.param("ñ", ["2"], id="beyond ASCII"),
        pytest.param("nowhere", [], id="nothing found"),
    ],
)
def test_filters_by_a_literal_part_of_the_description(
    billed: Invoker, text: str, found: list[str]
) -> None:
    for number, description in enumerate(["Fibra 600", "Año .*%_ 100 %", "fibra"]):
        billed(
            "invoices_create",
            {"description": description, "external_invoice_unique_id": str(number)},
        )

    everything = billed("invoices_list_filtered", query={"filter": text})
    unpaid = billed("invoices_list_unpaid", query={"filter": text})
    second = billed(
        "invoices_list_filtered",
        query={"filter": text},
        headers={"ranged-data": "start=1,results=1"},
    )

    assert [invoice["id"] for invoice in everything.json] == found
    assert unpaid.json == everything.json
    assert second.headers["ranged-data"] == f"start=1,results=1,total={len(found)}"
    assert [invoice["id"] for invoice in second.json] == found[1:2]


@pytest.mark.parametrize("hidden", [{3}, {1}, {2}, {2, 3}, {1, 2, 3}, set()])
def test_a_filter_finds_what_its_index_has_not_seen(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch, hidden: set[int]
) -> None:
    for number in range(3):
        billed("invoices_create", {"external_invoice_unique_id": str(number)})

    def lagging(*args: Any, **options: Any) -> Iterator[Any]:
        for item in query(*args, **options):
            if "IndexName" not in options or int(item["ordinal"]["N"]) not in hidden:
                yield item

    monkeypatch.setattr("billing.persistence.invoices.query", lagging)
    found = billed("invoices_list_filtered", query={"filter": "fibra"})

    assert [invoice["id"] for invoice in found.json] == ["3", "2", "1"]
    assert found.headers["ranged-data"] == "start=0,results=25,total=3"


def test_an_invoice_is_not_due_before_it_is_issued(billed: Invoker) -> None:
    today = local_date(clock.now(), "Europe/Madrid")
    days = {day: {"due_date": (today + timedelta(day)).isoformat()} for day in (-1, 0)}

    before = billed("invoices_create", days[-1])
    at_once = billed("invoices_create", days[0])

    assert before.status == 400
    assert [detail["field"] for detail in before.json["details"]] == ["due_date"]
    assert at_once.status == 201


@pytest.mark.parametrize("account_id", ["007", "00", "1x"])
def test_an_account_of_v2_is_a_plain_number(billed: Invoker, account_id: str) -> None:
    answer = billed("invoices_list_of_period", accountId=account_id, caller={"accounts": "*"})

    assert answer.status == 400


@in_lanes
def test_numbers_have_no_gap_and_the_chain_verifies_under_contention(billed: Invoker) -> None:
    with ThreadPoolExecutor(16) as pool:
        issued = list(pool.map(lambda n: _issue_at_once(billed, f"e{n}"), range(40)))

    assert sorted(int(each.id) for each in issued) == list(range(1, 41))
    audited = list(audit_invoices(billed.org_id, chains=ChainRepository()))
    assert [each.faults for each in audited] == [[]] * 40
    assert [int(each.number[-6:]) for each in audited] == list(range(1, 41))


def test_the_due_date_and_the_currency_can_be_said(billed: Invoker) -> None:
    set_rate(billed.org_id, "JPY")
    billed(
        "invoices_create",
        {
            "currency": "JPY",
            "due_date": "2027-01-31",
            "lines": [{"description": "Set", "quantity": 1.5, "unit_price": 8}],
        },
    )

    [details] = billed("invoices_get").json

    assert (details["currency"], details["currencySign"]) == ("JPY", "¥")
    assert (details["amountExclVat"], details["vatAmount"]) == ("12", "3")
    assert details["dueDate"] == "2027-01-31"
    assert (details["items"][0]["quantity"], details["items"][0]["unitPrice"]) == (1, "12")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        pytest.param({"lines": []}, ["lines"], id="no lines"),
        pytest.param({"colour": "red"}, ["colour"], id="an unknown field"),
        pytest.param(
            {"description": "", "currency": "EURO", "lines": [{"quantity": "1"}]},
            ["description", "currency", "lines.0.description", "lines.0.quantity"]
            + ["lines.0.unit_price"],
            id="every wrong field is named",
        ),
        pytest.param(
            {"lines": [{"description": "x", "quantity": -1, "unit_price": 1}]},
            ["lines"],
            id="less than nothing",
        ),
        pytest.param(
            {"lines": [{"description": "x", "quantity": 1, "unit_price": 1, "setup_costs": 1.005}]},
            ["lines.0.setup_costs"],
            id="setup costs of half a cent",
        ),
        pytest.param(
            {
                "lines": [
                    {
                        "description": "x",
                        "quantity": 1,
                        "unit_price": 1,
                        "period_start": "2026-02-01",
                    }
                ]
            },
            ["lines.0.period_end"],
            id="half a period",
        ),
        pytest.param(
            {"lines": [{"description": "x", "quantity": 10**11, "unit_price": 10**11}]},
            ["lines"],
            id="more than can be written exactly",
        ),
        pytest.param({"description": "a\u0000b"}, ["description"], id="a control character"),
        pytest.param({"description": "\ud800"}, ["description"], id="a lone surrogate"),
        pytest.param({"\ud800": 1}, ["body"], id="a lone surrogate as a name"),
    ],
)
def test_refuses_a_malformed_invoice(billed: Invoker, change: Any, fields: list[str]) -> None:
    answer = billed("invoices_create", change)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == fields
    assert billed("invoices_list").json == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="half"),
        pytest.param("[" * 60_000, id="60,000 brackets"),
        pytest.param('{"description": NaN}', id="NaN"),
        pytest.param('{"lines": [{"unit_price": 1E+999990}]}', id="a huge exponent"),
        pytest.param('{"lines": [{"unit_price": ' + "9" * 10_000 + "}]}", id="10,000 digits"),
        pytest.param('{"description": "a", "description": "b"}', id="a field twice"),
        pytest.param('"text"', id="no object"),
    ],
)
def test_refuses_a_body_of_tricks(billed: Invoker, body: str) -> None:
    answer = billed("invoices_create", body)

    assert (answer.status, answer.json["code"]) == (400, "INVALID_REQUEST")
    assert billed("invoices_list").json == []


@pytest.mark.parametrize(
    "header",
    ["start=0,results=0", "start=0,results=101", "start=-1,results=1", "0-25", "start=0;results=1"]
    + ["start=0,start=1", "start=٣,results=1", "", "start=0,results=25,total=1"],
)
def test_refuses_a_malformed_range(billed: Invoker, header: str) -> None:
    answer = billed("invoices_list", headers={"ranged-data": header})

    assert answer.status == 400
    assert [error["property"] for error in answer.json["errors"]] == ["code", "RANGED-DATA"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param({}, 200, id="the last twelve months"),
        pytest.param({"start_date": "2026-02-30"}, 400, id="no such day"),
        pytest.param({"start_date": "2026-1-1"}, 400, id="not written as asked"),
        pytest.param({"start_date": "2026-02-02", "end_date": "2026-02-01"}, 400, id="backwards"),
        pytest.param({"start_date": "2020-01-01", "end_date": "2026-02-01"}, 400, id="too long"),
        pytest.param({"start_date": "2020-01-01", "end_date": "2020-02-01"}, 200, id="long ago"),
    ],
)
def test_checks_the_period_of_v2(billed: Invoker, query: Any, status: int) -> None:
    answer = billed("invoices_list_of_period", query=query)

    assert answer.status == status
    assert set(answer.json) == (
        {"account_id", "period_date", "invoices"}
        if status == 200
        else {"code", "status", "message", "detailMsg"}
    )


def test_v2_takes_accounts_of_digits_only(billed: Invoker) -> None:
    answer = billed("invoices_list_of_period", accountId="abc", caller={"accounts": "*"})

    assert answer.status == 400


def test_what_is_not_there_is_not_found(billed: Invoker) -> None:
    billed("invoices_create")
    everywhere = {"accounts": "*"}

    missing = [
        billed("invoices_get", invoiceId=2),
        billed("invoices_get_pdf", invoiceId=2),
        billed("invoices_get_by_number", invoiceNumber="F2026-000002"),
        billed("invoices_get_by_number", invoiceNumber="nonsense"),
        billed("invoices_get_by_number", invoiceNumber="F2026-0000001"),
        billed("invoices_get_by_number", invoiceNumber="F2026-000001", caller={"accounts": "2"}),
    ]
    in_v1 = [
        billed("invoices_public_link", invoiceId=2),
        billed("invoices_public_link", invoiceId="x"),
        billed("invoices_public_link", invoiceId="01"),
        billed("invoices_e_invoice", invoiceId="01"),
        billed("invoices_pay", invoiceId="0000000001"),
        billed("invoices_credit", invoiceId="01"),
        billed("invoices_pay", invoiceId=2),
        billed("invoices_public_link", accountId="100002", caller=everywhere),
    ]

    assert {(answer.status, answer.text) for answer in missing} == {
        (
            404,
            '{"errorCode":10001,"errorMessage":"There is no such resource.",'
            '"errors":[{"property":"code","message":"NOT_FOUND"}]}',
        )
    }
    assert {(answer.status, answer.json["code"]) for answer in in_v1} == {(404, "NOT_FOUND")}
    assert len({answer.text for answer in in_v1}) == 1
    of_nobody = billed("invoices_create", accountId="nobody", caller=everywhere)
    assert (of_nobody.status, of_nobody.json["code"]) == (404, "NOT_FOUND")
    assert billed("invoices_list_of_period", accountId="7", caller=everywhere).status == 404


@pytest.mark.parametrize("event", ["invoices_get", "invoices_get_pdf"])
def test_an_invoice_has_one_id(billed: Invoker, event: str) -> None:
    billed("invoices_create")

    assert billed(event, invoiceId="1").status == 200
    assert billed(event, invoiceId="01").status == 400


def test_gives_the_pdf_and_a_link_to_it(billed: Invoker) -> None:
    billed("invoices_create")

    pdf = billed("invoices_get_pdf")
    link = billed("invoices_public_link")

    [details] = billed("invoices_get").json
    assert pdf.status == 200
    assert pdf.content.startswith(b"%PDF-")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"] == (
        f'attachment; filename="{details["invoiceNumber"]}.pdf"'
    )
    assert pdf.headers["etag"].strip('"').isalnum()
    assert link.json["invoice_id"] == "1"
    assert link.json["content_type"] == "application/pdf"
    url = urlsplit(link.json["url"])
    assert url.path.endswith(f"/{details['invoiceNumber']}.pdf")
    assert parse_qs(url.query)["X-Amz-Expires"] == ["900"]


def test_a_link_works_no_longer_than_the_token_that_asked_for_it(billed: Invoker) -> None:
    billed("invoices_create")
    ends = clock.now() + timedelta(seconds=60)

    link = billed("invoices_public_link", caller={"expires_at": ends.isoformat()}).json

    [seconds] = parse_qs(urlsplit(link["url"]).query)["X-Amz-Expires"]
    assert 50 <= int(seconds) <= 60
    assert datetime.fromisoformat(link["expires_at"]) <= ends


@pytest.mark.parametrize(("syntax", "root"), [("cii", "CrossIndustryInvoice"), ("ubl", "Invoice")])
def test_gives_the_invoice_to_machines(billed: Invoker, syntax: str, root: str) -> None:
    billed("invoices_create")

    answer = billed("invoices_e_invoice", query={"format": syntax})

    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
    element = ElementTree.fromstring(answer.text)
    assert element.tag.endswith(f"}}{root}")
    assert "56.47" in [each.text for each in element.iter()]
    assert billed("invoices_e_invoice", query={"format": "pdf"}).status == 400
    assert billed("invoices_e_invoice", invoiceId=2).status == 404


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        pytest.param("invoices_get", ["BatchGetItem"], id="by id"),
        pytest.param("invoices_get_by_number", ["GetItem", "BatchGetItem"], id="by number"),
        pytest.param("invoices_list", ["Query"], id="first page"),
        pytest.param("invoices_list_unpaid", ["Query", "BatchGetItem"], id="unpaid page"),
        pytest.param("invoices_list_of_period", ["Query", "Query"], id="v2 range"),
        pytest.param("invoices_public_link", ["BatchGetItem"], id="public link"),
        pytest.param(
            "invoices_create",
            ["BatchGetItem", "BatchGetItem", "TransactWriteItems"],
            id="issue",
        ),
        pytest.param("invoices_pay", ["BatchGetItem", "TransactWriteItems"], id="payment"),
    ],
)
def test_costs_no_more_calls_than_promised(
    billed: Invoker, aws_calls: Any, event: str, calls: list[str]
) -> None:
    billed("invoices_create")
    billed("invoices_get_pdf")
    change = {"external_invoice_unique_id": "next"} if event == "invoices_create" else None
    aws_calls()

    answer = billed(event, change)

    assert answer.status in {200, 201}
    assert aws_calls() == calls


def _issue(billed: Invoker, count: int) -> None:
    for number in range(count):
        body = {"external_invoice_unique_id": f"e{number}"}
        assert billed("invoices_create", body).status == 201


def _issue_at_once(billed: Invoker, external_id: str) -> Created:
    """Issue as the route does; a function serves one request at a time, threads many."""
    body = json.loads(billed.event("invoices_create")["body"])
    request = InvoiceRequestDTO(
        **{**body, "external_invoice_unique_id": external_id, "lines": [LINE]}
    )
    return issue_invoice(
        request.to_domain(billed.org_id, "100001"),
        request.external_id(external_id, "100001"),
        now=clock.now(),
        profiles=AccountRepository(),
        rates=ExchangeRateRepository(),
        issuing=IssuingRepository(),
    )


def _pay_at_once(billed: Invoker, external_id: str) -> bool:
    """Pay 20 EUR as the route does; tell whether that was not too much."""
    try:
        receive_payment(
            InvoiceKey(billed.org_id, "100001", 1),
            Decimal(20),
            None,
            clock.now(),
            None,
            ExternalId(external_id, "fingerprint"),
            now=clock.now(),
            org_time=clock.now(),
            payments=PaymentRepository(),
        )
    except PaymentExceedsInvoiceError:
        return False
    return True
