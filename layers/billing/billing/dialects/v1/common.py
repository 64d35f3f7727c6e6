"""v1 billing: what its groups have in common."""

from decimal import Decimal
from typing import Annotated, Literal, Self, cast, get_args

from pydantic import Field, ValidationInfo, field_validator

from billing.dialects.fields import (
    AddressScheme,
    Country,
    Currency,
    Dto,
    ExactInstant,
    Form,
    Instant,
    Name,
    NotNegative,
    Percentage,
    Text,
    TextOf,
    check_electronic_address,
)
from billing.domain.parties import Address, ElectronicAddress
from billing.domain.periods import BillingPeriod, Moment, MomentPeriod
from billing.domain.regimes.es import province_of, region_of
from billing.domain.tax import AskedAmount, Tax, TaxType, VatCategory
from billing.domain.vatex import VATEX, is_code

Region = Annotated[
    str, Form(r"^[A-Z]{2}-[A-Z0-9]{1,3}$", "the ISO 3166-2 code of a region, such as PT-30")
]
UntaxedCategory = Literal["E", "AE", "O", "Z"]

StateId = Annotated[int, Field(ge=1, le=52)]


class GenericCreatedResponseDTO(Dto):
    """The id of what was created."""

    id: str = Field(description="The id of the resource that was created.")


class TaxDTO(Dto):
    """A kind of tax and its rate."""

    type: Annotated[TaxType, Field(strict=False)] = Field(
        description="Kind of tax; `NONE` if no tax is charged."
    )
    percentage: Percentage = Field(
        description="The tax rate in percent: 21 means 21 %. It is 0 if the type is `NONE`."
    )
    category: UntaxedCategory | None = Field(
        None,
        exclude_if=lambda category: category is None,
        description="Why the tax is zero (UNTDID 5305). For `NONE`: `E` exempt, `AE` reverse "
        "charge, `O` outside the scope of tax. Default: what follows from the place of supply, and "
        "`E` in the org's own territory. For any other type: `Z`, the zero rate.",
    )
    exemption_reason: Text | None = Field(
        None,
        exclude_if=lambda reason: reason is None,
        description="The legal ground on which no tax is charged, as documents state it: a VATEX "
        "code such as `VATEX-EU-132-1I`, or words. Default: words for the category.",
    )

    @field_validator("percentage")
    @classmethod
    def _nothing_untaxed_has_a_rate(cls, percentage: Decimal, earlier: ValidationInfo) -> Decimal:
        if percentage and earlier.data.get("type") is TaxType.NONE:
            raise ValueError("must be 0 where the type is NONE")
        return percentage

    @field_validator("category")
    @classmethod
    def _category_of_its_type(
        cls, category: UntaxedCategory | None, earlier: ValidationInfo
    ) -> UntaxedCategory | None:
        kind, percentage = earlier.data.get("type"), earlier.data.get("percentage")
        if category is None or kind is None or percentage is None:
            return category
        if kind is TaxType.NONE:
            if category == "Z":
                raise ValueError("Z is the zero rate of a tax: name its type, or E, AE or O")
        elif category != Tax(kind, percentage).category:
            raise ValueError(f"{category} is not for {kind} at {percentage:f} %")
        return category

    @field_validator("exemption_reason")
    @classmethod
    def _reason_of_its_category(cls, reason: str | None, earlier: ValidationInfo) -> str | None:
        kind, category = earlier.data.get("type"), earlier.data.get("category")
        if reason is None or kind is None or "category" not in earlier.data:
            return reason
        if kind is not TaxType.NONE:
            raise ValueError("is for the type NONE only")
        if is_code(reason):
            if reason not in VATEX:
                raise ValueError("must be a code of the VATEX list that is used for services")
            if category not in (None, VATEX[reason]):
                raise ValueError(f"{reason} is for the category {VATEX[reason]}")
        return reason

    @classmethod
    def from_domain(cls, tax: Tax) -> "TaxDTO":
        """Return a tax as it is charged; the category only where a request could name it."""
        named = tax.category in get_args(UntaxedCategory)
        category = cast(UntaxedCategory, tax.category) if named else None
        return cls.model_construct(
            type=tax.type,
            percentage=tax.percentage,
            category=category,
            exemption_reason=tax.reason,
        )

    def to_domain(self) -> Tax:
        category = self.category or (VATEX.get(self.exemption_reason or ""))
        return Tax(
            type=self.type,
            percentage=self.percentage,
            category=VatCategory(category) if category else None,
            reason=self.exemption_reason,
        )


class AmountRequestDTO(Dto):
    """An amount with and without its tax, in major units."""

    value_with_taxes: NotNegative = Field(
        description="Amount with tax, in major units. May differ from net × (1 + rate) by one "
        "minor unit."
    )
    value_without_taxes: NotNegative = Field(
        description="The amount without tax, in major units of the currency."
    )
    tax: TaxDTO | None = Field(
        None,
        description="Tax on the net amount. Default: what the place of supply says on the day of "
        "supply, which may be the reverse charge; for a refund, the tax of the movement.",
    )
    currency: Currency | None = Field(
        None,
        exclude_if=lambda currency: currency is None,
        description="Currency code (ISO 4217). Default: that of the account; for a refund, of the "
        "movement.",
    )

    @classmethod
    def from_domain(cls, amount: AskedAmount, tax: Tax, **more: bool) -> Self:
        """Return an amount as it was sent, with the tax that is charged."""
        return cls(
            value_with_taxes=amount.gross,
            value_without_taxes=amount.net,
            tax=TaxDTO.from_domain(tax),
            currency=amount.currency,
            **more,
        )

    def to_domain(self) -> AskedAmount:
        return AskedAmount(
            gross=self.value_with_taxes,
            net=self.value_without_taxes,
            tax=self.tax.to_domain() if self.tax else None,
            currency=self.currency,
        )


