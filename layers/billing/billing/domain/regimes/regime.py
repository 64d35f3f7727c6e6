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


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a country, and the rates that are charged there, oldest first."""

    name: str
    rates: Sequence[Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """
    The rules of one country.

    `country` is ISO 3166-1 alpha-2, `rates` is its standard rate by day, oldest first, and
    `regions` holds its parts by the number that an account's `state_id` has, where it is divided.
    """

    country: str
    name: str
    rates: Sequence[Rate]
    regions: Mapping[int, Region] = field(default_factory=dict)
    retention_years: int = DEFAULT_RETENTION_YEARS
