"""State the VAT of a document in the national currency of its seller."""

from dataclasses import replace
from datetime import datetime
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


def with_national_tax(draft: Draft, now: datetime, find_rate: FindRate) -> Draft:
    """
    Return a draft with its VAT in the national currency too, where it charges VAT in another.

    A credit note has the conversion of its original already. Only a document in a foreign currency
    asks for rates. Raise RateMissingError where there is none that is fresh enough.
    """
    national = national_currency(draft.seller.address.country)
    charged = any(total.amount for total in draft.taxes)
    if national in (None, draft.currency) or draft.corrects or not charged:
        return draft
    day = draft.supply_day(now)

    def rate_of(currency: str) -> ExchangeRate:
        if currency == EURO:
            return ExchangeRate(EURO, day, Decimal(1))
        rate = find_rate(draft.seller.id, currency, day)
        if rate is None:
            raise RateMissingError(draft.seller.id, currency, day, MAX_AGE.days)
        return rate

    foreign, own = rate_of(draft.currency), rate_of(national)
    conversion = Conversion(
        tax=Money.zero(national),
        day=min(foreign.day, own.day),
        foreign=foreign.per_euro,
        national=own.per_euro,
    )
    return replace(draft, conversion=replace(conversion, tax=conversion.of(draft.tax)))
