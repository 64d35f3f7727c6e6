"""Set an org's own rate."""

from typing import Protocol

from billing import deadline
from billing.domain.regimes.regime import Rate
from billing.domain.tax_rates import OwnRates, region_tax


class LocationTaxes(Protocol):
    def get(self, org_id: str) -> OwnRates: ...

    def replace(self, org_id: str, known: OwnRates, changed: OwnRates) -> None: ...


def set_location_tax(
    org_id: str, state_id: int, rate: Rate, *, location_taxes: LocationTaxes
) -> None:
    """Set the rate of a province from a day on; what is in force by then is not written again."""

    def change() -> None:
        own = location_taxes.get(org_id)
        if region_tax("ES", state_id, rate.valid_from, own).rate != rate:
            location_taxes.replace(org_id, own, own.plus(state_id, rate))

    deadline.retry(change)
