"""The VAT of a document in a foreign currency: stated in the national one, at a known rate."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from currency_converter import CurrencyConverter  # type: ignore[import-untyped]

from billing.domain.exchange_rates import ExchangeRate
from billing.domain.invoices import IssuedInvoice
from billing.domain.money import Money
from billing.persistence.exchange_rates import ExchangeRateRepository
from tests.integration.billing import Runs, issued
from tests.integration.conftest import Answer, Invoker

pytestmark = pytest.mark.moto

DAY = date(2026, 10, 28)
NOW = datetime(2026, 10, 28, 10, tzinfo=UTC)
LINE = {"description": "Plan", "quantity": 1, "unit_price": 100}
IVA = {"type": "IVA", "percentage": 21}
NO_TAX = {"type": "NONE", "percentage": 0}


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.clock.now", lambda: NOW)


def rates_of(day: date) -> dict[str, Decimal]:
    """Read the ECB's rates of a day from a package that has them."""
    converter = CurrencyConverter(decimal=True)
    return {code: converter.convert(1, "EUR", code, day) for code in ("USD", "JPY", "SEK", "GBP")}


@pytest.fixture
def ecb(aws: None) -> dict[str, Decimal]:
    rates = rates_of(DAY)
    ExchangeRateRepository().put_daily(DAY, rates)
    return rates


def bill(billed: Invoker, currency: str, external_id: str = "one", **more: Any) -> Answer:
    return billed(
        "invoices_create",
        {
            "external_invoice_unique_id": external_id,
            "currency": currency,
            "due_date": None,
            "lines": [{**LINE, "tax": IVA}],
            **more,
        },
    )


def documents(billed: Invoker) -> list[IssuedInvoice]:
    return list(issued(billed.org_id, "100001"))


@pytest.mark.parametrize("currency", ["USD", "JPY"])
def test_states_the_vat_in_the_national_currency_as_an_independent_converter_does(
    billed: Invoker, ecb: dict[str, Decimal], currency: str
) -> None:
    assert bill(billed, currency).status == 201

    [invoice] = documents(billed)
    converter = CurrencyConverter(decimal=True)
    expected = converter.convert(invoice.tax.major, currency, "EUR", DAY)
    assert invoice.conversion is not None
    assert invoice.conversion.tax == Money.rounded(Decimal(expected), "EUR")
    assert (invoice.conversion.day, invoice.conversion.foreign) == (DAY, ecb[currency])
    assert billed("invoices_get_whole", invoiceId="1").json["national_tax"] == {
        "currency": "EUR",
        "amount": float(invoice.conversion.tax.major),
        "date": "2026-10-28",
        "per_euro": {"EUR": 1, currency: float(ecb[currency])},
    }


