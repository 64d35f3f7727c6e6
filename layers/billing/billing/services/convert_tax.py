"""State the VAT of a document in the national currency of its seller."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from billing.domain.errors import RateMissingError
from billing.domain.exchange_rates import (
    EURO,
    MAX_AGE,
    Conversion,
    ExchangeRate,
    FindRate,
    national_currency,
)
from billing.domain.invoices import Draft
from billing.domain.money import Money
from billing.domain.parties import Org
from billing.domain.periods import local_date
from billing.domain.tax import TaxedAmount


def with_national_tax(draft: Draft, now: datetime, find_rate: FindRate) -> Draft:
    """
    Return a draft with its VAT in the national currency too, where it charges VAT in another.

    What is declared to the tax agency needs a rate even if it charges no VAT: that of today, where
    there is none of its day, as what came in before the org was declared was accepted without. Only
    a document in a foreign currency asks for rates. A credit note for an invoice takes over the
    rate of that: see Creditable.conversion_of(). Raise RateMissingError where there is none that is
    fresh enough.
    """
    seller, has_vat = draft.seller, any(total.amount for total in draft.taxes)
    is_stated = has_vat or seller.is_declared
    if draft.conversion or not is_stated or not _is_foreign(draft.currency, seller):
        return draft
    day = draft.supply_day(now)
    try:
        conversion = _conversion(draft.currency, seller, day, find_rate)
    except RateMissingError:
        today = local_date(now, seller.time_zone)
        if has_vat or day == today:
            raise
        conversion = _conversion(draft.currency, seller, today, find_rate)
    return replace(draft, conversion=replace(conversion, tax=conversion.of(draft.tax)))


def check_rates(
    amounts: Iterable[TaxedAmount],
    seller: Org,
    now: datetime,
    find_rate: FindRate,
    last_day: date | None = None,
) -> None:
    """
    Check that what is to be charged can be billed.

    Raise RateMissingError where its VAT has to be stated in the national currency, or all of it to
    be declared, and there is no rate today, or on the last day of its supply if that is over.
    """
    day = min(local_date(now, seller.time_zone), last_day or date.max)
    stated = (each for each in amounts if seller.is_declared or each.tax.percentage)
    for currency in {each.net.currency for each in stated}:
        if _is_foreign(currency, seller):
            _conversion(currency, seller, day, find_rate)


def _is_foreign(currency: str, seller: Org) -> bool:
    return national_currency(seller.address.country) not in (None, currency)


def _conversion(currency: str, seller: Org, day: date, find_rate: FindRate) -> Conversion:
    """Return how amounts are converted on a day, without any yet."""

    def rate_of(currency: str) -> ExchangeRate:
        if currency == EURO:
            return ExchangeRate(EURO, day, Decimal(1))
        rate = find_rate(seller.id, currency, day)
        if rate is None:
            raise RateMissingError(seller.id, currency, day, MAX_AGE.days)
        return rate

    national = national_currency(seller.address.country) or currency
    foreign, own = rate_of(currency), rate_of(national)
    return Conversion(
        tax=Money.zero(national),
        day=min(foreign.day, own.day),
        foreign=foreign.per_euro,
        national=own.per_euro,
    )
