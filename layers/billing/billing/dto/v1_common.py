"""v1 billing: what its groups have in common."""

from typing import Annotated

from pydantic import Field

from billing.domain.parties import Address
from billing.domain.tax import Tax, TaxType
from billing.dto.base import Country, Dto, Name, Percentage


class FieldErrorDTO(Dto):
    """One wrong field."""

    field: str = Field(description="Where it stands in the request: `amount.tax.percentage`.")
    message: str = Field(description="What is wrong with it.")


class GenericResponseDTO(Dto):
    """Why a request failed."""

    code: str | None = Field(None, description="Stable, for programs: `INVALID_REQUEST`.")
    message: str = Field(description="For people.")
    details: list[FieldErrorDTO] | None = Field(None, description="Every wrong field.")
    trace_id: str | None = Field(None, description="Names this request in the logs.")


class GenericCreatedResponseDTO(Dto):
    """What was created."""

    id: str = Field(description="The id of the new resource.")


class TaxDTO(Dto):
    """A kind of tax and its rate."""

    type: Annotated[TaxType, Field(strict=False)] = Field(description="`NONE` is untaxed.")
    percentage: Percentage = Field(description="21 means 21 %.")

    def to_domain(self) -> Tax:
        return Tax(self.type, self.percentage.normalize())


class AddressDTO(Dto):
    """A postal address."""

    street: Name = Field(description="Street and number.")
    postal_code: Annotated[Name, Field(max_length=20)] = Field(description="Postal code.")
    city: Name = Field(description="Town or city.")
    country: Country = Field(description="ISO 3166-1 alpha-2.")

    @classmethod
    def from_domain(cls, address: Address) -> "AddressDTO":
        return cls(
            street=address.street,
            postal_code=address.postal_code,
            city=address.city,
            country=address.country,
        )

    def to_domain(self) -> Address:
        return Address(self.street, self.postal_code, self.city, self.country)
