"""What a body may be, as no client over HTTP can choose it here."""

import base64
import json
from typing import Any, NoReturn

import pytest
from botocore.client import BaseClient

from billing.api.json_body import MAX_CHARACTERS, MAX_FIELDS
from tests.integration.conftest import Answer, Invoker

pytestmark = pytest.mark.moto


def send_in_base64(invoke: Invoker, body: bytes) -> Answer:
    """Put the org's profile as the gateway hands over what is not plainly text."""
    event = invoke.event("billing_info_put_org")
    event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return invoke.call("billing_info", event)


def test_a_body_in_base64_is_a_body(invoke: Invoker) -> None:
    sound = json.loads(invoke.event("billing_info_put_org")["body"])

    assert send_in_base64(invoke, json.dumps(sound | {"url": "año.example"}).encode()).status == 204
    assert invoke("billing_info_get_org").json["url"] == "año.example"


@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
def test_bytes_that_are_no_utf8_are_refused(invoke: Invoker, wrong: bytes) -> None:
    sound = invoke.event("billing_info_put_org")["body"].encode()

    answer = send_in_base64(invoke, sound.replace(b"Telco", wrong))

    assert answer.status == 400
    assert answer.json["details"] == [{"field": "body", "message": "is not UTF-8"}]


def test_bytes_that_a_gateway_could_not_read_are_refused(invoke: Invoker) -> None:
    sound = invoke.event("billing_info_put_org")["body"]

    lost = invoke("billing_info_put_org", sound.replace("Telco", "Tel\ufffdo"))
    meant = invoke("billing_info_put_org", sound.replace("Telco", r"Tel\ufffdo"))
    in_whole = send_in_base64(invoke, sound.replace("Telco", "Tel\ufffdo").encode())

    assert (lost.status, lost.json["details"][0]["field"]) == (400, "body")
    assert (meant.status, in_whole.status) == (204, 204)


def test_what_we_cannot_encode_ourselves_is_not_the_fault_of_the_caller(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        "\ud800".encode()
        raise AssertionError

    monkeypatch.setattr(BaseClient, "_make_api_call", fail)

    assert invoke("billing_info_get_org").status == 500


@pytest.mark.parametrize(
    "body",
    [
        r'{"\ud800": 1}',
        r'{"name": "\ud800"}',
        r'{"country": "\ud800"}',
        r'{"billing_day": "\ud800"}',
    ],
)
def test_half_a_character_is_refused_wherever_it_stands(billed: Invoker, body: str) -> None:
    assert billed("billing_info_put_account", body).status == 400


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 204),
        ("APPLICATION/JSON; charset=UTF-8", 204),
        ('application/json; charset="utf-8"', 204),
        ("application/json; charset=utf8", 204),
        ("application/json; charset=iso-8859-1", 400),
        ('application/json; version=1; charset="utf-16"', 400),
        ("application/json; charset=", 400),
        ("text/plain", 400),
        ("application/json5", 400),
    ],
)
def test_a_body_is_json_in_utf8(invoke: Invoker, content_type: str, status: int) -> None:
    event = invoke.event("billing_info_put_org")
    event["headers"]["content-type"] = content_type

    answer = invoke.call("billing_info", event)

    assert answer.status == status
    if status == 400:
        assert [detail["field"] for detail in answer.json["details"]] == ["content-type"]


def test_texts_are_kept_and_searched_composed(billed: Invoker) -> None:
    name, description = "Jose\u0301 Nun\u0303ez", "Conexio\u0301n"

    assert billed("billing_info_put_account", {"name": name}).status == 204
    assert billed("invoices_create", {"description": description}).status == 201

    assert billed("billing_info_get_account").json["name"] == "Jos\xe9 Nu\xf1ez"
    for text in ("CONEXIO\u0301N", "conexi\xf3n", "i\xd3n"):
        found = billed("invoices_list_filtered", query={"filter": text}).json
        assert [each["description"] for each in found] == ["Conexi\xf3n"]


