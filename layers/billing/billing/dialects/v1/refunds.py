"""v1 billing: refunds."""

from pydantic import Field

from billing.dialects.fields import (
    Date,
    Dto,
    ExactInstant,
    ExternalIdText,
    Instant,
    Name,
    NextCursor,
    ReadOnly,
    Text,
)
from billing.dialects.v1.common import AmountRequestDTO, BillableAmountRequestDTO, PeriodRequestDTO
from billing.domain.cycles import ClosedCycles
from billing.domain.refunds import NewRefund, Refund, RefundStatus


class _RefundDTO(PeriodRequestDTO):
    """What every refund has."""

    amount: AmountRequestDTO
    external_refund_unique_id: ExternalIdText | None
    refund_datetime: ExactInstant = Field(
        description="The instant at which the refund was granted."
    )
    external_invoice_id: Name | None = Field(
        None, description="Id of your own invoice that the refund is about."
    )
    description: Text = Field(
        description="Why money is given back, as it is printed on the credit note."
    )

    def _to_domain(self, *, billable: bool, transaction_type_id: str | None = None) -> NewRefund:
        return NewRefund(
            at=self.refund_datetime,
            period=self.period(),
            amount=self.amount.to_domain(),
            billable=billable,
            external_id=self.external_refund_unique_id,
            external_invoice_id=self.external_invoice_id,
            transaction_type_id=transaction_type_id,
            description=self.description,
        )


class _BillableRefundDTO(_RefundDTO):
    """A refund that says itself how it is given back."""

    billable: bool = Field(
        description="True if the next billing run credits it; false if it is settled elsewhere."
    )

    def to_domain(self) -> NewRefund:
        return self._to_domain(billable=self.billable)


class RefundRequestDTO(_BillableRefundDTO):
    """Money to give back against a movement."""

    amount: AmountRequestDTO = Field(
        description="Amount to refund, with the tax and currency of the movement."
    )
    external_refund_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "refund."
    )


class RefundNonSubscribableProductsRequestDTO(_RefundDTO):
    """A refund for products that cannot be subscribed to."""

    amount: BillableAmountRequestDTO = Field(
        description="Amount to refund, with the tax and currency of the movement."
    )
    external_refund_unique_id: ExternalIdText | None = Field(
        None,
        description="Your own id, unique in the org. Without it, every request creates a refund.",
    )
    transaction_type_id: Name = Field(
        description="Type of the transaction that is refunded, as you name it."
    )

    def to_domain(self) -> NewRefund:
        return self._to_domain(
            billable=self.amount.billable, transaction_type_id=self.transaction_type_id
        )


class RefundReplacementAmountDTO(AmountRequestDTO):
    """The new amount of a refund."""

    billable: ReadOnly = Field(
        None, description="Same value as the top-level field `billable`. Ignored in a PUT."
    )


class RefundReplacementDTO(_BillableRefundDTO):
    """A new version of a pending refund; the answer of a GET can be sent back."""

    amount: RefundReplacementAmountDTO = Field(
        description="Amount to refund, with the tax and currency of the movement."
    )
    external_refund_unique_id: ExternalIdText | None = Field(
        description="Your id of the refund, unchanged; null if it has none."
    )
    id: ReadOnly = Field(None, description="Id of the refund, as in the path. Read only.")
    movement_id: ReadOnly = Field(
        None, description="Id of the movement, as in the path. Read only."
    )
    subscription_id: ReadOnly = Field(None, description="Id of the subscription. Read only.")
    transaction_type_id: ReadOnly = Field(
        None, description="Type of the refunded transaction. Read only."
    )
    status: ReadOnly = Field(
        None, description="State of the refund: `pending`, `billed` or `settled`. Read only."
    )
    invoice_cycle_date: ReadOnly = Field(
        None, description="Day on which its cycle ends. Read only."
    )
    invoice_id: ReadOnly = Field(None, description="Id of the document that credits it. Read only.")
    created_at: ReadOnly = Field(None, description="Instant of its creation, in UTC. Read only.")
    updated_at: ReadOnly = Field(None, description="Instant of its last change, in UTC. Read only.")


class RefundResponseDTO(Dto):
    """Money given back."""

    id: str = Field(description="The id of the refund. Ids sort by creation time.")
    movement_id: str = Field(description="Id of the movement that is refunded.")
    subscription_id: str = Field(description="The subscription of the movement.")
    refund_datetime: ExactInstant = Field(
        description="Instant at which the refund was granted, as it was sent."
    )
    period_start_datetime: ExactInstant | None = Field(
        description="The first instant that the refund covers, as it was sent."
    )
    period_end_datetime: ExactInstant | None = Field(
        description="The last instant that the refund covers, as it was sent."
    )
    amount: BillableAmountRequestDTO | AmountRequestDTO = Field(
        description="The amount as it was sent, with the movement's tax."
    )
    external_invoice_id: str | None = Field(
        description="The caller's id of an invoice of another system, as it was sent."
    )
    external_refund_unique_id: str | None = Field(
        description="The id that the caller gave to the refund, null if there is none."
    )
    transaction_type_id: str | None = Field(
        description="Type of the refunded transaction; null for products of a subscription."
    )
    billable: bool = Field(
        description="True if a billing run credits it; false if it is settled elsewhere."
    )
    description: str = Field(
        description="Why money is given back, as it is printed on the credit note."
    )
    status: RefundStatus = Field(
        description="`pending` until its cycle is billed; then `billed`, or `settled` if not "
        "billable."
    )
    invoice_cycle_date: Date = Field(
        description="Day on which the cycle that it is billed in ends."
    )
    invoice_id: str | None = Field(
        description="Id of the document that credits it; null until billed."
    )
    created_at: Instant = Field(description="The instant at which the refund was created, in UTC.")
    updated_at: Instant = Field(
        description="The instant of the last change, in UTC; at first that of creation."
    )

    @classmethod
    def from_domain(cls, refund: Refund, closed: ClosedCycles) -> "RefundResponseDTO":
        key, request, invoice = refund.key, refund.request, refund.invoice(closed)
        return cls(
            id=key.id,
            movement_id=key.movement.id,
            subscription_id=key.movement.subscription_id,
            refund_datetime=request.at,
            period_start_datetime=request.period.start if request.period else None,
            period_end_datetime=request.period.end if request.period else None,
            amount=AmountRequestDTO.from_domain(request.amount, refund.tax)
            if request.transaction_type_id is None
            else BillableAmountRequestDTO.from_domain(
                request.amount, refund.tax, billable=request.billable
            ),
            external_invoice_id=request.external_invoice_id,
            external_refund_unique_id=request.external_id,
            transaction_type_id=request.transaction_type_id,
            billable=request.billable,
            description=request.description,
            status=refund.status(closed),
            invoice_cycle_date=refund.cycle,
            invoice_id=str(invoice) if invoice else None,
            created_at=refund.created_at,
            updated_at=refund.updated_at,
        )


class RefundListDTO(Dto):
    """A page of refunds, newest first."""

    refunds: list[RefundResponseDTO] = Field(description="The refunds of this page, newest first.")
    next_cursor: NextCursor
