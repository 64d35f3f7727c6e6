"""
Exchange rates: how amounts are stated in the national currency of the seller.

A document in another currency states its VAT in the national one too (art. 230 of Directive
2006/112/EC), at the reference rate of the European Central Bank or at the org's own. Both are units
of a currency for 1 EUR, and what is not in EUR is converted by way of it (art. 91 (2)).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.domain.money import EXACT, Money
from billing.domain.regimes.eu import MEMBER_STATES

EURO = "EUR"
MAX_AGE = timedelta(days=10)
"""A rate is used for its own day, and for this long after it: the ECB has none on holidays."""

_OWN_CURRENCIES = {
    "CZ": "CZK", "DK": "DKK", "HU": "HUF", "PL": "PLN", "RO": "RON", "SE": "SEK",
}  # fmt: skip


def national_currency(country: str) -> str | None:
    """Return the currency in which a country's VAT is stated; None outside the EU's VAT area."""
    if country in MEMBER_STATES or country == "MC":
        return _OWN_CURRENCIES.get(country, EURO)
    return None


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """Units of a currency for 1 EUR on a day."""

    currency: str
    day: date
    per_euro: Decimal


type FindRate = Callable[[str, str, date], ExchangeRate | None]
"""Finds the rate of an org, a currency and a day; None where there is none that is fresh enough."""

type DailyRates = Mapping[str, Decimal]
"""The reference rates of a day: units for 1 EUR, by currency."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """
    The VAT of a document in the national currency, and how it was converted.

    `foreign` and `national` are units of the document's currency and of the national one for 1 EUR,
    as they were on `day`.
    """

    tax: Money
    day: date
    foreign: Decimal
    national: Decimal

    def of(self, amount: Money) -> Money:
        """Convert an amount in the document's currency, rounded once."""
        exact = EXACT.divide(EXACT.multiply(amount.major, self.national), self.foreign)
        return Money.rounded(exact, self.tax.currency)

    def sides(self, currency: str) -> Mapping[str, Decimal]:
        """Return what 1 EUR is in each currency: `1 EUR = 1.0812 USD = 10.978 SEK`."""
        return {EURO: Decimal(1), currency: self.foreign, self.tax.currency: self.national}
