"""The tax of a place on a day: what its regime says, or the org's own rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from billing.domain.errors import ConflictError
from billing.domain.regimes import REGIMES
from billing.domain.regimes.regime import Rate
from billing.domain.territories import Place, named_place, regions_of

MAX_OWN_RATES = 24
"""How many rates an org can set for one place; all of an org's are read with each invoice."""
MAX_OWN_RATES_IN_ALL = 1000


@dataclass(frozen=True, slots=True)
class OwnRates:
    """
    The rates that an org has set itself, oldest first; `version` counts changes.

    A place is named by the code of its region (ISO 3166-2), else by that of its country.
    """

    version: int = 0
    by_place: Mapping[str, Sequence[Rate]] = field(default_factory=dict)

    def plus(self, name: str, rate: Rate) -> "OwnRates":
        """
        Return the rates with a new one, which replaces an earlier one of the same day.

        Raise ConflictError where the place, or the org, has too many rates.
        """
        others = self._without(name, rate.valid_from)
        if len(others) >= MAX_OWN_RATES:
            raise ConflictError(
                f"{name} already has {MAX_OWN_RATES} own rates, which is the limit."
            )
        rates = sorted([*others, rate], key=_valid_from)
        changed = {**self.by_place, name: tuple(rates)}
        if sum(map(len, changed.values())) > MAX_OWN_RATES_IN_ALL:
            raise ConflictError(
                f"The org already has {MAX_OWN_RATES_IN_ALL} own rates, which is the limit."
            )
        return OwnRates(self.version + 1, changed)

    def minus(self, name: str, valid_from: date) -> "OwnRates":
        """Return the rates without the one that is valid from a day, if there is one."""
        others = self._without(name, valid_from)
        if len(others) == len(self.by_place.get(name, ())):
            return self
        places = {each: rates for each, rates in self.by_place.items() if each != name}
        return OwnRates(self.version + 1, {**places, **({name: others} if others else {})})

    def at(self, place: Place, day: date) -> Rate | None:
        """Return the org's own rate of a place on a day, if it has set one by then."""
        for name in place.names:
            if rate := _in_force(self.by_place.get(name, ()), day):
                return rate
        return None

    def _without(self, name: str, valid_from: date) -> tuple[Rate, ...]:
        return tuple(each for each in self.by_place.get(name, ()) if each.valid_from != valid_from)


NO_OWN_RATES = OwnRates()


@dataclass(frozen=True, slots=True)
class LocationTax:
    """
    The tax of a place; `state_id` and `region` are None for a whole country.

    `region` is None, too, where ISO 3166-2 has no code for it.
    """

    country: str
    state_id: int | None
    region: str | None
    name: str
    rate: Rate


def rate_at(place: Place, day: date, own: OwnRates, seller: Place | None = None) -> Rate | None:
    """
    Return the rate of a place on a day: the org's own, else the standard one, if we know any.

    For days before the data begins, the oldest stands in. Where the seller is not in such a region
    as the rate of a region needs, that of the country holds.
    """
    if rate := own.at(place, day):
        return rate
    region = place.region
    if region and region.needs_seller and seller and not _has_same_rates(seller, place):
        place = Place(place.country)
    rates = place.rates
    return _in_force(rates, day) or (rates[0] if rates else None)


def _has_same_rates(seller: Place, place: Place) -> bool:
    return bool(seller.country == place.country and seller.region and seller.region.needs_seller)


def location_tax(place: Place, day: date, own: OwnRates) -> LocationTax | None:
    """Return the tax of a place on a day, if there is one that we know."""
    rate = rate_at(place, day, own)
    if rate is None:
        return None
    regime = REGIMES.get(place.country)
    region = place.region
    code = region.code if region else place.code
    return LocationTax(
        country=place.country,
        state_id=region.state_id if region else None,
        region=code,
        name=region.name if region else code or (regime.name if regime else place.country),
        rate=rate,
    )


def location_taxes(country: str | None, day: date, own: OwnRates) -> list[LocationTax]:
    """
    List the tax of every country with a regime, or of one, and then of their regions.

    Behind them come the places that only the org has rates for.
    """
    known = [Place(code) for code in REGIMES]
    known += [region for code in REGIMES for region in regions_of(code)]
    listed = {name for place in known for name in place.names}
    known += [_named(name) for name in sorted(own.by_place) if name not in listed]
    found = (location_tax(place, day, own) for place in known if country in (None, place.country))
    return [each for each in found if each]


def _named(name: str) -> Place:
    return named_place(name[:2], name if len(name) > len("ES") else None)


def _in_force(rates: Sequence[Rate], day: date) -> Rate | None:
    return max((rate for rate in rates if rate.valid_from <= day), default=None, key=_valid_from)


def _valid_from(rate: Rate) -> date:
    return rate.valid_from
