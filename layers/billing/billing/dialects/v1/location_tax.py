"""v1 billing: the tax of a place."""

from pydantic import Field

from billing.dialects.fields import Country, Date, Dto, Name
from billing.dialects.v1.common import Region, StateId, TaxDTO
from billing.domain.errors import InvalidRequestError
from billing.domain.regimes.regime import Rate
from billing.domain.tax_rates import LocationTax
from billing.domain.territories import Place


class LocationTaxDTO(Dto):
    """The tax of a place, from a day on."""

    state_id: int | None = Field(description="INE code of a province of Spain; null elsewhere.")
    country: str = Field(description="The country of the place: ISO 3166-1 alpha-2.")
    region: str | None = Field(
        description="The region (ISO 3166-2), such as `PT-30`; null for the whole country, and for "
        "parts of a country that have no code."
    )
    name: str = Field(description="The name of the country or region.")
    tax: TaxDTO = Field(description="Standard tax of the place, or the org's own rate.")
    valid_from: Date = Field(
        description="First day of this rate; at the earliest, the first day of our data."
    )

    @classmethod
    def from_domain(cls, location: LocationTax) -> "LocationTaxDTO":
        return cls(
            state_id=location.state_id,
            country=location.country,
            region=location.region,
            name=location.name,
            tax=TaxDTO.from_domain(location.rate.tax),
            valid_from=location.rate.valid_from,
        )


class LocationTaxRequestDTO(Dto):
    """An org's own rate for a country or region; the answer of a GET can be sent back."""

    tax: TaxDTO = Field(description="The type and the rate of the tax of the place.")
    valid_from: Date = Field(description="The first day of supply that it is charged on.")
    state_id: StateId | None = Field(
        None,
        description="INE code of a province of Spain. If given, it must be that of the path.",
    )
    country: Country | None = Field(
        None, description="The country. If given, it must be that of the path."
    )
    region: Region | None = Field(
        None, description="The region (ISO 3166-2). If given, it must be that of the path."
    )
    name: Name | None = Field(
        None, description="The name of the place. It is accepted, and not changed."
    )

    def to_domain(self) -> Rate:
        return Rate(self.valid_from, self.tax.to_domain())

    def check_place(self, place: Place) -> None:
        """Check that what the request says of its place is what its path says."""
        region = place.region
        state_id = region.state_id if region else None
        said = {
            "state_id": (self.state_id, state_id),
            "country": (self.country, place.country),
            "region": (self.region, region.code if region else place.code),
        }
        for field, (named, right) in said.items():
            if named not in (None, right):
                raise InvalidRequestError.of(
                    field,
                    f"must be {right}, as in the path, or left out"
                    if right
                    else "must be left out",
                )
