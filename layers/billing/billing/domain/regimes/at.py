"""
Austria: 19 % in Jungholz and Mittelberg, which are reached from Germany only.

UStG 1994, § 10 (1) and (4); Directive 2006/112/EC, art. 104. The German postal codes of the two
are known too.
"""

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

_ENCLAVES = history(TaxType.VAT, "2016-01-01 19")

REGIMES = (
    Regime(
        country="AT",
        name="Austria",
        rates=history(TaxType.VAT, "2016-01-01 20"),
        regions=(
            Region(name="Jungholz", postal_codes="6691|87491", rates=_ENCLAVES),
            Region(
                name="Mittelberg",
                postal_codes="699[123]|8756[789]",
                rates=_ENCLAVES,
            ),
        ),
    ),
)
