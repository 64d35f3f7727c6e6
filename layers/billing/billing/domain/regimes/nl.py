"""The Netherlands: BTW; the Caribbean parts of the kingdom are outside the VAT area."""

from billing.domain.regimes.regime import Excluded, Regime, history
from billing.domain.tax import TaxType

REGIMES = (
    Regime(
        country="NL",
        name="Netherlands",
        rates=history(TaxType.VAT, "2016-01-01 21"),
        excludes=(
            Excluded("AW", ("NL-AW",)),
            Excluded("BQ", ("NL-BQ1", "NL-BQ2", "NL-BQ3")),
            Excluded("CW", ("NL-CW",)),
            Excluded("SX", ("NL-SX",)),
        ),
    ),
)
