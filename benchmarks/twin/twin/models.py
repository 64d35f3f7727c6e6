"""What is sent and answered, as pydantic models."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)


def as_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


Text = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Number = Annotated[Decimal, PlainSerializer(as_number, return_type=int | float)]
Amount = Annotated[Number, Field(max_digits=24, decimal_places=12, allow_inf_nan=False)]
NotNegative = Annotated[Amount, Field(ge=0)]
Positive = Annotated[Amount, Field(gt=0)]
Instant = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]

# ---------------------------------------------------------------- sent


class RequestModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TaxRequest(RequestModel):
    type: Literal["IVA", "IGIC", "IPSI", "NONE"]
    percentage: Annotated[Amount, Field(ge=0, le=100, decimal_places=4)]


class InvoiceLineRequest(RequestModel):
    description: Text
    quantity: Amount
    unit_price: NotNegative
    setup_costs: NotNegative = Decimal(0)
    tax: TaxRequest | None = None
    period_start: date | None = None
    period_end: date | None = None
    order_id: Text | None = None
    remarks: Text | None = None


class InvoiceRequest(RequestModel):
    external_invoice_unique_id: Text
    description: Text
    buyer_reference: Text | None = None
    lines: Annotated[list[InvoiceLineRequest], Field(min_length=1, max_length=1000)]


class PaymentRequest(RequestModel):
    amount: Positive
    paid_datetime: Instant
    method: Text | None = None
    external_payment_unique_id: Text


class CreditNoteRequest(RequestModel):
    external_credit_note_unique_id: Text
    description: Text


class AmountRequest(RequestModel):
    value_with_taxes: Positive
    value_without_taxes: Positive
    tax: TaxRequest


class RefundRequest(RequestModel):
    refund_datetime: Instant
    period_start_datetime: Text
    period_end_datetime: Text
    amount: AmountRequest
    external_invoice_id: Text | None = None
    external_refund_unique_id: Text
    billable: bool = True
    description: Text


# ---------------------------------------------------------------- answered


class Created(BaseModel):
    id: str


class PublicLink(BaseModel):
    invoice_id: str
    url: str
    expires_at: datetime
    content_type: str = "application/pdf"


class Invoice(BaseModel):
    id: str
    creationDate: int
    dueDate: int
    invoiceNumber: str
    invoiceHash: str
    description: str
    currency: str
    currencySign: str
    amountIncVAT: str
    amountExclVAT: str
    paymentStatus: int
    paymentDate: int
    isCredit: int
    remainingAmount: str
    totalPaidAmount: str


class InvoiceItem(BaseModel):
    orderId: str
    description: str
    periodFrom: str
    periodTo: str
    remarks: str
    quantity: int
    setupCosts: str
    unitPrice: str
    vatPercentage: int
    vatAmount: str
    amountIncVat: str
    amountExclVat: str


class ClientDetails(BaseModel):
    fullName: str
    companyName: str
    email: str
    address: str
    zip: str
    city: str
    country: str
    vatNumber: str
    iban: str
    bic: str


class CompanyDetails(BaseModel):
    name: str
    address: str
    zip: str
    city: str
    country: str
    phone: str
    email: str
    url: str
    iban: str
    bic: str


class InvoiceDetails(BaseModel):
    id: int
    invoiceNumber: str
    invoiceHash: str
    clientNumber: str
    creationDate: str
    dueDate: str
    paymentStatus: int
    paymentDate: int
    isCredit: int
    paymentTerm: int
    currency: str
    currencySign: str
    vatPercentage: int
    vatAmount: str
    amountIncVat: str
    amountExclVat: str
    items: list[InvoiceItem]
    clientDetails: ClientDetails
    companyDetails: CompanyDetails


class Days(BaseModel):
    start_date: date
    end_date: date


class InvoiceStatus(BaseModel):
    id: int
    value: str


class InvoiceCycle(BaseModel):
    start_date: datetime
    end_date: datetime


class InvoiceInfoDetail(BaseModel):
    value: Number
    delivery_mode: str
    date: datetime
    pay_date: datetime | None = None
    number: str
    path: str
    status: InvoiceStatus
    cycle: InvoiceCycle


class InvoiceInfoList(BaseModel):
    account_id: int
    period_date: Days
    invoices: list[InvoiceInfoDetail]