def test_a_document_without_vat_or_in_the_national_currency_states_nothing(
    billed: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    aws_calls()
    assert bill(billed, "EUR", "euro").status == 201
    assert bill(billed, "USD", "untaxed", lines=[{**LINE, "tax": NO_TAX}]).status == 201

    assert [each.conversion for each in documents(billed)] == [None, None]
    assert aws_calls().count("Query") <= 2  # those of documents() itself


def test_without_a_fresh_rate_nothing_is_issued_until_one_is_set(billed: Invoker) -> None:
    ExchangeRateRepository().put_own(
        billed.org_id, ExchangeRate("UAH", date(2026, 10, 17), Decimal(48))
    )

    refused = bill(billed, "UAH")
    assert (refused.status, refused.json["code"]) == (409, "RATE_MISSING")
    assert f"/v1/orgs/{billed.org_id}/exchange_rates/UAH/2026-10-28" in refused.json["message"]
    assert documents(billed) == []

    path: Any = {"currency": "UAH", "date": "2026-10-28"}
    assert billed("location_tax_put_exchange_rate", {"rate": 48.5}, **path).status == 204
    assert bill(billed, "UAH").status == 201
    [invoice] = documents(billed)
    assert invoice.conversion is not None
    assert invoice.conversion.tax == Money(43, "EUR")  # 21 / 48.5


def test_the_rate_is_that_of_the_day_of_supply(billed: Invoker, ecb: dict[str, Decimal]) -> None:
    rates = ExchangeRateRepository()
    for day, rate in ((date(2026, 9, 29), "1.25"), (date(2026, 10, 27), "1.5")):
        rates.put_own(billed.org_id, ExchangeRate("USD", day, Decimal(rate)))
    september = {**LINE, "tax": IVA, "period_start": "2026-09-01", "period_end": "2026-09-30"}
    to_come = {**LINE, "tax": IVA, "period_start": "2026-10-01", "period_end": "2026-12-31"}

    assert bill(billed, "USD", "past", lines=[september]).status == 201
    assert bill(billed, "USD", "future", lines=[to_come]).status == 201

    stated = [each.conversion for each in documents(billed)]
    assert [(each.day, each.tax) for each in stated if each] == [
        (date(2026, 9, 29), Money(1680, "EUR")),
        (date(2026, 10, 27), Money(1400, "EUR")),
    ]


def test_another_currency_than_the_euro_is_converted_by_way_of_it(
    invoke: Invoker, ecb: dict[str, Decimal]
) -> None:
    swedish = {
        "tax_id": "SE123456789701",
        "address": {
            "street": "Gatan 1", "postal_code": "111 22", "city": "Stockholm", "country": "SE",
        },
        "currency": "SEK",
        "time_zone": "Europe/Stockholm",
        "iban": None,
        "bic": None,
    }  # fmt: skip
    assert invoke("billing_info_put_org", swedish).status == 204
    assert invoke("billing_info_put_account").status == 204
    vat = {"type": "VAT", "percentage": 25}

    for currency in ("USD", "EUR"):
        lines = [{**LINE, "tax": vat}]
        assert bill(invoke, currency, currency, lines=lines).status == 201

    in_usd, in_eur = (each.conversion for each in documents(invoke))
    assert in_usd is not None
    assert in_usd.tax == Money.rounded(25 / ecb["USD"] * ecb["SEK"], "SEK")
    assert in_eur is not None
    assert in_eur.tax == Money.rounded(25 * ecb["SEK"], "SEK")
    assert in_eur.sides("EUR") == {"EUR": 1, "SEK": ecb["SEK"]}


def test_credit_notes_take_over_the_rate_and_come_to_exactly_the_whole(
    billed: Invoker, ecb: dict[str, Decimal]
) -> None:
    rates = ExchangeRateRepository()
    rates.put_own(billed.org_id, ExchangeRate("USD", DAY, Decimal(4)))
    assert bill(billed, "USD", lines=[{**LINE, "unit_price": 10, "tax": IVA}]).status == 201
    rates.put_own(billed.org_id, ExchangeRate("USD", DAY, Decimal(2)))

    for number, amount in enumerate((3.33, 3.33, 3.34)):
        credit = {
            "external_credit_note_unique_id": f"part-{number}",
            "lines": [{"line": 1, "amount_without_taxes": amount}],
        }
        assert billed("invoices_credit", credit, invoiceId="1").status == 201

    invoice, *notes = documents(billed)
    assert invoice.conversion is not None
    stated = [note.conversion for note in notes]
    assert {each.foreign for each in stated if each} == {Decimal(4)}
    assert invoice.conversion.tax == Money(53, "EUR")  # 2.10 / 4; each part by itself is 0.18
    assert [each.tax.minor for each in stated if each] == [-18, -17, -18]


def test_a_run_states_it_too_reads_a_rate_once_and_names_what_misses_one(
    billed: Invoker,
    runs: Runs,
    ecb: dict[str, Decimal],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.clock.now", lambda: NOW)
    amount = {"value_with_taxes": 121, "value_without_taxes": 100, "tax": IVA}
    rates = ExchangeRateRepository()
    rates.put_own(billed.org_id, ExchangeRate("UAH", DAY - timedelta(days=9), Decimal(40)))
    for currency in ("USD", "UAH"):
        charge = {
            "external_movement_unique_id": currency,
            "movement_datetime": "2026-10-28T09:00:00Z",
            "period_start_datetime": None,
            "period_end_datetime": None,
            "amount": {**amount, "currency": currency},
        }
        assert billed("movements_create", charge).status == 201
    rates.put_daily(date(2026, 10, 30), ecb)
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 11, 1, 5, tzinfo=UTC))

    ended = runs.run(until="2026-11-01")
    assert [each["code"] for each in ended["failures"]] == ["RATE_MISSING"]
    assert documents(billed) == []

    path: Any = {"currency": "UAH", "date": "2026-10-30"}
    assert billed("location_tax_put_exchange_rate", {"rate": 42}, **path).status == 204
    runs.run(until="2026-11-01")
    stated = {each.currency: each.conversion for each in documents(billed)}
    assert stated["UAH"] is not None
    assert stated["UAH"].tax == Money(50, "EUR")
    assert stated["USD"] is not None
    assert stated["USD"].day == date(2026, 10, 30)


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_the_e_invoice_states_the_vat_the_rate_and_its_day(
    billed: Invoker, ecb: dict[str, Decimal], syntax: str
) -> None:
    assert bill(billed, "USD").status == 201

    answer = billed("invoices_e_invoice", invoiceId="1", query={"format": syntax})

    [invoice] = documents(billed)
    assert invoice.conversion is not None
    assert "TaxCurrencyCode>EUR<" in answer.text
    assert f'currencyID="EUR">{invoice.conversion.tax.major}<' in answer.text
    assert f"1 EUR = {ecb['USD']:f} USD (2026-10-28)" in answer.text
    assert json.dumps(answer.text)


