"""v1 billing: the exchange rates that an org sets itself."""

import datetime
from typing import Annotated

from pydantic import Field, WithJsonSchema

from billing.dialects.fields import Amount, Date, Dto, ReadOnly
from billing.domain.exchange_rates import ExchangeRate

PerEuro = Annotated[
    Amount,
    Field(gt=0, lt=10**7, decimal_places=8),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10**7}),
]
"""At most 15 digits, which every JSON client can hold exactly."""


class ExchangeRateRequestDTO(Dto):
    """An org's own exchange rate for a day; the answer of a GET can be sent back."""

    rate: PerEuro = Field(
        description="Units of the currency for 1 EUR, with at most eight decimals: 1.0812 for USD "
        "if 1 EUR is 1.0812 USD."
    )
    currency: ReadOnly = Field(None, description="Currency code, as in the path. Read only.")
    date: ReadOnly = Field(None, description="Day of the rate, as in the path. Read only.")

    def to_domain(self, currency: str, day: datetime.date) -> ExchangeRate:
        return ExchangeRate(currency, day, self.rate)


class ExchangeRateDTO(Dto):
    """An org's own exchange rate for a day."""

    currency: str = Field(description="Currency that the rate is of (ISO 4217).")
    date: Date = Field(description="Day of the rate: the first day of supply it is used for.")
    rate: PerEuro = Field(description="Units of the currency for 1 EUR.")

    @classmethod
    def from_domain(cls, rate: ExchangeRate) -> "ExchangeRateDTO":
        return cls(currency=rate.currency, date=rate.day, rate=rate.per_euro)
