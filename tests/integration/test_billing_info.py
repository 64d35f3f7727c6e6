"""Billing profiles through the function's handler, on real tables."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.billing import Runs, issued
from tests.integration.conftest import Invoker

pytestmark = pytest.mark.moto

ELSEWHERE = {
    "billing_day": 15,
    "time_zone": "Atlantic/Canary",
}
ADDRESS = {"street": "Gran Vía 1", "postal_code": "28013", "city": "Madrid", "country": "ES"}
BERLIN = {"street": "Unter 1", "postal_code": "10115", "city": "Berlin", "country": "DE"}


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
            "region": "ES-M",
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
        "lanes": 1,
        "accent": None,
        "one_stop_shop": False,
        "electronic_address": None,
        "mail_from": "facturas@example.com",
        "fiscal_regime": "NONE",
        "sandbox": False,
    }


def test_gives_the_next_billing_date(billed: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
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
        "company_name": None,
        "tax_id": "12345678Z",
        "address": {
            "street": "Calle Mayor 2",
            "postal_code": "28001",
            "city": "Madrid",
            "country": "ES",
            "region": "ES-M",
        },
        "email": "ana@example.com",
        "country": "ES",
        "state_id": 28,
        "delivery_mode": "EMAIL",
        "payment_term_days": 15,
        "currency": None,
        "iban": None,
        "bic": None,
        "closed": False,
        "language": None,
        "vat_number_status": "unchecked",
        "buyer_reference": None,
        "electronic_address": None,
        "mail_state": "ok",
    }


def test_the_open_cycle_stays_when_the_profile_changes(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        details = billed("billing_info_get_account").json
        return [details["next_billing_date"], *details["current_period"].values()]

    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 3, 10, tzinfo=UTC))
    march = ["2026-03-31", "2026-02-27T23:00:00Z", "2026-03-30T22:00:00Z"]
    assert told() == march
    billed("movements_create")

    assert billed("billing_info_put_account", ELSEWHERE).status == 204
    before = told()
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 4, 2, tzinfo=UTC))
    overdue = told()
    runs.run(until="2026-04-02")
    after = told()
    [invoice] = issued(billed.org_id, "100001")

    assert before == overdue == march
    assert [_text(invoice.cycle.start), _text(invoice.cycle.end)] == march[1:]
    assert after == ["2026-04-15", "2026-03-30T22:00:00Z", "2026-04-14T23:00:00Z"]


def test_a_run_ahead_moves_the_next_billing_date(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 11, 10, tzinfo=UTC))
    billed("movements_create")
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2027, 2, 1, tzinfo=UTC))
    runs.run(until="2027-02-01")
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 11, 21, tzinfo=UTC))

    details = billed("billing_info_get_account").json

    assert details["next_billing_date"] == "2027-02-28"
    assert details["current_period"] == {
        "start_datetime": "2027-01-30T23:00:00Z",
        "end_datetime": "2027-02-27T23:00:00Z",
    }


def test_a_closed_account_is_billed_for_as_long_as_something_is_left(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def next_billing_date(**closed: bool) -> Any:
        assert billed("billing_info_put_account", closed).status == 204
        return billed("billing_info_get_account").json["next_billing_date"]

    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 11, 21, tzinfo=UTC))
    unused = next_billing_date(closed=True)
    next_billing_date(closed=False)
    movement_id = billed("movements_create").json["id"]
    charged = next_billing_date(closed=True)
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 11, 30, 10, tzinfo=UTC))
    runs.run()
    billed_already = next_billing_date(closed=True)
    assert billed("refunds_create", movementId=movement_id).status == 201
    refunded = next_billing_date(closed=True)

    assert (unused, charged, billed_already, refunded) == (None, "2026-11-30", None, "2026-12-31")


def test_reads_an_account_and_its_cycle_in_one_request(
    billed: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    billed("movements_create")
    aws_calls()

    assert billed("billing_info_get_account").status == 200
    assert aws_calls() == ["BatchGetItem"]


def test_says_what_keeps_e_invoices_from_a_network_until_nothing_does(billed: Invoker) -> None:
    assert _missing(billed) == {
        "en_16931": [],
        "peppol_bis_3": ["account.buyer_reference"],
        "xrechnung_3": ["org.address", "account.address", "account.buyer_reference"],
    }

    german = {
        "address": {**ADDRESS, "country": "DE", "postal_code": "10115"},
        "country": "DE",
        "tax_id": "DE136695976",
        "state_id": None,
        "buyer_reference": "991-03730-19",
    }
    assert billed("billing_info_put_account", german).status == 204

    missing = _missing(billed)
    assert missing["peppol_bis_3"] == []
    assert missing["xrechnung_3"] == ["org.address"]


def test_the_readiness_of_an_account_that_is_not_there(invoke: Invoker) -> None:
    assert invoke("billing_info_get_e_invoice_readiness").status == 404


def test_readiness_costs_one_read(billed: Invoker, aws_calls: Callable[[], list[str]]) -> None:
    aws_calls()

    assert billed("billing_info_get_e_invoice_readiness").status == 200
    assert aws_calls() == ["BatchGetItem"]


def _missing(billed: Invoker) -> dict[str, list[str]]:
    networks = billed("billing_info_get_e_invoice_readiness").json["networks"]
    assert all(each["ready"] is not bool(each["missing"]) for each in networks)
    return {
        each["network"]: [f"{field['profile']}.{field['field']}" for field in each["missing"]]
        for each in networks
    }


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
        pytest.param(
            "billing_info_put_org",
            {"credit_series": "FA"},
            ["credit_series"],
            id="a series like another's lane",
        ),
        pytest.param("billing_info_put_org", {"lanes": 0}, ["lanes"], id="no lanes"),
        pytest.param("billing_info_put_org", {"lanes": 27}, ["lanes"], id="too many lanes"),
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
            {"country": "DE", "address": BERLIN, "tax_id": None},
            ["state_id"],
            id="a province of Spain in Germany",
        ),
        pytest.param(
            "billing_info_put_account", {"billing_day": True}, ["billing_day"], id="true is not 1"
        ),
        pytest.param("billing_info_put_account", {"nick": "x"}, ["nick"], id="an unknown field"),
        pytest.param(
            "billing_info_put_account",
            {"country": "DE", "tax_id": None, "state_id": None},
            ["country"],
            id="another country than the address",
        ),
        pytest.param(
            "billing_info_put_account",
            {"state_id": 35},
            ["state_id"],
            id="another province than the postal code",
        ),
        pytest.param(
            "billing_info_put_account",
            {
                "tax_id": None,
                "vat_number_status": "valid",
                "language": "de",
                "electronic_address": {"scheme": "0213", "id": "FI12345671"},
            },
            ["language", "vat_number_status", "electronic_address.scheme"],
            id="a number that is not there, an unknown language, a withdrawn scheme",
        ),
        *(
            pytest.param(
                event,
                {"electronic_address": {"scheme": scheme, "id": address}},
                ["electronic_address.id"],
                id=f"{address} is no address of {scheme}",
            )
            for event in ("billing_info_put_org", "billing_info_put_account")
            for scheme, address in (
                ("0088", "7300010000002"),
                ("0192", "974760674"),
                ("0208", "0403019262"),
                ("0216", "01120389"),
                ("9930", "DE 136695976"),
                ("EM", "ana.example.com"),
            )
        ),
        *(
            pytest.param(
                "billing_info_put_org",
                {
                    "address": {**ADDRESS, "country": "DE", "postal_code": "10115"},
                    "tax_id": "DE136695976",
                    "phone": phone,
                },
                ["phone"],
                id=f"a German seller with the phone {phone}",
            )
            for phone in (None, "ask us", "12")
        ),
        pytest.param(
            "billing_info_put_account",
            {"tax_id": "１２３４５６７８Z"},
            ["tax_id"],
            id="digits that are not ASCII",
        ),
        *(
            pytest.param(
                event, {"address": {**ADDRESS, **change}}, ["address.region"], id=f"{change}"
            )
            for event in ("billing_info_put_org", "billing_info_put_account")
            for change in (
                {"region": "ES-B"},
                {"region": "PT-30"},
                {"region": "es-m"},
                {"region": "M"},
                {"postal_code": "35001", "region": "ES-M"},
            )
        ),
        *(
            pytest.param(
                event, {"address": {**ADDRESS, "postal_code": code}}, ["address.country"], id=code
            )
            for event in ("billing_info_put_org", "billing_info_put_account")
            for code in ("00001", "53001", "2801", "28013a")
        ),
    ],
)
def test_refuses_a_malformed_profile(
    invoke: Invoker, event: str, change: Any, fields: list[str]
) -> None:
    answer = invoke(event, change)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == fields
    assert invoke(event.replace("put", "get")).status == 404


def test_refuses_one_series_for_both_kinds_where_one_is_left_out(invoke: Invoker) -> None:
    body = json.loads(invoke.event("billing_info_put_org")["body"])
    del body["credit_series"]

    answer = invoke("billing_info_put_org", json.dumps({**body, "invoice_series": "R"}))

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == ["credit_series"]


def test_the_province_follows_from_the_postal_code(billed: Invoker) -> None:
    billed("billing_info_put_account", {"state_id": None})

    assert billed("billing_info_get_account").json["state_id"] == 28


def test_the_region_follows_from_the_postal_code_in_spain_and_is_kept_elsewhere(
    billed: Invoker,
) -> None:
    def region(**address: str) -> Any:
        country = {"country": address["country"], "state_id": None, "tax_id": None}
        answer = billed("billing_info_put_account", {**country, "address": {**ADDRESS, **address}})
        assert answer.status == 204
        return billed("billing_info_get_account").json["address"]["region"]

    assert region(country="ES", postal_code="35001") == "ES-GC"
    assert region(country="ES", postal_code="51001", region="ES-CE") == "ES-CE"
    assert region(country="PT", postal_code="9000-001", region="PT-30") == "PT-30"
    assert region(country="PT", postal_code="9000-001") is None


@pytest.mark.parametrize(("country", "region"), [("PT", "PT-31"), ("PT", "ES-MD"), ("AX", "AX-1")])
def test_a_region_that_is_not_there_is_refused(billed: Invoker, country: str, region: str) -> None:
    address = {**ADDRESS, "country": country, "postal_code": "9000-001", "region": region}
    body = {"country": country, "state_id": None, "tax_id": None, "address": address}

    answer = billed("billing_info_put_account", body)

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == ["address.region"]


def test_the_known_status_of_a_tax_id_stays_until_another_is_named(billed: Invoker) -> None:
    def status(**change: Any) -> str:
        assert billed("billing_info_put_account", change).status == 204
        told: str = billed("billing_info_get_account").json["vat_number_status"]
        return told

    assert status() == "unchecked"
    assert status(vat_number_status="invalid") == "invalid"
    assert status(name="Ana Pérez Nueva") == "invalid"
    assert status(tax_id="87654321X") == "unchecked"
    assert status(tax_id="87654321X", vat_number_status="valid") == "valid"
    assert status(tax_id="87654321X", vat_number_status="unchecked") == "unchecked"


def _text(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
