"""
Portugal: IVA on the mainland, and lower rates in Madeira and the Azores.

- Continente: Código do IVA, art. 18.
- Madeira 22 %: Lei 14-A/2012. Azores 18 %, and 16 % from July 2021: Decreto Legislativo Regional
  15-A/2021/A. Both are inside the VAT area: Directive 2006/112/EC, art. 105 (2).
- The place of supply decides between the three by the same rules as between states: Decreto-Lei
  347/85, art. 1 (2).
"""

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

REGIMES = (
    Regime(
        country="PT",
        name="Portugal",
        rates=history(TaxType.VAT, "2016-01-01 23"),
        regions=(
            Region(
                name="Azores",
                code="PT-20",
                postal_codes=r"9[5-9][0-9]{2}(-?[0-9]{3})?",
                rates=history(TaxType.VAT, "2016-01-01 18, 2021-07-01 16"),
            ),
            Region(
                name="Madeira",
                code="PT-30",
                postal_codes=r"9[0-4][0-9]{2}(-?[0-9]{3})?",
                rates=history(TaxType.VAT, "2016-01-01 22"),
            ),
        ),
    ),
)
