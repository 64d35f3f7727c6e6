"""
What differs from country to country: rates, regions, names and terms.

Each module here says all about its countries in a tuple `REGIMES`, and is collected by being
here: adding a country is adding a module.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from billing.domain.regimes.regime import DEFAULT_RETENTION_YEARS, Regime


def _collect() -> dict[str, Regime]:
    found: dict[str, Regime] = {}
    for module in iter_modules(__path__, f"{__name__}."):
        for each in getattr(import_module(module.name), "REGIMES", ()):
            if each.country in found:
                raise ValueError(f"{each.country} has two regimes, the second in {module.name}")
            found[each.country] = each
    return dict(sorted(found.items()))


REGIMES: Mapping[str, Regime] = _collect()
"""All regimes by country, ISO 3166-1 alpha-2, in that order."""


def retention_years(country: str) -> int:
    """Return how many years the invoices of a seller in a country have to be kept."""
    regime = REGIMES.get(country)
    return regime.retention_years if regime else DEFAULT_RETENTION_YEARS
