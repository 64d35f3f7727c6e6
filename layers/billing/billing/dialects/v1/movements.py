"""v1 billing: movements."""

from typing import Annotated

from pydantic import Field

from billing.dialects.fields import (
    AccountId,
    Amount,
    Date,
    Dto,
    ExactInstant,
    ExternalIdText,
    Instant,
    Name,
    NextCursor,
    Text,
)
from billing.dialects.v1.common import AmountRequestDTO, PeriodRequestDTO
from billing.domain.credit_notes import Creditable
from billing.domain.movements import Movement, MovementKind, NewMovement, OperationType


class MovementRequestDTO(PeriodRequestDTO):
    """A charge or an allowance on a subscription."""

    account_id: AccountId = Field(
        description="Id of the account that pays. A subscription stays with its first account."
    )
    movement_datetime: ExactInstant = Field(description="Instant of the charge or allowance.")
    amount: AmountRequestDTO = Field(
        description="The amount of the charge or allowance. It is never negative."
    )
    operation_type: Annotated[OperationType, Field(strict=False)] = Field(
        description="`DEBIT` is a charge, `CREDIT` an allowance."
    )
    kind: Annotated[MovementKind, Field(strict=False)] = Field(
        description="What the movement is for, such as a recurring charge or a discount."
    )
    external_movement_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "movement."
    )
    description: Text = Field(description="What is charged, as it is printed on the invoice.")
    transaction_type_id: Name | None = Field(
        None, description="Type of the transaction, as you name it. Omit for none."
    )

    def to_domain(self) -> NewMovement:
        return NewMovement(
            account_id=self.account_id,
            at=self.movement_datetime,
            period=self.period(),
            amount=self.amount.to_domain(),
            operation_type=self.operation_type,
            kind=self.kind,
            external_id=self.external_movement_unique_id,
            description=self.description,
            transaction_type_id=self.transaction_type_id,
        )


class MovementResponseDTO(Dto):
    """A charge or an allowance, and what was given back of it."""

    id: str = Field(description="The id of the movement. Ids sort by creation time.")
    subscription_id: str = Field(description="The subscription that the movement belongs to.")
    account_id: str = Field(description="The account that the movement is billed to.")
    movement_datetime: ExactInstant = Field(
        description="Instant of the charge or allowance, as it was sent."
    )
    period_start_datetime: ExactInstant | None = Field(
        description="The first instant that the movement covers, as it was sent."
    )
    period_end_datetime: ExactInstant | None = Field(
        description="The last instant that the movement covers, as it was sent."
    )
    amount: AmountRequestDTO = Field(
        description="The amount as it was sent, with the tax that is charged."
    )
    operation_type: OperationType = Field(
        description="The direction: `DEBIT` is a charge, `CREDIT` is an allowance."
    )
    kind: MovementKind = Field(
        description="What the movement is for: a recurring charge, usage, a discount …"
    )
    external_movement_unique_id: str = Field(
        description="The id that the caller gave to the movement."
    )
    description: str = Field(description="What is charged, as it is printed on the invoice.")
    transaction_type_id: str | None = Field(
        description="Type of the transaction, as it was sent; null if none was."
    )
    refunded: Amount = Field(description="Amount refunded so far, with tax, in major units.")
    refundable: Amount = Field(
        description="Largest amount that a billable refund can have, with tax."
    )
    invoice_cycle_date: Date = Field(
        description="Day on which the cycle that it is billed in ends."
    )
    invoice_id: str | None = Field(
        description="Id of the invoice that charges it; null until billed."
    )
    created_at: Instant = Field(
        description="The instant at which the movement was recorded, in UTC."
    )

    @classmethod
    def from_domain(
        cls, movement: Movement, invoice_id: int | None, original: Creditable | None
    ) -> "MovementResponseDTO":
        """Describe a movement; `original` is the invoice that charges it."""
        request = movement.request
        return cls(
            id=movement.key.id,
            subscription_id=movement.key.subscription_id,
            account_id=request.account_id,
            movement_datetime=request.at,
            period_start_datetime=request.period.start if request.period else None,
            period_end_datetime=request.period.end if request.period else None,
            amount=AmountRequestDTO.from_domain(request.amount, movement.tax),
            operation_type=request.operation_type,
            kind=request.kind,
            external_movement_unique_id=request.external_id,
            description=request.description,
            transaction_type_id=request.transaction_type_id,
            refunded=movement.refunded.major,
            refundable=movement.refundable(original).major,
            invoice_cycle_date=movement.cycle,
            invoice_id=str(invoice_id) if invoice_id else None,
            created_at=movement.created_at,
        )


class MovementListDTO(Dto):
    """A page of movements, newest first."""

    movements: list[MovementResponseDTO] = Field(
        description="The movements of this page, newest first."
    )
    next_cursor: NextCursor