def test_a_character_that_no_font_has_is_refused_with_its_field(billed: Invoker) -> None:
    line = {"description": "Plan 🚀", "quantity": 1, "unit_price": 7, "remarks": "ক"}

    profile = billed("billing_info_put_account", {"name": "日本 ⛄︎ ᠮ", "email": "ᠮ@a.example"})
    invoice = billed("invoices_create", {"description": "ᚠ", "lines": [line]})

    assert (profile.status, invoice.status) == (400, 400)
    assert [each["field"] for each in profile.json["details"]] == ["name", "email"]
    assert {each["field"]: each["message"] for each in invoice.json["details"]} == {
        "description": _no_font_for("ᚠ", "U+16A0"),
        "lines.0.description": _no_font_for("🚀", "U+1F680"),
        "lines.0.remarks": _no_font_for("ক", "U+0995"),
    }


def _no_font_for(character: str, code: str) -> str:
    return (
        "must have only characters that documents can be printed with: "
        f"there is no font for '{character}' ({code})"
    )


def test_minus_zero_is_zero(billed: Invoker) -> None:
    body = billed.event("invoices_create")["body"]
    lines = '"lines": [{"description": "a", "quantity": 1, "unit_price": 7, "setup_costs": %s}]'

    for number, zero in enumerate(["-0", "-0.0"]):
        fields = {**json.loads(body), "external_invoice_unique_id": f"order-{number}"}
        del fields["lines"]
        text = json.dumps(fields)[:-1] + ", " + lines % zero + "}"
        assert billed("invoices_create", text, accountId="100001").status == 201

    listed = billed("invoices_list").json
    assert {invoice["amountExclVAT"] for invoice in listed} == {"700"}


def test_more_than_is_read_is_413(invoke: Invoker) -> None:
    answer = invoke("billing_info_put_org", " " * (MAX_CHARACTERS + 1))

    assert (answer.status, answer.json["code"]) == (413, "TOO_LARGE")


def test_an_object_of_more_fields_than_any_has_is_refused_for_that(invoke: Invoker) -> None:
    fields = {f"f{number}": 0 for number in range(MAX_FIELDS + 1)}

    answer = invoke("billing_info_put_org", json.dumps(fields))

    assert answer.status == 400
    [detail] = answer.json["details"]
    assert detail["message"] == f"has an object of more than {MAX_FIELDS} fields"


def test_a_list_of_the_right_object_is_not_the_object(invoke: Invoker) -> None:
    sound = invoke.event("billing_info_put_org")["body"]

    answer = invoke("billing_info_put_org", f"[{sound}]")

    assert answer.json["details"] == [{"field": "body", "message": "must be an object"}]


@pytest.mark.parametrize(
    ("event", "body", "query", "field", "message"),
    [
        ("invoices_create", {"lines": None}, {}, "lines", "must be a list"),
        ("invoices_create", {"lines": []}, {}, "lines", "must have 1 or more entries"),
        ("invoices_create", {"lines": [5]}, {}, "lines.0", "must be an object"),
        ("invoices_create", {"lines": [{}]}, {}, "lines.0.description", "is missing"),
        ("invoices_create", {"nothing": 1}, {}, "nothing", "is not known here"),
        ("invoices_create", "", {}, "body", "is missing"),
        ("billing_info_put_account", {"payment_term_days": "x"}, {}, "payment_term_days",
         "must be a whole number"),
        ("billing_info_put_account", {"payment_term_days": 9999}, {}, "payment_term_days",
         "must be at most 365"),
        ("billing_info_put_account", {"closed": "yes"}, {}, "closed", "must be true or false"),
        ("billing_info_put_account", {"delivery_mode": "FAX"}, {}, "delivery_mode",
         "must be 'EMAIL', 'PAPER' or 'APPLICATION'"),
        ("invoices_list_of_account", None, {"limit": "0"}, "limit", "must be at least 1"),
        ("invoices_list_of_account", None, {"limit": "ten"}, "limit", "must be a whole number"),
        ("invoices_list_of_account", None, {"status": "paid"}, "status", "must be 'unpaid'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_plain_words(
    billed: Invoker, event: str, body: Any, query: dict[str, str], field: str, message: str
) -> None:
    answer = billed(event, body, query=query)

    assert answer.status == 400
    assert {each["field"]: each["message"] for each in answer.json["details"]}[field] == message
