"""v1 billing: issue an invoice, pay it, link to it."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from billing.dialects.fields import (
    Amount,
    Currency,
    Date,
    Dto,
    ExternalIdText,
    Instant,
    Name,
    NotNegative,
    Positive,
    Text,
)
from billing.dialects.v1.common import TaxDTO
from billing.domain.credit_notes import LineCredit
from billing.domain.invoices import LinePeriod, NewInvoice, NewLine


class InvoiceLineRequestDTO(Dto):
    """One line of an invoice."""

    description: Text = Field(description="What the line charges, as it is printed on the invoice.")
    quantity: Annotated[Amount, Field(description="Number of units; negative to give money back.")]
    unit_price: NotNegative = Field(
        description="Price of one unit without tax, in major units. May have more decimals than "
        "the currency."
    )
    setup_costs: NotNegative | None = Field(
        None, description="One-off costs without tax, in major units. Omit for none."
    )
    tax: TaxDTO | None = Field(
        None, description="Tax of the line. Default: that of the account's place."
    )
    period_start: Date | None = Field(None, description="First day that the line covers.")
    period_end: Date | None = Field(
        None, validate_default=True, description="Last day that the line covers."
    )
    order_id: Name | None = Field(
        None, description="The order that the line comes from, as the buyer knows it."
    )
    remarks: Text | None = Field(None, description="A remark that is printed below the line.")

    @field_validator("period_end")
    @classmethod
    def _whole_period(cls, end: date | None, earlier: ValidationInfo) -> date | None:
        start = earlier.data.get("period_start", end)
        if (start is None) != (end is None):
            raise ValueError("give both ends of the period, or none")
        if start and end and end < start:
            raise ValueError("must not be before period_start")
        return end

    def to_domain(self) -> NewLine:
        return NewLine(
            description=self.description,
            quantity=self.quantity,
            unit_price=self.unit_price,
            setup_costs=self.setup_costs or Decimal(0),
            tax=self.tax.to_domain() if self.tax else None,
            period=LinePeriod(self.period_start, self.period_end)
            if self.period_start and self.period_end
            else None,
            order_id=self.order_id,
            remarks=self.remarks,
        )


class InvoiceRequestDTO(Dto):
    """A one-off invoice."""

    external_invoice_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "invoice."
    )
    description: Text = Field(
        description="The description of the document: lists show it and search in it."
    )
    currency: Currency | None = Field(
        None, description="Currency code (ISO 4217). Default: the currency of the account."
    )
    due_date: Date | None = Field(
        None,
        description="Due date, not before the day of issue. Default: payment term of the account.",
    )
    lines: Annotated[list[InvoiceLineRequestDTO], Field(min_length=1, max_length=1000)] = Field(
        description="The 1 to 1,000 lines of the invoice, in order."
    )

    def to_domain(self, org_id: str, account_id: str) -> NewInvoice:
        return NewInvoice(
            org_id=org_id,
            account_id=account_id,
            description=self.description,
            currency=self.currency,
            due_date=self.due_date,
            lines=[line.to_domain() for line in self.lines],
        )


class PaymentRequestDTO(Dto):
    """Money received against an invoice."""

    amount: Positive = Field(
        description="The amount that was paid, in major units of the invoice's currency."
    )
    currency: Currency | None = Field(
        None,
        description="Currency code (ISO 4217). Must be the currency of the invoice, the default.",
    )
    paid_datetime: Instant = Field(
        description="The instant at which the money arrived, with its UTC offset."
    )
    method: Name | None = Field(None, description="How it was paid, such as `transfer` or `card`.")
    external_payment_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "payment."
    )


class PaymentReversalRequestDTO(Dto):
    """The reversal of a payment: a returned direct debit, a chargeback."""

    reason: Text = Field(description="Why the payment was reversed, as the bank said it.")
    reversed_datetime: Instant = Field(
        description="The instant at which the money went back, with its UTC offset."
    )
    external_reversal_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "reversal."
    )


class CreditNoteLineRequestDTO(Dto):
    """A line of the invoice, and the amount that is credited of it."""

    line: Annotated[int, Field(ge=1, le=10**6)] = Field(
        description="Position of the line in the invoice; 1 is the first."
    )
    amount_without_taxes: Positive = Field(
        description="Net amount to credit, in major units. Its tax is credited too."
    )


class CreditNoteRequestDTO(Dto):
    """A credit note for an invoice, as a whole or in part."""

    external_credit_note_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "one."
    )
    description: Text = Field(
        description="The description of the document: lists show it and search in it."
    )
    lines: (
        Annotated[list[CreditNoteLineRequestDTO], Field(min_length=1, max_length=1000)] | None
    ) = Field(None, description="Lines to credit. Omit to credit all that is left.")

    @field_validator("lines")
    @classmethod
    def _each_line_once(
        cls, lines: list[CreditNoteLineRequestDTO] | None
    ) -> list[CreditNoteLineRequestDTO] | None:
        if lines and len({each.line for each in lines}) < len(lines):
            raise ValueError("name each line once")
        return lines

    def to_domain(self) -> list[LineCredit] | None:
        if self.lines is None:
            return None
        return [LineCredit(each.line, each.amount_without_taxes) for each in self.lines]


class InvoicePublicLinkResponseDTO(Dto):
    """A link to the PDF of an invoice that works without a token, for a while."""

    invoice_id: str = Field(description="The id of the invoice that the link is for.")
    url: str = Field(description="The pre-signed address of the PDF. It works without a token.")
    expires_at: Instant = Field(
        description="The instant after which the link no longer works, in UTC."
    )
    content_type: Literal["application/pdf"] = Field(
        description="The media type of what the link returns."
    )
