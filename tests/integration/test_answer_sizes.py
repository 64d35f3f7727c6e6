"""No answer is larger than Lambda passes on: 6 MB, as JSON."""

import importlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.request import urlopen
from xml.etree import ElementTree

import pytest

from billing import config
from billing.adapters.documents import DocumentStore
from billing.api.files import BODY_LIMIT
from billing.api.json_body import MAX_CHARACTERS
from billing.aws import s3
from billing.dialects.v2 import (
    InvoiceCycle,
    InvoiceInfoDetail,
    InvoiceInfoList,
    InvoiceStatus,
    PeriodDate,
)
from billing.domain.invoices import InvoiceKey
from billing.persistence.invoices import MAX_LISTED
from tests.integration import callers
from tests.integration.conftest import Answer, Context, Invoker, Json, function_of

LIMIT = 6 * 1024 * 1024
LINES = 1000
RANGE = {"start_date": "2026-01-01", "end_date": "2027-12-31"}
TEXTS = {"quotes": '"', "backslashes": "\\", "four bytes each": "\N{CJK UNIFIED IDEOGRAPH-2000B}"}
"""What grows most in JSON, in JSON within JSON, and in UTF-8."""


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_the_largest_invoice_fits_or_is_a_link(billed: Invoker, text: str) -> None:
    _issue(billed, text)

    for name, query in [
        ("invoices_get", {}),
        ("invoices_get_whole", {}),
        ("invoices_e_invoice", {"format": "cii"}),
        ("invoices_e_invoice", {"format": "ubl"}),
    ]:
        answer = _raw(billed, name, query)
        assert answer["statusCode"] in (200, 307), answer
        assert len(_json(answer).encode()) < LIMIT


def test_an_e_invoice_that_no_answer_holds_is_stored_once_behind_a_link(billed: Invoker) -> None:
    number = _issue(billed, TEXTS["four bytes each"])

    answers = [billed("invoices_e_invoice", query={"format": "ubl"}) for _ in range(2)]

    for answer in answers:
        assert (answer.status, answer.content) == (307, b"")
        with urlopen(answer.headers["location"]) as link:
            assert link.headers["content-type"] == "application/xml"
            assert f'"{number}.ubl.xml"' in link.headers["content-disposition"]
            document = link.read()
    assert len(document) > BODY_LIMIT
    assert len(ElementTree.fromstring(document).findall("{*}InvoiceLine")) == LINES
    assert len(_versions(billed)) == 1


def test_a_smaller_one_is_the_answer(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201

    assert billed("invoices_e_invoice", query={"format": "ubl"}).status == 200
    assert _versions(billed) == []


def test_what_is_stored_of_an_invoice_is_erased_with_it(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.api.files.BODY_LIMIT", 1000)
    for external_id in ("one", "another"):
        body = {"external_invoice_unique_id": external_id}
        assert billed("invoices_create", body).status == 201
    for ordinal in (1, 2):
        assert _e_invoice(billed, "cii", ordinal).status == 307
        assert _e_invoice(billed, "ubl", ordinal).status == 307

    DocumentStore().delete(InvoiceKey(billed.org_id, "100001", 1))

    assert len(_versions(billed)) == 2


def test_more_invoices_than_an_answer_holds_are_refused(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        body = {"external_invoice_unique_id": f"e{number}"}
        assert billed("invoices_create", body).status == 201
    monkeypatch.setattr("billing.persistence.invoices.MAX_LISTED", 3)
    listed = billed("invoices_list_of_period", query=RANGE)
    monkeypatch.setattr("billing.persistence.invoices.MAX_LISTED", 2)

    refused = billed("invoices_list_of_period", query=RANGE)

    assert (listed.status, len(listed.json["invoices"])) == (200, 3)
    assert refused.status == 400
    assert "3 invoices, and at most 2 are listed" in refused.text


def test_as_many_as_are_listed_fit() -> None:
    now = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    number = "X" * 64
    detail = InvoiceInfoDetail(
        value=-Decimal("99999999999999.999"),
        delivery_mode="E-MAIL AND PAPER",
        date=now,
        pay_date=now,
        number=number,
        path=f"/invoices/20261231/{number}.pdf",
        status=InvoiceStatus(id=1, value="PENDIENTE"),
        cycle=InvoiceCycle(start_date=now, end_date=now),
    )
    period = PeriodDate(start_date=date(2022, 1, 1), end_date=date(2026, 12, 31))
    whole = InvoiceInfoList(
        account_id=10**18 - 1, period_date=period, invoices=[detail] * MAX_LISTED
    )

    answer = _json({"body": whole.model_dump_json()})

    assert len(answer.encode()) < LIMIT - 10_000


@pytest.mark.parametrize("name", ["front_openapi", "front_docs"])
def test_the_reference_fits(invoke: Invoker, name: str) -> None:
    plain = invoke(name, headers={"accept-encoding": ""})

    assert len(_json(plain.text).encode()) < LIMIT - 10_000


def _issue(invoke: Invoker, text: str) -> str:
    """Issue the largest invoice that the API accepts; return its number."""
    line = {
        "description": text * 500,
        "remarks": text * 500,
        "order_id": text * 200,
        "quantity": 1,
        "unit_price": 1.2345,
        "setup_costs": 1.23,
        "period_start": "2026-11-01",
        "period_end": "2026-11-30",
    }
    fields = json.loads(invoke.event("invoices_create")["body"])
    most = (MAX_CHARACTERS - 10_000) // len(_json(line))
    body = _json({**fields, "lines": [line] * min(LINES, most)})
    issued = invoke("invoices_create", body)
    assert issued.status == 201, issued
    [invoice] = invoke("invoices_list").json
    return str(invoice["invoiceNumber"])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _e_invoice(invoke: Invoker, syntax: str, ordinal: int) -> Answer:
    return invoke("invoices_e_invoice", query={"format": syntax}, invoiceId=ordinal)


def _raw(invoke: Invoker, name: str, query: Json) -> Json:
    """Call a function; return what Lambda gets."""
    event = {**invoke.event(name), "queryStringParameters": query}
    callers.know(event)
    module = importlib.import_module(f"functions.{function_of(name)}.app")
    answer: Json = module.lambda_handler(event, Context())
    return answer


def _versions(invoke: Invoker) -> list[Any]:
    """List all that is stored of an org."""
    prefix = f"{invoke.org_id}/"
    listed = s3().list_object_versions(Bucket=config.documents_bucket(), Prefix=prefix)
    return list(listed.get("Versions", []))
