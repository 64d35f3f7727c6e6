"""v1 billing: what was used of a subscription."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from billing.dialects.fields import Amount, Date, Dto, ExactInstant, ExternalIdText, Name
from billing.dialects.v1.billing_info import PeriodDTO
from billing.dialects.v1.common import AmountRequestDTO, TaxDTO
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
        description="Yours, once per org: the same record again is a duplicate and counts once."
    )
    type: Annotated[ConsumptionType, Field(strict=False)] = Field(description="What was used.")
    consumed_datetime: ExactInstant = Field(description="When, with up to nine fraction digits.")
    units: Annotated[int, Field(ge=0, le=MAX_UNITS)] = Field(description="How much of `unit`.")
    unit: Annotated[Unit, Field(strict=False)] = Field(
        description="`bytes` of `data`, `messages` of `sms`, `seconds` of `voice`."
    )
    amount: AmountRequestDTO = Field(description="What it costs; 0 where it is included.")
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
        description="Each is taken once, whatever else stands beside it."
    )

    def to_domain(self, subscription_id: str) -> list[NewConsumption]:
        return [
            record.to_domain(f"records.{place}", subscription_id)
            for place, record in enumerate(self.records)
        ]


class ConsumptionReceiptDTO(Dto):
    """How many records were taken."""

    accepted: int = Field(description="The number of records that were new and are stored.")
    duplicates: int = Field(description="Records that had been taken before, or stood here twice.")


class UsageAmountDTO(Dto):
    """What usage comes to, in major units."""

    value_with_taxes: Amount = Field(description="Each rate is charged once, on its sum.")
    value_without_taxes: Amount = Field(
        description="The sum of the records without tax, in major units."
    )
    currency: str = Field(description="The currency: ISO 4217, such as `EUR`.")


class ConsumptionTotalDTO(Dto):
    """What the records of one type come to."""

    type: ConsumptionType = Field(description="The kind of usage: data, messages or calls.")
    units: int = Field(description="The amount that was used, counted in `unit`.")
    unit: Unit = Field(description="Different units, like different currencies, stand apart.")
    amount: UsageAmountDTO = Field(description="The cost of the record, with and without tax.")

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
    """What was used of a subscription in the open cycle."""

    invoice_cycle_date: Date = Field(description="The day that ends the cycle it is billed in.")
    period: PeriodDTO = Field(description="The billing period that is open, half-open.")
    totals: list[ConsumptionTotalDTO] = Field(description="By type; of what was not used, none.")

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

    invoice_cycle_date: Date = Field(description="The day that ends the cycle it is billed in.")

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

    type: ConsumptionType = Field(description="The kind of usage: data, messages or calls.")
    first: Date = Field(serialization_alias="from", description="First day, included.")
    last: Date = Field(serialization_alias="to", description="Last day, included.")
    records: list[ConsumptionResponseDTO] = Field(
        description="The usage records of this page, newest first."
    )
    next_cursor: str | None = Field(description="What to ask for the next page with, if any.")
