"""Tax: once per kind and rate, and checked where the caller computed it."""

from datetime import date
from decimal import Decimal

import pytest

from billing.domain.errors import InvalidRequestError
from billing.domain.money import Money
from billing.domain.records import tax_record
from billing.domain.tax import NO_TAX, Tax, TaxedAmount, TaxType, tax_totals
from billing.domain.tax_rates import NO_OWN_RATES, rate_at
from billing.domain.territories import named_place

IVA = Tax(TaxType.IVA, Decimal(21))
VAT19 = Tax(TaxType.VAT, Decimal(19))
VAT20 = Tax(TaxType.VAT, Decimal(20))


def _eur(major: str) -> Money:
    return Money.exactly(Decimal(major), "EUR")


@pytest.mark.parametrize(
    ("net", "tax", "amount"),
    [
        pytest.param("12083.50", VAT20, "2416.70", id="50 × 241.67 at 20 %"),
        pytest.param("73.88", VAT19, "14.04", id="73.875 at 19 %"),
        pytest.param("-73.88", VAT19, "-14.04", id="a credit note mirrors it"),
        pytest.param("100", NO_TAX, "0", id="untaxed"),
    ],
)
def test_tax_on_a_net(net: str, tax: Tax, amount: str) -> None:
    assert tax.on(_eur(net)) == _eur(amount)


def test_taxes_the_sum_of_each_rate_once_highest_first() -> None:
    totals = tax_totals([(VAT19, _eur("0.03")), (VAT20, _eur("1")), (VAT19, _eur("0.03"))])

    assert [(total.tax, total.net, total.amount) for total in totals] == [
        (VAT20, _eur("1"), _eur("0.20")),
        (VAT19, _eur("0.06"), _eur("0.01")),
    ]


@pytest.mark.parametrize("gross", ["12.09", "12.1", "12.11"])
def test_accepts_a_gross_within_one_cent(gross: str) -> None:
    assert TaxedAmount(_eur("10"), _eur(gross), IVA).gross == _eur(gross)


@pytest.mark.parametrize("gross", ["12.08", "12.12", "10", "-12.1"])
def test_refuses_a_gross_that_is_further_off(gross: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"12\.10"):
        TaxedAmount(_eur("10"), _eur(gross), IVA)


def test_no_tax_has_no_rate() -> None:
    with pytest.raises(InvalidRequestError):
        Tax(TaxType.NONE, Decimal(21))


@pytest.mark.parametrize(
    "text", ["10", "20", "1E+1", "2E+1", "21.00", "8.1", "0", "0.00", "-0", "100"]
)
def test_a_rate_is_written_one_way_and_without_an_exponent(text: str) -> None:
    tax = Tax(TaxType.VAT, Decimal(text))

    plain = {"1E+1": "10", "2E+1": "20", "21.00": "21", "0.00": "0", "-0": "0"}.get(text, text)
    assert tax_record(tax)["percentage"] == str(tax.percentage) == plain


@pytest.mark.parametrize("rate", [10, 20])
def test_a_message_says_the_rate_in_plain_digits(rate: int) -> None:
    tax = Tax(TaxType.VAT, Decimal(rate).normalize())

    with pytest.raises(InvalidRequestError) as refused:
        TaxedAmount(_eur("100"), _eur("100"), tax)

    said = f"100.00 and {rate} % make {100 + rate}.00, not 100.00"
    assert [detail.message for detail in refused.value.details] == [said]


@pytest.mark.parametrize(
    ("country", "region", "tax"),
    [
        ("ES", "ES-M", IVA),
        ("ES", None, IVA),
        ("ES", "ES-GC", Tax(TaxType.IGIC, Decimal(7))),
        ("ES", "ES-TF", Tax(TaxType.IGIC, Decimal(7))),
        ("ES", "ES-CE", Tax(TaxType.IPSI, Decimal(10))),
        ("ES", "ES-ML", Tax(TaxType.IPSI, Decimal(8))),
        ("DE", None, VAT19),
        ("US", None, None),
    ],
)
def test_knows_the_tax_of_a_place(country: str, region: str | None, tax: Tax | None) -> None:
    rate = rate_at(named_place(country, region), date(2026, 11, 21), NO_OWN_RATES)

    assert (rate and rate.tax) == tax
