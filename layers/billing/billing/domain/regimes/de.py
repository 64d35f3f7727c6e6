"""
Germany: Büsingen and Heligoland are outside the VAT area.

UStG, §§ 1 (2) and 12 (1); Directive 2006/112/EC, art. 6 (2) (a) and (b).
"""

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

REGIMES = (
    Regime(
        country="DE",
        name="Germany",
        rates=history(TaxType.VAT, "2016-01-01 19, 2020-07-01 16, 2021-01-01 19"),
        regions=(
            Region(
                name="Büsingen am Hochrhein",
                postal_codes="78266",
                territory="DE-BUESINGEN",
                rates=(),
            ),
            Region(
                name="Heligoland",
                postal_codes="27498",
                territory="DE-HELGOLAND",
                rates=(),
            ),
        ),
    ),
)
