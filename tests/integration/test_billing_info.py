"""Billing profiles through the function's handler, on real tables."""

from typing import Any

import pytest

from tests.integration.conftest import Invoker

pytestmark = pytest.mark.moto


def test_gives_back_the_orgs_profile(billed: Invoker) -> None:
    answer = billed("billing_info_get_org")

    assert answer.status == 200
    assert answer.json == {
        "legal_name": "Telco Ejemplo S.A.",
        "tax_id": "A58818501",
        "address": {
            "street": "Gran Vía 1",
            "postal_code": "28013",
            "city": "Madrid",
            "country": "ES",
        },
        "currency": "EUR",
        "time_zone": "Europe/Madrid",
        "payment_term_days": 30,
        "phone": "+34 910 000 000",
        "email": "facturas@telco.example",
        "url": "https://telco.example",
        "iban": "ES9121000418450200051332",
        "bic": "CAIXESBBXXX",
        "invoice_series": "F",
        "credit_series": "R",
        "accent": None,
        "sandbox": False,
    }


def test_gives_the_next_billing_date(billed: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 2, 27, 23, 30, tzinfo=UTC))

    answer = billed("billing_info_get_account")

    assert answer.json == {
        "account_id": "100001",
        "next_billing_date": "2026-03-31",
        "billing_day": 31,
        "time_zone": "Europe/Madrid",
        "current_period": {
            "start_datetime": "2026-02-27T23:00:00Z",
            "end_datetime": "2026-03-30T22:00:00Z",
        },
        "name": "Ana Pérez Ejemplo",
        "tax_id": "12345678Z",
        "address": {
            "street": "Calle Mayor 2",
            "postal_code": "28001",
            "city": "Madrid",
            "country": "ES",
        },
        "email": "ana@example.com",
        "country": "ES",
        "state_id": 28,
        "delivery_mode": "EMAIL",
        "payment_term_days": 15,
        "iban": None,
        "bic": None,
    }


def test_a_closed_account_is_billed_no_more(billed: Invoker) -> None:
    billed("billing_info_put_account", {"closed": True})

    assert billed("billing_info_get_account").json["next_billing_date"] is None


def test_replaces_a_profile(billed: Invoker) -> None:
    billed("billing_info_put_account", {"name": "Ana Pérez Nueva", "tax_id": None})

    profile = billed("billing_info_get_account").json

    assert (profile["name"], profile["tax_id"]) == ("Ana Pérez Nueva", None)


@pytest.mark.parametrize("event", ["billing_info_get_org", "billing_info_get_account"])
def test_answers_404_before_there_is_a_profile(invoke: Invoker, event: str) -> None:
    answer = invoke(event)

    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("event", "change", "fields"),
    [
        pytest.param(
            "billing_info_put_org",
            {"tax_id": "A58818502", "iban": "ES9121000418450200051333", "bic": "X"},
            ["tax_id", "iban", "bic"],
            id="check digits of the org",
        ),
        pytest.param(
            "billing_info_put_org", {"credit_series": "F"}, ["credit_series"], id="one series"
        ),
        pytest.param("billing_info_put_org", {"accent": "red"}, ["accent"], id="no colour"),
        pytest.param(
            "billing_info_put_org", {"time_zone": "../etc"}, ["time_zone"], id="no time zone"
        ),
        pytest.param(
            "billing_info_put_account",
            {"tax_id": "12345678A", "billing_day": 32, "country": "ES", "state_id": 53},
            ["tax_id", "state_id", "billing_day"],
            id="every wrong field is named",
        ),
        pytest.param(
            "billing_info_put_account",
            {
                "country": "XX",
                "currency": "ABC",
                "delivery_mode": "PIGEON",
                "payment_term_days": 1.5,
            },
            ["country", "delivery_mode", "payment_term_days", "currency"],
            id="unknown codes",
        ),
        pytest.param(
            "billing_info_put_account",
            {"country": "DE", "tax_id": None},
            ["state_id"],
            id="a province of Spain in Germany",
        ),
        pytest.param(
            "billing_info_put_account", {"billing_day": True}, ["billing_day"], id="true is not 1"
        ),
        pytest.param("billing_info_put_account", {"nick": "x"}, ["nick"], id="an unknown field"),
    ],
)
def test_refuses_a_malformed_profile(
    invoke: Invoker, event: str, change: Any, fields: list[str]
) -> None:
    answer = invoke(event, change)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == fields
    assert invoke(event.replace("put", "get")).status == 404
