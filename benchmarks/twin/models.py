"""What is sent and answered, as pydantic models."""

from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from billing.domain.credit_notes import LineCredit
from billing.domain.idempotency import ExternalId
from billing.domain.invoices import LinePeriod, NewInvoice, NewLine
from billing.domain.money import CURRENCIES
from billing.domain.tax import Tax, TaxType

# ---------------------------------------------------------------- sent


def as_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def known_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("must be a currency in use, as ISO 4217 writes it: EUR")
    return value


def in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=PRINTABLE)]
ExternalIdText = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTABLE)]
Number = Annotated[Decimal, PlainSerializer(as_number, return_type=int | float)]
Amount = Annotated[Number, Field(max_digits=24, decimal_places=12, allow_inf_nan=False)]
NotNegative = Annotated[Amount, Field(ge=0)]
Positive = Annotated[Amount, Field(gt=0)]
Currency = Annotated[str, AfterValidator(known_currency)]
Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]


class RequestModel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def external_id(self, value: str, *scope: str) -> ExternalId:
        """Name what this request creates, with a fingerprint of all that it says and where."""
        said = "\n".join([*scope, self.model_dump_json()])
        return ExternalId(value, sha256(said.encode()).hexdigest())


class TaxRequest(RequestModel):
    type: TaxType
    percentage: Annotated[Amount, Field(ge=0, le=100, decimal_places=4)]

    @model_validator(mode="after")
    def _nothing_untaxed_has_a_rate(self) -> Self:
        if self.type is TaxType.NONE and self.percentage:
            raise ValueError("percentage must be 0 where the type is NONE")
        return self

    def to_domain(self) -> Tax:
        return Tax(self.type, self.percentage.normalize())


class InvoiceLineRequest(RequestModel):
    description: Text
    quantity: Amount
    unit_price: NotNegative
    setup_costs: NotNegative | None = None
    tax: TaxRequest | None = None
    period_start: date | None = None
    period_end: date | None = None
    order_id: Name | None = None
    remarks: Text | None = None

    @model_validator(mode="after")
    def _whole_period(self) -> Self:
        start, end = self.period_start, self.period_end
        if (start is None) != (end is None):
            raise ValueError("give both ends of the period, or none")
        if start and end and end < start:
            raise ValueError("period_end is before period_start")
        return self

    def to_domain(self) -> NewLine:
        start, end = self.period_start, self.period_end
        return NewLine(
            description=self.description,
            quantity=self.quantity,
            unit_price=self.unit_price,
            setup_costs=self.setup_costs or Decimal(0),
            tax=self.tax.to_domain() if self.tax else None,
            period=LinePeriod(start, end) if start and end else None,
            order_id=self.order_id,
            remarks=self.remarks,
        )


class InvoiceRequest(RequestModel):
    external_invoice_unique_id: ExternalIdText
    description: Text
    currency: Currency | None = None
    due_date: date | None = None
    lines: Annotated[list[InvoiceLineRequest], Field(min_length=1, max_length=1000)]

    def to_domain(self, org_id: str, account_id: str) -> NewInvoice:
        return NewInvoice(
            org_id=org_id,
            account_id=account_id,
            description=self.description,
            currency=self.currency,
            due_date=self.due_date,
            lines=[line.to_domain() for line in self.lines],
        )


class PaymentRequest(RequestModel):
    amount: Positive
    currency: Currency | None = None
    paid_datetime: Instant
    method: Name | None = None
    external_payment_unique_id: ExternalIdText


class CreditNoteLineRequest(RequestModel):
    line: Annotated[int, Field(ge=1, le=10**6)]
    amount_without_taxes: Positive


class CreditNoteRequest(RequestModel):
    external_credit_note_unique_id: ExternalIdText
    description: Text
    lines: Annotated[list[CreditNoteLineRequest], Field(min_length=1, max_length=1000)] | None = (
        None
    )

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        if self.lines and len({each.line for each in self.lines}) < len(self.lines):
            raise ValueError("name each line once")
        return self

    def to_domain(self) -> list[LineCredit] | None:
        if self.lines is None:
            return None
        return [LineCredit(each.line, each.amount_without_taxes) for each in self.lines]


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


class PeriodDate(BaseModel):
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
    period_date: PeriodDate
    invoices: list[InvoiceInfoDetail]
