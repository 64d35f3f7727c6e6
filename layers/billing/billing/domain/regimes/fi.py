"""
Finland: the Åland Islands are outside the VAT area, but have Finland's VAT.

Laki 1266/1996, §§ 1 and 7: services between Åland and the rest of Finland are domestic ones.
Directive 2006/112/EC, art. 6 (1) (d).
"""

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

_STANDARD = history(TaxType.VAT, "2016-01-01 24, 2024-09-01 25.5")

REGIMES = (
    Regime(
        country="FI",
        name="Finland",
        rates=_STANDARD,
        regions=(
            Region(
                name="Åland Islands",
                code="FI-01",
                postal_codes=r"(AX-?)?22[0-9]{3}",
                territory="FI-01",
                is_domestic=True,
                rates=_STANDARD,
            ),
        ),
        includes={"AX": "FI-01"},
    ),
)
