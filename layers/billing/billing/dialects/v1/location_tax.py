"""v1 billing: the tax of a place."""

from pydantic import Field

from billing.dialects.fields import Country, Date, Dto, Name
from billing.dialects.v1.common import StateId, TaxDTO
from billing.domain.regimes.regime import Rate
from billing.domain.tax_rates import LocationTax


class LocationTaxDTO(Dto):
    """The tax of a place, from a day on."""

    state_id: int | None = Field(description="INE province code; null for the whole country.")
    country: str = Field(description="The country of the place: ISO 3166-1 alpha-2.")
    name: str = Field(description="The name of the country or province.")
    tax: TaxDTO = Field(description="Standard tax of the place, or the org's own rate.")
    valid_from: Date = Field(
        description="First day of this rate; at the earliest, the first day of our data."
    )

    @classmethod
    def from_domain(cls, location: LocationTax) -> "LocationTaxDTO":
        return cls(
            state_id=location.state_id,
            country=location.country,
            name=location.name,
            tax=TaxDTO.from_domain(location.rate.tax),
            valid_from=location.rate.valid_from,
        )


class LocationTaxRequestDTO(Dto):
    """An org's own rate for a province; the answer of a GET can be sent back."""

    tax: TaxDTO = Field(description="The type and the rate of the tax of the place.")
    valid_from: Date = Field(description="The first day of supply that it is charged on.")
    state_id: StateId | None = Field(
        None, description="The INE code of the province. If given, it must be that of the path."
    )
    country: Country | None = Field(None, description="The country. If given, it must be `ES`.")
    name: Name | None = Field(
        None, description="The name of the province. It is accepted, and not changed."
    )

    def to_domain(self) -> Rate:
        return Rate(self.valid_from, self.tax.to_domain())
