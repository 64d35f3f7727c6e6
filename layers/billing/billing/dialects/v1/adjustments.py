"""v1 billing: adjustments of accounts."""

from typing import Annotated

from pydantic import Field

from billing.dialects.fields import Date, Dto, ExactInstant, ExternalIdText, Name, Text
from billing.dialects.v1.common import AmountRequestDTO, PeriodRequestDTO
from billing.domain.adjustments import Adjustment, NewAdjustment
from billing.domain.movements import OperationType


class AccountAdjustmentRequestDTO(PeriodRequestDTO):
    """A charge or an allowance on an account itself, without a subscription."""

    adjustment_datetime: ExactInstant = Field(
        description="Instant of the charge or allowance. Its day decides the default tax where no "
        "period is given."
    )
    amount: AmountRequestDTO = Field(
        description="The amount of the charge or allowance. It is never negative."
    )
    operation_type: Annotated[OperationType, Field(strict=False)] = Field(
        description="`DEBIT` is a charge, `CREDIT` an allowance."
    )
    external_adjustment_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "adjustment."
    )
    transaction_type_id: Name | None = Field(
        None, description="Type of the transaction, as you name it. Omit for none."
    )
    description: Text = Field(description="What is charged, as it is printed on the invoice.")

    def to_domain(self) -> NewAdjustment:
        return NewAdjustment(
            at=self.adjustment_datetime,
            period=self.period(),
            amount=self.amount.to_domain(),
            operation_type=self.operation_type,
            external_id=self.external_adjustment_unique_id,
            description=self.description,
            transaction_type_id=self.transaction_type_id,
        )


class AccountAdjustmentResponseDTO(Dto):
    """A charge or an allowance on an account itself."""

    id: str = Field(description="The id of the adjustment. Ids sort by creation time.")
    adjustment_datetime: ExactInstant = Field(
        description="Instant of the charge or allowance, as it was sent."
    )
    period_start_datetime: ExactInstant | None = Field(
        description="The first instant that the adjustment covers, as it was sent."
    )
    period_end_datetime: ExactInstant | None = Field(
        description="The last instant that the adjustment covers, as it was sent."
    )
    amount: AmountRequestDTO = Field(
        description="The amount as it was sent, with the tax that is charged."
    )
    operation_type: OperationType = Field(
        description="The direction: `DEBIT` is a charge, `CREDIT` is an allowance."
    )
    external_adjustment_unique_id: str = Field(
        description="The id that the caller gave to the adjustment."
    )
    transaction_type_id: str | None = Field(
        description="Type of the transaction, as it was sent; null if none was."
    )
    invoice_cycle_date: Date = Field(
        description="Day on which the cycle that it is billed in ends."
    )
    description: str = Field(description="What is charged, as it is printed on the invoice.")

    @classmethod
    def from_domain(cls, adjustment: Adjustment) -> "AccountAdjustmentResponseDTO":
        request = adjustment.request
        return cls(
            id=adjustment.key.id,
            adjustment_datetime=request.at,
            period_start_datetime=request.period.start if request.period else None,
            period_end_datetime=request.period.end if request.period else None,
            amount=AmountRequestDTO.from_domain(request.amount, adjustment.tax),
            operation_type=request.operation_type,
            external_adjustment_unique_id=request.external_id,
            transaction_type_id=request.transaction_type_id,
            invoice_cycle_date=adjustment.cycle,
            description=request.description,
        )
