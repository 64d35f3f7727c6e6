"""The rules of a country, as the modules of this package describe them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing.domain.tax import Tax, TaxType

DEFAULT_RETENTION_YEARS = 10
"""Years that invoices are kept where a regime names no other term."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A tax, and the first day that it is charged."""

    valid_from: date
    tax: Tax


def history(kind: TaxType, text: str) -> tuple[Rate, ...]:
    """Read rates, oldest first, from `2016-01-01 20, 2024-01-01 22`."""
    pairs = [change.split() for change in text.split(",")]
    return tuple(Rate(date.fromisoformat(day), Tax(kind, Decimal(rate))) for day, rate in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """
    A part of a country that differs from the rest, or that can be named.

    It is recognised by its `code` (ISO 3166-2, if that has one for it), by other codes that it had
    or has, and by its `postal_codes`, a regular expression. `state_id` is the number that an
    account's `state_id` has. `rates` are None where those of the country hold, and empty where its
    tax is not charged.

    With a `territory` of its own, a code that charges keep, it is outside the VAT area (art. 6 of
    Directive 2006/112/EC). If it `is_domestic`, the law of its country treats services between the
    two as domestic all the same. With `needs_seller`, its rates hold only for sellers that are
    established in such a region themselves.
    """

    name: str
    code: str | None = None
    rates: Sequence[Rate] | None = None
    postal_codes: str | None = None
    other_codes: Sequence[str] = ()
    state_id: int | None = None
    territory: str | None = None
    is_domestic: bool = False
    needs_seller: bool = False

    @property
    def differs(self) -> bool:
        """Return whether the rates of its country do not hold here."""
        return self.rates is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """
    The rules of one country.

    `country` is ISO 3166-1 alpha-2, `rates` is its standard rate by day, oldest first. What else
    counts as a part of it, by its own code of ISO 3166-1, is in `includes`, with the code of the
    region that it is, or None for no particular one. `excludes` are countries of ISO 3166-1 that an
    address may name as a region or by a postal code of this one.
    """

    country: str
    name: str
    rates: Sequence[Rate]
    regions: Sequence[Region] = ()
    includes: Mapping[str, str | None] = field(default_factory=dict)
    excludes: Sequence["Excluded"] = ()
    retention_years: int = DEFAULT_RETENTION_YEARS


@dataclass(frozen=True, slots=True)
class Excluded:
    """A country of its own, by ISO 3166-1, and how the addresses of another name it."""

    country: str
    codes: Sequence[str]
    postal_codes: str | None = None
