"""
Territories: where an address is, in terms of tax.

A place is a country, or one of its regions that differ. A territory is where one tax law holds: the
VAT area of a member state, each part that art. 6 of Directive 2006/112/EC leaves out of it, the
Canaries, Ceuta, Melilla, and each country outside the EU. Northern Ireland is a part of the United
Kingdom here: what is billed are services, and for them it is outside.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from billing.domain.parties import Address
from billing.domain.regimes import REGIMES
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.regimes.regime import Rate, Region
from billing.domain.tax import TaxType

_TYPES = {
    "ES": (TaxType.IVA, TaxType.VAT),
    "ES-CN": (TaxType.IGIC,),
    "ES-CE": (TaxType.IPSI,),
    "ES-ML": (TaxType.IPSI,),
}
"""The taxes of a territory, its own name for it first; everywhere else it is VAT."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    A country (ISO 3166-1), or a region of it.

    `region` is one that we know, `code` any that the address names (ISO 3166-2).
    """

    country: str
    region: Region | None = None
    code: str | None = None

    @property
    def territory(self) -> str:
        """Return the code of its territory: that of the country, unless it has one of its own."""
        return (self.region and self.region.territory) or self.country

    @property
    def home(self) -> str:
        """Return the code of the territory that it counts as among those of its own country."""
        return self.country if self.region and self.region.is_domestic else self.territory

    @property
    def in_vat_area(self) -> bool:
        """Return whether it is inside the VAT area of the EU (art. 5)."""
        return self.country in MEMBER_STATES and self.territory == self.country

    @property
    def taxes(self) -> Sequence[TaxType]:
        """Return the kinds of tax that can be charged there, the usual one first."""
        return _TYPES.get(self.territory, (TaxType.VAT,))

    @property
    def rates(self) -> Sequence[Rate]:
        """Return the standard rates that we know of it, oldest first."""
        if self.region and self.region.rates is not None:
            return self.region.rates
        regime = REGIMES.get(self.country)
        return regime.rates if regime else ()

    @property
    def names(self) -> Sequence[str]:
        """
        Return the codes that an org's own rate can be set for and then holds here, nearest first.

        The rate of a whole country does not hold where the country's standard rate does not.
        """
        own = self.region.code if self.region else self.code
        wider = None if self.region and self.region.differs else self.country
        return tuple(name for name in (own, wider) if name)


def place_of(address: Address) -> Place:
    """Return where an address is, by its country, its region and its postal code."""
    return _place(address.country, address.region, address.postal_code.strip().upper())


def named_place(country: str, code: str | None = None) -> Place:
    """Return a country, or a region of it by its code (ISO 3166-2)."""
    return _place(country, code, "")


def is_region(country: str, code: str) -> bool:
    """Return whether a country has a region of that code (ISO 3166-2), or had it until lately."""
    regime = REGIMES.get(country)
    regions = regime.regions if regime else ()
    known = code in _subdivisions() or any(code in region.other_codes for region in regions)
    return known and code.startswith(f"{country}-")


def regions_of(country: str) -> Iterator[Place]:
    """Return the regions of a country that we know."""
    regime = REGIMES.get(country)
    for region in regime.regions if regime else ():
        yield Place(country, region, region.code)


@lru_cache(1024)
def _place(country: str, code: str | None, postal_code: str) -> Place:
    if country in _INCLUDED:
        country, included = _INCLUDED[country]
        code = included or code
    regime = REGIMES.get(country)
    if regime is None:
        return Place(country, code=code)
    for excluded in regime.excludes:
        if code in excluded.codes or _matches(excluded.postal_codes, postal_code):
            return Place(excluded.country)
    for region in regime.regions:
        if code and (code == region.code or code in region.other_codes):
            return Place(country, region, code)
    for region in regime.regions:
        if _matches(region.postal_codes, postal_code):
            return Place(country, region, code)
    return Place(country, code=code)


@cache
def _subdivisions() -> frozenset[str]:
    # Imported by who names a region: everybody else need not wait for the table.
    from billing.domain.subdivisions import SUBDIVISIONS

    rows = (line.split() for line in SUBDIVISIONS.strip().splitlines())
    return frozenset(f"{country}-{code}" for country, *codes in rows for code in codes)


def _matches(pattern: str | None, postal_code: str) -> bool:
    return bool(pattern and re.fullmatch(pattern, postal_code, re.ASCII))


_INCLUDED: Mapping[str, tuple[str, str | None]] = {
    part: (country, code)
    for country, regime in REGIMES.items()
    for part, code in regime.includes.items()
}
"""Countries of ISO 3166-1 that count as (a region of) another."""
