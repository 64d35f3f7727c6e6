"""
France: TVA, 8.5 % in Guadeloupe, Martinique and Réunion, none in Guyane and Mayotte.

- Code général des impôts, arts. 278 and 296; not applied in Guyane and Mayotte: art. 294 (1).
- The overseas departments are outside the VAT area: Directive 2006/112/EC, art. 6 (1) (c). Between
  mainland France, Guadeloupe, Martinique and Réunion, services are domestic ones, at the rate of
  the place of supply: BOI-TVA-GEO-20-40.
- Corsica has the standard rate of the mainland; its own rates are for certain supplies only.
- Monaco counts as France: Directive 2006/112/EC, art. 7.
"""

from billing.domain.regimes.regime import Excluded, Regime, Region, history
from billing.domain.tax import TaxType

_OVERSEAS = history(TaxType.VAT, "2016-01-01 8.5")

REGIMES = (
    Regime(
        country="FR",
        name="France",
        rates=history(TaxType.VAT, "2016-01-01 20"),
        regions=(
            Region(
                name="Guadeloupe",
                code="FR-971",
                other_codes=("FR-GP",),
                postal_codes="971[0-9]{2}",
                territory="FR-971",
                is_domestic=True,
                rates=_OVERSEAS,
            ),
            Region(
                name="Martinique",
                code="FR-972",
                other_codes=("FR-MQ",),
                postal_codes="972[0-9]{2}",
                territory="FR-972",
                is_domestic=True,
                rates=_OVERSEAS,
            ),
            Region(
                name="Guyane",
                code="FR-973",
                other_codes=("FR-GF",),
                postal_codes="973[0-9]{2}",
                territory="FR-973",
                rates=(),
            ),
            Region(
                name="Réunion",
                code="FR-974",
                other_codes=("FR-RE",),
                postal_codes="974[0-9]{2}",
                territory="FR-974",
                is_domestic=True,
                rates=_OVERSEAS,
            ),
            Region(
                name="Mayotte",
                code="FR-976",
                other_codes=("FR-YT",),
                postal_codes="976[0-9]{2}",
                territory="FR-976",
                rates=(),
            ),
        ),
        includes={
            "MC": None,
            "GP": "FR-971",
            "MQ": "FR-972",
            "GF": "FR-973",
            "RE": "FR-974",
            "YT": "FR-976",
        },
        excludes=(
            Excluded("BL", ("FR-BL",), "97133|977[0-9]{2}"),
            Excluded("MF", ("FR-MF",), "97150|978[0-9]{2}"),
            Excluded("PM", ("FR-PM",), "975[0-9]{2}"),
            Excluded("WF", ("FR-WF",), "986[0-9]{2}"),
            Excluded("PF", ("FR-PF",), "987[0-9]{2}"),
            Excluded("NC", ("FR-NC",), "988[0-9]{2}"),
            Excluded("TF", ("FR-TF",), "984[0-9]{2}"),
        ),
    ),
)
