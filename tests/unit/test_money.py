"""Money: exact, in whole minor units, rounded half up in one place."""

from decimal import Decimal

import iso4217
import pytest

from billing.domain.errors import InvalidRequestError
from billing.domain.money import CURRENCIES, Money, currency_sign


@pytest.mark.parametrize(
    ("major", "currency", "minor"),
    [
        ("12.1", "EUR", 1210),
        ("8", "JPY", 8),
        ("1.234", "BHD", 1234),
        ("-0.01", "EUR", -1),
        ("999999999999.99", "EUR", 99999999999999),
    ],
)
def test_takes_amounts_exactly(major: str, currency: str, minor: int) -> None:
    money = Money.exactly(Decimal(major), currency)

    assert money.minor == minor
    assert money.major == Decimal(major)


@pytest.mark.parametrize(
    ("major", "currency"), [("1.005", "EUR"), ("8.5", "JPY"), ("1.2345", "BHD")]
)
def test_refuses_more_decimals_than_the_currency_has(major: str, currency: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        Money.exactly(Decimal(major), currency, "price")

    assert refused.value.details[0].field == "price"


@pytest.mark.parametrize(
    ("major", "currency", "minor"),
    [
        ("73.875", "EUR", 7388),
        ("-73.875", "EUR", -7388),
        ("0.005", "EUR", 1),
        ("0.0049999", "EUR", 0),
        ("2.5", "JPY", 3),
        ("1.0005", "BHD", 1001),
    ],
)
def test_rounds_half_up_away_from_zero(major: str, currency: str, minor: int) -> None:
    assert Money.rounded(Decimal(major), currency) == Money(minor, currency)


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        Money(1, "EUR") + Money(1, "USD")
    with pytest.raises(ValueError, match="cannot be added"):
        _ = Money(1, "EUR") < Money(1, "USD")


def test_knows_the_decimals_and_the_sign_of_currencies() -> None:
    assert (CURRENCIES["EUR"], CURRENCIES["JPY"], CURRENCIES["KWD"]) == (2, 0, 3)
    assert set(CURRENCIES.values()) == {0, 2, 3}
    assert (currency_sign("EUR"), currency_sign("CHF")) == ("€", "CHF")


_NO_NATIONAL_CURRENCY = {
    "BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "XAD", "XAG", "XAU", "XBA",
    "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX",
}  # fmt: skip
"""Funds, metals, units of account, and codes for tests and for nothing."""
NOT_IN_THE_RULES = {"STN"}
"""In use, but not in the code list of EN 16931 (BR-CL-04)."""


def test_currencies_are_those_of_iso_4217_with_their_decimals() -> None:
    in_use = {each.code: each.exponent for each in iso4217.Currency}

    assert {
        code: exponent
        for code, exponent in in_use.items()
        if code not in _NO_NATIONAL_CURRENCY | NOT_IN_THE_RULES
    } == CURRENCIES
