"""
Greece: lower rates on some islands of the Aegean; Mount Athos is outside the VAT area.

VAT Code (Law 5144/2024), art. 26: 30 % less on Lesbos, Chios, Samos, Kos and Leros, and from 2026
(Law 5246/2025, circular E.2113/2025) on the islands of the North Aegean, the Dodecanese and
Samothrace with at most 20,000 inhabitants. Services have the lower rate only if their seller is
established on such an island, too (art. 26 (5)). Directive 2006/112/EC, arts. 120 and 6 (1) (a).
"""

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

_STANDARD = "2016-01-01 23, 2016-06-01 24"
_ISLANDS = history(TaxType.VAT, "2016-01-01 16, 2016-06-01 17")
_ISLANDS_SINCE_2026 = history(TaxType.VAT, f"{_STANDARD}, 2026-01-01 17")

REGIMES = (
    Regime(
        country="GR",
        name="Greece",
        rates=history(TaxType.VAT, _STANDARD),
        regions=(
            Region(
                name="Mount Athos",
                code="GR-69",
                postal_codes="630 ?8[67]",
                territory="GR-69",
                rates=(),
            ),
            Region(
                name="Lesbos, Chios, Samos, Kos and Leros",
                postal_codes=(
                    "81[123] ?[0-9]{2}|821 ?0[0235-9]|82[23] ?[0-9]{2}|83[12] ?[0-9]{2}"
                    "|853 ?0[0-2]|854 ?[0-9]{2}"
                ),
                rates=_ISLANDS,
                needs_seller=True,
            ),
            Region(
                name="Small islands of the North Aegean and the Dodecanese, and Samothrace",
                postal_codes=(
                    "680 ?02|81[45] ?[0-9]{2}|821 ?0[14]|83[34] ?[0-9]{2}|850 ?0[12]"
                    "|851 ?1[01]|852 ?[0-9]{2}|853 ?03|85[5-9] ?[0-9]{2}"
                ),
                rates=_ISLANDS_SINCE_2026,
                needs_seller=True,
            ),
        ),
    ),
)
