"""Set or remove an org's own rate."""

from datetime import date
from typing import Protocol

from billing import deadline
from billing.domain.declarable import check_rate
from billing.domain.errors import InvalidRequestError
from billing.domain.regimes.regime import Rate
from billing.domain.tax import TaxType, VatCategory
from billing.domain.tax_rates import OwnRates, rate_at
from billing.domain.territories import Place


class OwnRatesRepository(Protocol):
    def get(self, org_id: str) -> OwnRates: ...

    def replace(self, org_id: str, known: OwnRates, changed: OwnRates) -> None: ...


def set_own_rate(org_id: str, place: Place, rate: Rate, *, rates: OwnRatesRepository) -> None:
    """
    Set the rate of a place from a day on; what is in force by then is not written again.

    Raise InvalidRequestError where the place cannot have such a tax.
    """
    kind = rate.tax.type
    if kind is not TaxType.NONE and kind not in place.taxes:
        raise InvalidRequestError.of(
            "tax.type", f"must be {place.taxes[0]} there, or NONE; {kind} is charged elsewhere"
        )
    check_rate(rate.tax, "tax")
    if rate.tax.category is VatCategory.REVERSE_CHARGE:
        raise InvalidRequestError.of(
            "tax.category", "AE depends on the customer, and cannot be the rate of a place"
        )

    def change() -> None:
        own = rates.get(org_id)
        if rate_at(place, rate.valid_from, own) != rate:
            rates.replace(org_id, own, own.plus(place.names[0], rate))

    deadline.retry(change)


def remove_own_rate(
    org_id: str, place: Place, valid_from: date, *, rates: OwnRatesRepository
) -> None:
    """Remove the rate of a place that is valid from a day, if there is one."""

    def change() -> None:
        own = rates.get(org_id)
        less = own.minus(place.names[0], valid_from)
        if less != own:
            rates.replace(org_id, own, less)

    deadline.retry(change)
