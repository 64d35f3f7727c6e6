"""In which currency VAT is stated, and how it is converted."""

from datetime import date
from decimal import Decimal

import pytest

from billing.domain.exchange_rates import Conversion, national_currency
from billing.domain.money import Money
from billing.domain.regimes.eu import MEMBER_STATES

DAY = date(2026, 11, 20)


def converted(minor: int, currency: str, foreign: str, national: str, into: str) -> Money:
    conversion = Conversion(Money.zero(into), DAY, Decimal(foreign), Decimal(national))
    return conversion.of(Money(minor, currency))


@pytest.mark.parametrize(
    ("minor", "currency", "foreign", "national", "into", "expected"),
    [
        pytest.param(2100, "USD", "1.0812", "1", "EUR", 1942, id="19.4229 EUR"),
        pytest.param(1, "USD", "2", "1", "EUR", 1, id="half a cent, up"),
        pytest.param(-1, "USD", "2", "1", "EUR", -1, id="half a cent, away from zero"),
        pytest.param(2500, "JPY", "163.06", "1", "EUR", 1533, id="from no decimals to two"),
        pytest.param(2500, "BHD", "0.4", "1", "EUR", 625, id="from three decimals to two"),
        pytest.param(2100, "EUR", "1", "10.978", "SEK", 23054, id="from EUR"),
        pytest.param(2100, "USD", "1.0812", "10.978", "SEK", 21322, id="by way of EUR"),
        pytest.param(10**15 - 1, "USD", "0.00000003", "1", "EUR", None, id="every digit"),
    ],
)
def test_converts_and_rounds_once(
    minor: int, currency: str, foreign: str, national: str, into: str, expected: int | None
) -> None:
    result = converted(minor, currency, foreign, national, into)

    assert result.currency == into
    assert result.minor == (33333333333333300000000 if expected is None else expected)


def test_member_states_have_their_own_currency_or_the_euro() -> None:
    others = {each: national_currency(each) for each in MEMBER_STATES if each not in EURO_AREA}

    assert {national_currency(each) for each in EURO_AREA} == {"EUR"}
    assert others == {
        "CZ": "CZK", "DK": "DKK", "HU": "HUF", "PL": "PLN", "RO": "RON", "SE": "SEK",
    }  # fmt: skip
    assert national_currency("MC") == "EUR"
    assert national_currency("GB") is national_currency("US") is None


EURO_AREA = set("AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK".split())
"""Bulgaria since 2026."""


def test_says_what_one_euro_is() -> None:
    dollars = Conversion(Money.zero("EUR"), DAY, Decimal("1.0812"), Decimal(1))
    swedish = Conversion(Money.zero("SEK"), DAY, Decimal("1.0812"), Decimal("10.978"))

    assert dollars.sides("USD") == {"EUR": 1, "USD": Decimal("1.0812")}
    assert list(swedish.sides("USD")) == ["EUR", "USD", "SEK"]
