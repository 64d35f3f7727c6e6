"""The tax of a place on a day: what its regime says, or the org's own rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from billing.domain.errors import ConflictError
from billing.domain.regimes import REGIMES
from billing.domain.regimes.regime import Rate
from billing.domain.tax import NO_TAX, Tax

MAX_OWN_RATES = 24
"""How many rates an org can set for one province; all of an org's are read with each invoice."""


@dataclass(frozen=True, slots=True)
class OwnRates:
    """The rates that an org has set itself, by province, oldest first; `version` counts changes."""

    version: int = 0
    by_province: Mapping[int, Sequence[Rate]] = field(default_factory=dict)

    def plus(self, state_id: int, rate: Rate) -> "OwnRates":
        """
        Return the rates with a new one, which replaces an earlier one of the same day.

        Raise ConflictError where the province has too many rates.
        """
        others = [
            each
            for each in self.by_province.get(state_id, ())
            if each.valid_from != rate.valid_from
        ]
        if len(others) >= MAX_OWN_RATES:
            raise ConflictError(
                f"The province already has {MAX_OWN_RATES} own rates, which is the limit."
            )
        rates = sorted([*others, rate], key=lambda each: each.valid_from)
        return OwnRates(self.version + 1, {**self.by_province, state_id: tuple(rates)})

    def at(self, country: str, state_id: int) -> Sequence[Rate]:
        """Return the org's rates of a region; orgs set them for the provinces of Spain only."""
        return self.by_province.get(state_id, ()) if country == "ES" else ()


NO_OWN_RATES = OwnRates()


@dataclass(frozen=True, slots=True)
class LocationTax:
    """The tax of a place; `state_id` None is a whole country."""

    country: str
    state_id: int | None
    name: str
    rate: Rate


def tax_at(country: str, state_id: int | None, day: date, own: OwnRates) -> Tax:
    """
    Return the tax of a place on a day; none where the country has no regime.

    `state_id` counts where the country is divided into regions: in Spain, the INE province code.
    """
    regime = REGIMES.get(country)
    if regime is None:
        return NO_TAX
    if state_id is None or not regime.regions:
        return _in_force(regime.rates, day).tax
    return region_tax(country, state_id, day, own).rate.tax


def region_tax(country: str, state_id: int, day: date, own: OwnRates) -> LocationTax:
    """Return the tax of a region on a day: the org's own rate, where it has set one by then."""
    region = REGIMES[country].regions[state_id]
    set_by_then = [each for each in own.at(country, state_id) if each.valid_from <= day]
    rate = set_by_then[-1] if set_by_then else _in_force(region.rates, day)
    return LocationTax(country, state_id, region.name, rate)


def location_taxes(country: str | None, day: date, own: OwnRates) -> list[LocationTax]:
    """List the tax of every country with a regime, or of one, and then of their regions."""
    regimes = [regime for code, regime in REGIMES.items() if country in (None, code)]
    countries = [
        LocationTax(regime.country, None, regime.name, _in_force(regime.rates, day))
        for regime in regimes
    ]
    regions = [
        region_tax(regime.country, state_id, day, own)
        for regime in regimes
        for state_id in regime.regions
    ]
    return countries + regions


def _in_force(rates: Sequence[Rate], day: date) -> Rate:
    """Return the rate of a day; for days before the data begins, the oldest stands in."""
    return max(
        (rate for rate in rates if rate.valid_from <= day), default=rates[0], key=_valid_from
    )


def _valid_from(rate: Rate) -> date:
    return rate.valid_from
