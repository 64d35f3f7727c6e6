"""Numbers and dates, as they are written in the country of the buyer."""

import re
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval
from babel.numbers import NumberPattern, format_percent, parse_pattern

from billing.domain.invoices import LinePeriod
from billing.domain.money import CURRENCIES, Money
from billing.domain.parties import Account
from billing.domain.texts import language_of
from billing.presentation.epc_qr import SEPA
from billing.presentation.text import shown

_DAYS = re.compile(r"((?:\S+: )?)(\d{4}-\d\d-\d\d) – (\d{4}-\d\d-\d\d)")
"""The first and the last day of a cycle, behind the number of the invoice that a note credits."""
_WHOSE_YEN = re.compile(r"\b[A-Z]{2}¥")


@cache
def _locale(language: str, country: str) -> Locale:
    # UN M49: 150 is Europe, 001 is the world; some languages are written in one way in all of it.
    for territory in (country, "150" if country in SEPA else "001"):
        with suppress(UnknownLocaleError):
            return Locale(language, territory)
    return Locale(language)


def locale_of(buyer: Account) -> Locale:
    """Return the locale of a buyer: the document's language, as it is written in the country."""
    return _locale(language_of(buyer), buyer.country)


@cache
def day(value: date, locale: Locale) -> str:
    """Write a day."""
    return format_date(value, "medium", locale)


@cache
def period(value: LinePeriod, locale: Locale) -> str:
    """Write the first and the last day of a period, naming month and year once if they agree."""
    return format_interval(value.start, value.end, "yMMMd", locale=locale)


def heading(description: str, locale: Locale) -> str:
    """Write a description; days that are all of it, as of a run, are written as others are."""
    days = _DAYS.fullmatch(description)
    if days:
        credited, *names = days.groups()
        with suppress(ValueError):  # no such day: somebody else's words
            between = LinePeriod(*map(date.fromisoformat, names))
            return shown(credited + period(between, locale))
    return shown(description)


def amount(money: Money, locale: Locale, sign: int = 1) -> str:
    """Write an amount without its currency."""
    return number(money.major * sign, CURRENCIES[money.currency], locale)


def with_currency(money: Money, locale: Locale, sign: int = 1) -> str:
    """Write an amount with the sign of its currency: ¥, where Babel would say whose."""
    pattern = _pattern(locale, CURRENCIES[money.currency], "currency")
    written = pattern.apply(
        money.major * sign, locale, currency=money.currency, currency_digits=False
    )
    return shown(_with_minus(_WHOSE_YEN.sub("¥", written)), keep_spaces=True)


@cache
def percentage(value: Decimal, locale: Locale) -> str:
    """Write a percentage; 21 means 21 %."""
    return format_percent(value / 100, locale=locale, decimal_quantization=False)


def number(value: Decimal, decimals: int, locale: Locale) -> str:
    """Write a number with so many decimals."""
    return _with_minus(_pattern(locale, decimals, "decimal").apply(value, locale))


def decimals(value: Decimal) -> int:
    """Count the decimals that a number needs."""
    return max(0, -int(value.normalize().as_tuple().exponent))


def _with_minus(written: str) -> str:
    return written.replace("-", "\N{MINUS SIGN}")


@cache
def _pattern(locale: Locale, decimals: int, kind: str) -> NumberPattern:
    """
    Return a locale's pattern with so many decimals.

    Babel knows decimals of currencies too, but those of cash: it would round away the paras of
    a Serbian invoice.
    """
    patterns = {
        "decimal": locale.decimal_formats[None],
        "currency": locale.currency_formats["standard"],
    }
    fraction = "." + "0" * decimals if decimals else ""
    return parse_pattern(re.sub(r"0\.[0#]+", f"0{fraction}", patterns[kind].pattern))
