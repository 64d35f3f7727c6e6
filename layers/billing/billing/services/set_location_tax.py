"""Set an org's own rate."""

from typing import Protocol

from billing import deadline
from billing.domain.errors import ContentionError
from billing.domain.regimes.regime import Rate
from billing.domain.tax_rates import OwnRates


class LocationTaxes(Protocol):
    def get(self, org_id: str) -> OwnRates: ...

    def replace(self, org_id: str, known: OwnRates, changed: OwnRates) -> None: ...


def set_location_tax(
    org_id: str, state_id: int, rate: Rate, *, location_taxes: LocationTaxes
) -> None:
    """Let a province have another rate from a day on; what is set already is not set again."""
    for _ in deadline.attempts():
        own = location_taxes.get(org_id)
        if rate in own.by_province.get(state_id, ()):
            return
        try:
            location_taxes.replace(org_id, own, own.plus(state_id, rate))
        except ContentionError:
            continue
        return
    raise ContentionError
