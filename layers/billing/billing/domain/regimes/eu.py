"""
The European Union: who belongs to it, and the standard VAT rates of its countries.

Being a member state and having a rate in a table are two facts. A member state with regions that
differ from the rest has a module of its own and no row here.

Rates: European Commission, "Taxes in Europe Database", every change from 2016 on, as of
2026-10-01.
"""

from billing.domain.regimes.regime import Regime, history
from billing.domain.tax import TaxType

MEMBER_STATES = frozenset(
    """
    AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK
    """.split()
)
"""The member states by ISO 3166-1 alpha-2, which calls Greece GR."""

_STANDARD_RATES = """
    BE Belgium:      2016-01-01 21
    BG Bulgaria:     2016-01-01 20
    CY Cyprus:       2016-01-01 19
    CZ Czechia:      2016-01-01 21
    DK Denmark:      2016-01-01 25
    EE Estonia:      2016-01-01 20, 2024-01-01 22, 2025-07-01 24
    HR Croatia:      2016-01-01 25
    HU Hungary:      2016-01-01 27
    IE Ireland:      2016-01-01 23, 2020-09-01 21, 2021-03-01 23
    LT Lithuania:    2016-01-01 21
    LU Luxembourg:   2016-01-01 17, 2023-01-01 16, 2024-01-01 17
    LV Latvia:       2016-01-01 21
    MT Malta:        2016-01-01 18
    PL Poland:       2016-01-01 23
    RO Romania:      2016-01-01 20, 2017-01-01 19, 2025-08-01 21
    SE Sweden:       2016-01-01 25
    SI Slovenia:     2016-01-01 22
    SK Slovakia:     2016-01-01 20, 2025-01-01 23
"""


def _regime(row: str) -> Regime:
    place, rates = row.split(":")
    country, name = place.split()
    return Regime(country=country, name=name, rates=history(TaxType.VAT, rates))


REGIMES = tuple(_regime(row) for row in _STANDARD_RATES.strip().splitlines())
