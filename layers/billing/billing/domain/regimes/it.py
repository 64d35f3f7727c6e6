"""
Italy: Livigno and Campione d'Italia are outside the VAT area.

DPR 633/1972, arts. 7 and 16; Directive 2006/112/EC, art. 6 (1) (f) and (2) (e).
"""

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

REGIMES = (
    Regime(
        country="IT",
        name="Italy",
        rates=history(TaxType.VAT, "2016-01-01 22"),
        regions=(
            Region(
                name="Campione d'Italia",
                postal_codes="22061",
                territory="IT-CAMPIONE",
                rates=(),
            ),
            Region(
                name="Livigno",
                postal_codes="23041",
                territory="IT-LIVIGNO",
                rates=(),
            ),
        ),
    ),
)