class BillableAmountRequestDTO(AmountRequestDTO):
    """An amount, and whether a billing run credits it."""

    billable: bool = Field(
        description="True if a billing run credits it; false if it is settled elsewhere."
    )


class PeriodRequestDTO(Dto):
    """A period that may be left out: both of its ends, or none."""

    period_start_datetime: ExactInstant | None = Field(
        None, description="First instant of the period, with up to nine fraction digits."
    )
    period_end_datetime: ExactInstant | None = Field(
        None,
        validate_default=True,
        description="Last instant of the period, such as 2026-03-31T21:59:59.999999999Z.",
    )

    @field_validator("period_end_datetime")
    @classmethod
    def _whole_period(cls, end: Moment | None, earlier: ValidationInfo) -> Moment | None:
        start = earlier.data.get("period_start_datetime", end)
        if (start is None) != (end is None):
            raise ValueError("give both ends of the period, or none")
        if start and end and not start <= end:
            raise ValueError("must not be before period_start_datetime")
        return end

    def period(self) -> MomentPeriod | None:
        start, end = self.period_start_datetime, self.period_end_datetime
        return MomentPeriod(start, end) if start and end else None


class PeriodDTO(Dto):
    """A billing period, half-open."""

    start_datetime: Instant = Field(description="First instant of the period, in UTC.")
    end_datetime: Instant = Field(description="First instant after the period, in UTC.")

    @classmethod
    def from_domain(cls, period: BillingPeriod) -> "PeriodDTO":
        return cls(start_datetime=period.start, end_datetime=period.end)


class AddressDTO(Dto):
    """A postal address."""

    street: Name = Field(description="The street and the house number.")
    postal_code: Annotated[str, TextOf(20)] = Field(
        description="Postal code; in Spain, five digits."
    )
    city: Name = Field(description="Town or city, as printed on invoices.")
    country: Country = Field(description="The country: ISO 3166-1 alpha-2, such as `ES`.")
    region: Region | None = Field(
        None,
        description="Region of the country (ISO 3166-2), such as `PT-30` for Madeira. Some regions "
        "have a tax of their own. In Spain it is the province of the postal code.",
    )

    @field_validator("country")
    @classmethod
    def _postal_code_of_its_own(cls, country: str, earlier: ValidationInfo) -> str:
        code = earlier.data.get("postal_code")
        if country == "ES" and code and not province_of(code):
            raise ValueError("in ES a postal_code has five digits, from 01001 to 52999")
        return country

    @field_validator("region")
    @classmethod
    def _region_of_the_country(cls, region: str | None, earlier: ValidationInfo) -> str | None:
        country, code = earlier.data.get("country"), earlier.data.get("postal_code")
        if region is None or country is None or code is None:
            return region
        if not region.startswith(f"{country}-"):
            raise ValueError(f"must be a region of {country}, so it begins with {country}-")
        if country == "ES" and region != region_of(code):
            raise ValueError(
                f"the postal code {code} is in {region_of(code)}; leave the region out, or name "
                "this one"
            )
        # Imported where a region is named: not every function knows the regions of the world.
        from billing.domain.territories import is_region

        if not is_region(country, region):
            raise ValueError(
                f"{country} has no region {region} (ISO 3166-2); leave it out where there is none"
            )
        return region

    @classmethod
    def from_domain(cls, address: Address) -> "AddressDTO":
        return cls.model_construct(
            street=address.street,
            postal_code=address.postal_code,
            city=address.city,
            country=address.country,
            region=address.region,
        )

    def to_domain(self) -> Address:
        return Address(self.street, self.postal_code, self.city, self.country, self.region)


class ElectronicAddressDTO(Dto):
    """The address of a party in a network for e-invoices, such as Peppol."""

    scheme: AddressScheme = Field(
        description="Kind of address: a code of the EAS list, such as `0088` for a GLN or `9930` "
        "for a German VAT id."
    )
    id: Annotated[str, TextOf(100)] = Field(description="The address itself, as its scheme asks.")

    @field_validator("id")
    @classmethod
    def _as_its_scheme_asks(cls, address: str, earlier: ValidationInfo) -> str:
        scheme = earlier.data.get("scheme")
        return check_electronic_address(address, scheme) if scheme else address

    @classmethod
    def from_domain(cls, address: ElectronicAddress | None) -> "ElectronicAddressDTO | None":
        return cls.model_construct(scheme=address.scheme, id=address.id) if address else None

    def to_domain(self) -> ElectronicAddress:
        return ElectronicAddress(self.scheme, self.id)
