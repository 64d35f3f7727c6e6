"""A document in a foreign currency, at the rates that the deployed stack has fetched."""

import time
from typing import Any

from tests.e2e.conftest import Client

SECONDS = 30


def _issue(admin: Client, currency: str) -> Any:
    line = {"description": "Plan", "quantity": 1, "unit_price": 100}
    body = {
        "external_invoice_unique_id": currency,
        "description": "Plan",
        "currency": currency,
        "lines": [{**line, "tax": {"type": "IVA", "percentage": 21}}],
    }
    return admin.post(f"{admin.account}/invoices", body)


def test_the_vat_is_stated_at_the_rate_that_the_stack_has_fetched(admin: Client) -> None:
    deadline = time.monotonic() + SECONDS
    while (answer := _issue(admin, "USD")).status == 409 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert answer.status == 201, answer.content

    ubl = admin.get(f"{admin.account}/invoices/{answer.json['id']}/e_invoice?format=ubl")

    assert b"<cbc:TaxCurrencyCode>EUR<" in ubl.content
    assert b'currencyID="EUR">18.80<' in ubl.content  # 21 / 1.1172


def test_a_rate_that_is_missing_is_cured_by_setting_one(admin: Client) -> None:
    refused = _issue(admin, "UAH")
    assert (refused.status, refused.json["code"]) == (409, "RATE_MISSING")
    cure = refused.json["message"].rpartition(" ")[2]

    assert admin.put(cure, {"rate": 48.5}).status == 204
    assert _issue(admin, "UAH").status == 201