def test_what_could_not_be_billed_is_not_charged(billed: Invoker) -> None:
    def amount(currency: str, percentage: int) -> dict[str, Any]:
        tax = {"type": "IVA", "percentage": percentage} if percentage else NO_TAX
        gross = 100 + percentage
        return {
            "value_with_taxes": gross, "value_without_taxes": 100, "tax": tax, "currency": currency,
        }  # fmt: skip

    def charge(currency: str, percentage: int = 21) -> Answer:
        external = {"external_movement_unique_id": f"{currency} {percentage}"}
        return billed("movements_create", {"amount": amount(currency, percentage), **external})

    def adjust(currency: str, percentage: int = 21) -> Answer:
        external = {"external_adjustment_unique_id": f"{currency} {percentage}"}
        body = {"amount": amount(currency, percentage), **external}
        return billed("movements_adjust", body)

    def use(currency: str, percentage: int = 21) -> Answer:
        [first, *_] = json.loads(billed.event("consumptions_create")["body"])["records"]
        external = {"external_consumption_unique_id": f"{currency} {percentage}"}
        record = {**first, "amount": amount(currency, percentage), **external}
        return billed("consumptions_create", {"records": [record]})

    assert charge("UAH", 0).status == 201
    assert adjust("UAH", 0).status == 201
    assert use("UAH", 0).status == 201
    for refused in (charge("UAH"), adjust("UAH"), use("UAH")):
        assert (refused.status, refused.json["code"]) == (409, "RATE_MISSING")
        assert [each["field"] for each in refused.json["details"]] == ["currency"]


def test_only_a_foreign_currency_costs_more_reads(
    billed: Invoker, ecb: dict[str, Decimal], aws_calls: Callable[[], list[str]]
) -> None:
    amount = {"value_with_taxes": 121, "value_without_taxes": 100, "tax": IVA}

    def calls(event: str, body: dict[str, Any]) -> list[str]:
        aws_calls()
        assert billed(event, body).status == 201
        return aws_calls()

    bill(billed, "EUR", "first")  # the first of a series depends on more
    for currency, more in (("EUR", []), ("USD", ["Query", "Query"])):
        invoice = {
            "external_invoice_unique_id": f"another {currency}",
            "currency": currency,
            "due_date": None,
            "lines": [{**LINE, "tax": IVA}],
        }
        movement = {
            "external_movement_unique_id": currency,
            "amount": {**amount, "currency": currency},
        }
        assert calls("invoices_create", invoice) == [
            "BatchGetItem", "BatchGetItem", *more, "TransactWriteItems",
        ]  # fmt: skip
        assert calls("movements_create", movement) == ["BatchGetItem", *more, "TransactWriteItems"]
