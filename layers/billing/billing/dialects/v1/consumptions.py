"""v1 billing: what was used of a subscription."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from billing.dialects.fields import (
    Amount,
    Date,
    Dto,
    ExactInstant,
    ExternalIdText,
    Name,
    NextCursor,
)
from billing.dialects.v1.common import AmountRequestDTO, PeriodDTO, TaxDTO
from billing.domain.consumptions import (
    UNITS,
    Consumption,
    ConsumptionType,
    NewConsumption,
    TypeTotal,
    Unit,
)
from billing.domain.periods import BillingPeriod

MAX_UNITS = 10**15


class ConsumptionDTO(Dto):
    """One usage record."""

    external_consumption_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same record sent again is stored once."
    )
    type: Annotated[ConsumptionType, Field(strict=False)] = Field(
        description="Kind of usage: data, messages or calls."
    )
    consumed_datetime: ExactInstant = Field(
        description="Instant of the usage, with up to nine fraction digits."
    )
    units: Annotated[int, Field(ge=0, le=MAX_UNITS)] = Field(
        description="Quantity that was used, counted in `unit`."
    )
    unit: Annotated[Unit, Field(strict=False)] = Field(
        description="Unit of the quantity: `bytes` for `data`, `messages` for `sms`, `seconds` for "
        "`voice`."
    )
    amount: AmountRequestDTO = Field(
        description="Price of the usage; 0 if it is included in a plan."
    )
    destination: Name | None = Field(
        None, description="The number or network that was reached, if any."
    )

    @field_validator("unit")
    @classmethod
    def _unit_of_the_type(cls, unit: Unit, earlier: ValidationInfo) -> Unit:
        kind = earlier.data.get("type")
        if kind and unit is not UNITS[kind]:
            raise ValueError(f"must be {UNITS[kind]} where the type is {kind}")
        return unit

    def to_domain(self, field: str, subscription_id: str) -> NewConsumption:
        return NewConsumption(
            field=field,
            external=self.external_id(self.external_consumption_unique_id, subscription_id),
            type=self.type,
            at=self.consumed_datetime,
            units=self.units,
            unit=self.unit,
            amount=self.amount.to_domain(),
            destination=self.destination,
        )


class ConsumptionRequestDTO(Dto):
    """Usage records of one subscription."""

    records: Annotated[list[ConsumptionDTO], Field(min_length=1, max_length=1000)] = Field(
        description="1 to 1,000 records. Each external id is stored once, even if it is sent twice."
    )

    def to_domain(self, subscription_id: str) -> list[NewConsumption]:
        return [
            record.to_domain(f"records.{place}", subscription_id)
            for place, record in enumerate(self.records)
        ]


class ConsumptionReceiptDTO(Dto):
    """The numbers of new and of repeated records."""

    accepted: int = Field(description="The number of records that were new and are stored.")
    duplicates: int = Field(
        description="Number of records stored before, or sent twice in this request."
    )


class UsageAmountDTO(Dto):
    """The cost of usage, in major units."""

    value_with_taxes: Amount = Field(
        description="Total with tax, in major units. Tax is computed once per rate, on the sum."
    )
    value_without_taxes: Amount = Field(
        description="The sum of the records without tax, in major units."
    )
    currency: str = Field(description="The currency: ISO 4217, such as `EUR`.")


class ConsumptionTotalDTO(Dto):
    """The total of the records of one type."""

    type: ConsumptionType = Field(description="The kind of usage: data, messages or calls.")
    units: int = Field(description="The amount that was used, counted in `unit`.")
    unit: Unit = Field(description="Unit of the quantity: `bytes`, `messages` or `seconds`.")
    amount: UsageAmountDTO = Field(description="Total cost of these records, with and without tax.")

    @classmethod
    def from_domain(cls, total: TypeTotal) -> "ConsumptionTotalDTO":
        return cls(
            type=total.type,
            units=total.units,
            unit=total.unit,
            amount=UsageAmountDTO(
                value_with_taxes=total.gross.major,
                value_without_taxes=total.net.major,
                currency=total.net.currency,
            ),
        )


class ConsumptionTotalsResponseDTO(Dto):
    """The usage of a subscription in the open cycle."""

    invoice_cycle_date: Date = Field(
        description="Day on which the cycle that it is billed in ends."
    )
    period: PeriodDTO = Field(description="Period of the open cycle; its end is excluded.")
    totals: list[ConsumptionTotalDTO] = Field(
        description="One total per type, unit and currency. Types without usage are left out."
    )

    @classmethod
    def from_domain(
        cls, ends_on: date, period: BillingPeriod, totals: Iterable[TypeTotal]
    ) -> "ConsumptionTotalsResponseDTO":
        return cls(
            invoice_cycle_date=ends_on,
            period=PeriodDTO.from_domain(period),
            totals=[ConsumptionTotalDTO.from_domain(total) for total in totals],
        )


class ConsumptionResponseDTO(ConsumptionDTO):
    """A usage record, as it was sent, and where it is billed."""

    invoice_cycle_date: Date = Field(
        description="Day on which the cycle that it is billed in ends."
    )

    @classmethod
    def from_domain(cls, consumption: Consumption) -> "ConsumptionResponseDTO":
        amount = consumption.amount
        return cls(
            external_consumption_unique_id=consumption.external_id,
            type=consumption.type,
            consumed_datetime=consumption.at,
            units=consumption.units,
            unit=consumption.unit,
            amount=AmountRequestDTO(
                value_with_taxes=amount.gross.major,
                value_without_taxes=amount.net.major,
                tax=TaxDTO.from_domain(amount.tax),
                currency=amount.net.currency,
            ),
            destination=consumption.destination,
            invoice_cycle_date=consumption.cycle,
        )


class ConsumptionDetailsResponseDTO(Dto):
    """A page of usage records, newest first."""

    model_config = ConfigDict(serialize_by_alias=True)

    type: ConsumptionType | None = Field(
        description="The kind of usage that was asked for; null where all kinds were."
    )
    first: Date = Field(serialization_alias="from", description="First day of the list, included.")
    last: Date = Field(serialization_alias="to", description="Last day of the list, included.")
    records: list[ConsumptionResponseDTO] = Field(
        description="The usage records of this page, newest first."
    )
    next_cursor: NextCursor
