"""v1 billing: issue an invoice, read it, pay it, link to it."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
)

from billing.dialects.fields import (
    Amount,
    Currency,
    Date,
    Dto,
    ExternalIdText,
    Instant,
    Name,
    NextCursor,
    NotNegative,
    Number,
    Positive,
    Text,
    number_of,
)
from billing.dialects.v1.common import AddressDTO, ElectronicAddressDTO, PeriodDTO, TaxDTO
from billing.domain.credit_notes import LineCredit
from billing.domain.exchange_rates import Conversion
from billing.domain.invoices import (
    Balance,
    CorrectedInvoice,
    Correction,
    CreditReason,
    Draft,
    InvoiceKind,
    InvoiceStatus,
    InvoiceSummary,
    Line,
    LinePeriod,
    NewInvoice,
    NewLine,
    Payment,
    Payout,
    WholeInvoice,
)
from billing.domain.parties import Account, Language, Org
from billing.domain.tax import TaxTotal, TaxType, VatCategory
from billing.domain.texts import language_of
from billing.domain.vat import exemption


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
        None,
        description="Tax of the line. Default: what the place of supply says on the last day that "
        "the line covers, which may be the reverse charge.",
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
    buyer_reference: Name | None = Field(
        None,
        description="Reference that the buyer wants to find on this document (BT-10). Default: "
        "that of the account.",
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
            buyer_reference=self.buyer_reference,
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


class PayoutRequestDTO(Dto):
    """Money that was returned to the customer, or set off against something else."""

    amount: Positive = Field(
        description="The amount that was returned, in major units of the document's currency."
    )
    paid_datetime: Instant = Field(
        description="The instant at which the money was returned, with its UTC offset."
    )
    method: Name | None = Field(
        None, description="How it was returned, such as `transfer` or `set_off`."
    )
    external_payout_unique_id: ExternalIdText = Field(
        description="Your own id, unique in the org. The same request sent again returns the first "
        "payout."
    )


class PayoutResponseDTO(Dto):
    """Money that was returned to the customer."""

    id: str = Field(description="The id of the payout. Ids sort by creation time.")
    amount: Amount = Field(description="The amount that was returned, in major units.")
    currency: Currency = Field(description="The currency of the document (ISO 4217).")
    paid_datetime: Instant = Field(description="When the money was returned, in UTC.")
    method: str | None = Field(description="How it was returned, as it was sent; null if unsaid.")
    external_payout_unique_id: str = Field(description="The id that the caller gave to the payout.")

    @classmethod
    def from_domain(cls, payout: Payout) -> "PayoutResponseDTO":
        return cls(
            id=payout.id,
            amount=payout.amount.major,
            currency=payout.amount.currency,
            paid_datetime=payout.paid_at,
            method=payout.method,
            external_payout_unique_id=payout.external_id,
        )


class PayoutListDTO(Dto):
    """A page of payouts, newest first."""

    payouts: list[PayoutResponseDTO] = Field(description="The payouts of this page, newest first.")
    next_cursor: NextCursor

    @classmethod
    def from_domain(cls, payouts: Sequence[Payout], next_cursor: str | None) -> "PayoutListDTO":
        return cls(
            payouts=[PayoutResponseDTO.from_domain(each) for each in payouts],
            next_cursor=next_cursor,
        )


class BalanceDTO(Dto):
    """What an account owes in one currency, and what is owed to it."""

    currency: Currency = Field(description="The currency of both amounts (ISO 4217).")
    unpaid: Amount = Field(
        description="The sum of what remains to be paid of all invoices, in major units."
    )
    credit: Amount = Field(
        description="What is owed to the customer, in major units: what was paid and then "
        "credited, and documents below zero that correct no invoice, less payouts. Below zero "
        "where a payment was reversed after it had been paid out."
    )


class AccountBalanceResponseDTO(Dto):
    """The balance of an account in each currency that it was invoiced in."""

    balances: list[BalanceDTO] = Field(
        description="One balance for each currency, by its code; empty before the first document."
    )

    @classmethod
    def from_domain(cls, balances: Iterable[Balance]) -> "AccountBalanceResponseDTO":
        return cls(
            balances=[
                BalanceDTO(
                    currency=each.currency, unpaid=each.unpaid.major, credit=each.credit.major
                )
                for each in balances
            ]
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
    reason: Annotated[CreditReason, Field(strict=False)] | None = Field(
        None,
        description="Why it is credited, for the fiscal record of an org with VERIFACTU: `refund` "
        "(R1: returns, discounts, what was not supplied) or `other` (R4). Default: `refund`.",
    )

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


class ReversalDTO(Dto):
    """The reversal of a payment, which does not count any more."""

    reason: str = Field(description="Why the payment was reversed, as it was sent.")
    reversed_datetime: Instant = Field(description="The instant at which the money went back.")


class PaymentResponseDTO(Dto):
    """A payment that was recorded against an invoice."""

    id: str = Field(description="Id of the payment, unique within its invoice.")
    amount: Amount = Field(description="The amount that was paid, in major units.")
    currency: str = Field(description="Currency code (ISO 4217): that of the invoice.")
    paid_datetime: Instant = Field(description="The instant at which the money arrived, in UTC.")
    method: str | None = Field(
        description="How it was paid, as it was sent; null where that was left out."
    )
    reversal: ReversalDTO | None = Field(
        None,
        exclude_if=lambda reversal: reversal is None,
        description="Its reversal: it does not count any more. Left out while it counts.",
    )

    @classmethod
    def from_domain(cls, payment: Payment) -> "PaymentResponseDTO":
        return cls(
            id=payment.id,
            amount=payment.amount.major,
            currency=payment.amount.currency,
            paid_datetime=payment.paid_at,
            method=payment.method,
            reversal=ReversalDTO(
                reason=payment.reversal.reason, reversed_datetime=payment.reversal.reversed_at
            )
            if payment.reversal
            else None,
        )


class PaymentListDTO(Dto):
    """A page of the payments of an invoice, newest first."""

    payments: list[PaymentResponseDTO] = Field(
        description="The payments of this page, the one recorded last first."
    )
    next_cursor: NextCursor

    @classmethod
    def from_domain(cls, page: Sequence[Payment], next_cursor: str | None) -> "PaymentListDTO":
        payments = [PaymentResponseDTO.from_domain(each) for each in page]
        return cls(payments=payments, next_cursor=next_cursor)


class InvoiceSummaryDTO(Dto):
    """A document as lists show it: its head and its settlement."""

    id: str = Field(
        description="Id of the document, which counts the documents of its account: 1, 2, 3 …"
    )
    account_id: str = Field(description="Id of the account that was billed.")
    number: str = Field(description="The number that is printed on it, such as `F2026-000001`.")
    kind: InvoiceKind = Field(
        description="`INVOICE` or `CREDIT_NOTE`; a credit note has negative amounts."
    )
    status: InvoiceStatus = Field(
        description="`credited` if it was credited as a whole; else `paid` if nothing remains, "
        "`overdue` after its due date, `partly_paid` or `unpaid`. A credit note is `paid`."
    )
    description: str = Field(
        description="The description of the document; empty once it was erased."
    )
    issued_at: Instant = Field(description="The instant at which it was issued, in UTC.")
    issue_date: Date = Field(description="Day of issue, in the time zone of the org.")
    due_date: Date = Field(description="Day on which it is due, in the time zone of the org.")
    currency: str = Field(description="Currency code (ISO 4217) of all amounts.")
    net: Number = Field(description="Total without tax, in major units.")
    tax: Number = Field(description="Total of all taxes, in major units.")
    gross: Number = Field(description="Total with tax, in major units: net + tax.")
    paid: Number = Field(description="What was paid so far, in major units.")
    credited: Number = Field(
        description="What credit notes gave back of it so far, with tax, in major units."
    )
    remaining: Number = Field(
        description="What is still owed, in major units: gross - paid - credited, never below zero."
    )

    @classmethod
    def from_domain(cls, summary: InvoiceSummary, now: datetime) -> "InvoiceSummaryDTO":
        return cls(**_summary(summary, now))


class InvoiceListDTO(Dto):
    """A page of invoices and credit notes."""

    invoices: list[InvoiceSummaryDTO] = Field(description="The documents of this page, in order.")
    next_cursor: NextCursor

    @classmethod
    def from_domain(
        cls, page: Sequence[InvoiceSummary], next_cursor: str | None, now: datetime
    ) -> "InvoiceListDTO":
        invoices = [InvoiceSummaryDTO.from_domain(each, now) for each in page]
        return cls(invoices=invoices, next_cursor=next_cursor)


class InvoiceLineResponseDTO(Dto):
    """One line of a document."""

    description: str = Field(description="What the line charges; empty once it was erased.")
    quantity: Amount = Field(description="Number of units; negative where money is given back.")
    unit_price: Amount = Field(
        description="Price of one unit without tax, in major units; it may have more decimals than "
        "the currency."
    )
    setup_costs: Amount = Field(description="One-off costs without tax, in major units.")
    net: Amount = Field(
        description="Amount of the line without tax, in major units: quantity × unit_price + "
        "setup_costs, rounded."
    )
    tax: TaxDTO = Field(description="Kind and rate of the tax of the line.")
    period_start: Date | None = Field(description="First day that the line covers, or null.")
    period_end: Date | None = Field(description="Last day that the line covers, or null.")
    order_id: str | None = Field(
        description="The order that the line comes from, as the buyer knows it, or null."
    )
    remarks: str | None = Field(description="A remark that is printed below the line, or null.")
    subscription_id: str | None = Field(
        description="Id of the subscription that a billing run charges here, or null."
    )
    movement_id: str | None = Field(
        description="Id of the movement that the line charges or gives back, or null."
    )

    @classmethod
    def from_domain(cls, line: Line) -> "InvoiceLineResponseDTO":
        return cls(
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            setup_costs=line.setup_costs.major,
            net=line.net.major,
            tax=TaxDTO.from_domain(line.tax),
            period_start=line.period.start if line.period else None,
            period_end=line.period.end if line.period else None,
            order_id=line.order_id,
            remarks=line.remarks,
            subscription_id=line.subscription_id,
            movement_id=line.movement_id,
        )


class TaxTotalDTO(Dto):
    """The total of one kind and rate of tax."""

    type: TaxType = Field(description="Kind of tax; `NONE` where no tax is charged.")
    percentage: Amount = Field(description="The tax rate in percent: 21 means 21 %.")
    category: VatCategory = Field(
        description="VAT category code (UNTDID 5305), as on the e-invoice: `S` standard, `Z` zero "
        "rated, `E` exempt, `AE` reverse charge, `O` outside the scope, `L` IGIC, `M` IPSI."
    )
    exemption_reason: str | None = Field(
        None,
        exclude_if=lambda reason: reason is None,
        description="The legal ground on which no tax is charged: the VATEX code or the words that "
        "were given, else the words of the document.",
    )
    net: Amount = Field(description="Sum of the net amounts that it is charged on, in major units.")
    amount: Amount = Field(description="The tax on that sum, in major units.")

    @classmethod
    def from_domain(cls, total: TaxTotal, language: Language) -> "TaxTotalDTO":
        why = exemption(total.tax, language)
        return cls.model_construct(
            type=total.tax.type,
            percentage=total.tax.percentage,
            category=total.tax.decided,
            exemption_reason=total.tax.reason or (why.reason if why else None),
            net=total.net.major,
            amount=total.amount.major,
        )


class CorrectedInvoiceDTO(Dto):
    """The invoice that a credit note corrects."""

    id: str = Field(description="Id of the invoice that is corrected, in the same account.")
    number: str = Field(description="The number that is printed on that invoice.")
    issue_date: Date = Field(description="Day on which that invoice was issued.")

    @classmethod
    def from_domain(cls, corrected: CorrectedInvoice) -> "CorrectedInvoiceDTO":
        return cls(
            id=str(corrected.ordinal), number=corrected.number, issue_date=corrected.issue_date
        )


class CorrectionDTO(Dto):
    """A credit note that corrects an invoice."""

    id: str = Field(description="Id of the credit note, in the same account.")
    number: str = Field(description="The number that is printed on the credit note.")

    @classmethod
    def from_domain(cls, correction: Correction) -> "CorrectionDTO":
        return cls(id=str(correction.ordinal), number=correction.number)


class BuyerDTO(Dto):
    """The buyer of a document, as on the day of issue; texts are empty once it was erased."""

    name: str = Field(description="Full name of the person or organization that was billed.")
    company_name: str | None = Field(description="Legal name of the company, or null.")
    tax_id: str | None = Field(description="Tax id of the buyer, or null if there is none.")
    email: str = Field(description="E-mail address that documents are sent to.")
    address: AddressDTO = Field(description="Billing address, as printed on the document.")
    iban: str | None = Field(description="IBAN of the buyer's own bank account, or null.")
    bic: str | None = Field(description="BIC of the bank that holds the IBAN, or null.")
    buyer_reference: str | None = Field(
        description="What the buyer wants to find on each document (BT-10), or null."
    )
    electronic_address: ElectronicAddressDTO | None = Field(
        description="Address of the buyer for e-invoices (BT-49), or null."
    )

    @classmethod
    def from_domain(cls, buyer: Account) -> "BuyerDTO":
        return cls(
            name=buyer.name,
            company_name=buyer.company_name,
            tax_id=buyer.tax_id,
            email=buyer.email,
            address=AddressDTO.from_domain(buyer.address),
            iban=buyer.iban,
            bic=buyer.bic,
            buyer_reference=buyer.buyer_reference,
            electronic_address=ElectronicAddressDTO.from_domain(buyer.electronic_address),
        )


class SellerDTO(Dto):
    """The org that issued a document, as on the day of issue."""

    legal_name: str = Field(description="Legal name, as in the commercial register.")
    tax_id: str = Field(description="Tax id of the org that issued the document.")
    address: AddressDTO = Field(description="Address of the registered office.")
    phone: str | None = Field(description="Phone number, as printed on the document, or null.")
    email: str = Field(description="E-mail address, as printed on the document.")
    url: str | None = Field(description="Address of the website, or null if there is none.")
    iban: str | None = Field(description="IBAN of the bank account to pay to, or null.")
    bic: str | None = Field(description="BIC of the bank that holds the IBAN, or null.")
    electronic_address: ElectronicAddressDTO | None = Field(
        description="Address of the org for e-invoices (BT-34), or null."
    )

    @classmethod
    def from_domain(cls, seller: Org) -> "SellerDTO":
        return cls(
            legal_name=seller.legal_name,
            tax_id=seller.tax_id,
            address=AddressDTO.from_domain(seller.address),
            phone=seller.phone,
            email=seller.email,
            url=seller.url,
            iban=seller.iban,
            bic=seller.bic,
            electronic_address=ElectronicAddressDTO.from_domain(seller.electronic_address),
        )


class NationalTaxDTO(Dto):
    """The tax of a document in a foreign currency, in the currency of the seller's country."""

    currency: str = Field(description="Currency of the seller's country (ISO 4217).")
    amount: Amount = Field(description="The tax in that currency, in major units.")
    date: Date = Field(description="Day of the exchange rates that it was converted at.")
    per_euro: dict[str, Amount] = Field(
        description="Exchange rates: units for 1 EUR, by currency; EUR itself is 1."
    )

    @classmethod
    def from_domain(cls, conversion: Conversion, currency: str) -> "NationalTaxDTO":
        return cls(
            currency=conversion.tax.currency,
            amount=conversion.tax.major,
            date=conversion.day,
            per_euro=dict(conversion.sides(currency)),
        )


class InvoiceResponseDTO(InvoiceSummaryDTO):
    """A document whole, and all that has become of it."""

    lines: list[InvoiceLineResponseDTO] = Field(
        description="The lines, in the order in which they are printed; a credit note names the "
        "first as line 1."
    )
    taxes: list[TaxTotalDTO] = Field(description="Total per kind and rate of tax, highest first.")
    national_tax: NationalTaxDTO | None = Field(
        None,
        exclude_if=lambda tax: tax is None,
        description="Total tax in the currency of the seller's country (art. 230). Left out where "
        "the document is in that currency, or charges no tax.",
    )
    period: PeriodDTO = Field(description="The billing period that the document belongs to.")
    payments: list[PaymentResponseDTO] = Field(
        description="The last 100 payments, newest first; `GET …/payments` lists all of them."
    )
    corrects: CorrectedInvoiceDTO | None = Field(
        None,
        exclude_if=lambda corrects: corrects is None,
        description="The invoice that this credit note corrects. Left out where it corrects none.",
    )
    corrected_by: list[CorrectionDTO] = Field(
        description="The last 100 credit notes that correct this invoice, in the order of issue."
    )
    buyer: BuyerDTO = Field(description="Who was billed, as on the day of issue.")
    seller: SellerDTO = Field(description="Who issued it, as on the day of issue.")
    hash: str = Field(
        description="SHA-256, in hex, over the record of the document and `previous_hash`."
    )
    previous_hash: str = Field(
        description="Hash of the document issued before it; empty for the first one of the chain."
    )

    @classmethod
    def from_whole(cls, whole: WholeInvoice, now: datetime) -> "InvoiceResponseDTO":
        invoice = whole.invoice
        return cls(
            **_summary(whole.summary, now),
            lines=[InvoiceLineResponseDTO.from_domain(line) for line in invoice.lines],
            taxes=[
                TaxTotalDTO.from_domain(total, language_of(invoice.buyer))
                for total in invoice.taxes
            ],
            national_tax=NationalTaxDTO.from_domain(invoice.national_tax, invoice.currency)
            if invoice.national_tax
            else None,
            period=PeriodDTO.from_domain(invoice.cycle),
            payments=[PaymentResponseDTO.from_domain(each) for each in whole.payments],
            corrects=CorrectedInvoiceDTO.from_domain(invoice.corrects)
            if invoice.corrects
            else None,
            corrected_by=[CorrectionDTO.from_domain(each) for each in whole.corrected_by],
            buyer=BuyerDTO.from_domain(invoice.buyer),
            seller=SellerDTO.from_domain(invoice.seller),
            hash=whole.summary.hash,
            previous_hash=whole.previous_hash,
        )


class UpcomingDocumentDTO(Dto):
    """A document as a billing run would issue it now, before it has a number."""

    kind: InvoiceKind = Field(
        description="`INVOICE`, or `CREDIT_NOTE` where it corrects an invoice or is below zero."
    )
    currency: str = Field(description="Currency code (ISO 4217) of all amounts.")
    lines: list[InvoiceLineResponseDTO] = Field(
        description="The lines, in the order in which they would be printed."
    )
    taxes: list[TaxTotalDTO] = Field(description="Total per kind and rate of tax, highest first.")
    net: Amount = Field(description="Total without tax, in major units.")
    tax: Amount = Field(description="Total of all taxes, in major units.")
    gross: Amount = Field(description="Total with tax, in major units: net + tax.")
    corrects: CorrectedInvoiceDTO | None = Field(
        None,
        exclude_if=lambda corrects: corrects is None,
        description="The invoice that it would correct; left out where it corrects none.",
    )

    @classmethod
    def from_domain(cls, draft: Draft) -> "UpcomingDocumentDTO":
        return cls(
            kind=draft.kind,
            currency=draft.currency,
            lines=[InvoiceLineResponseDTO.from_domain(line) for line in draft.lines],
            taxes=[
                TaxTotalDTO.from_domain(total, language_of(draft.buyer)) for total in draft.taxes
            ],
            net=draft.net.major,
            tax=draft.tax.major,
            gross=draft.gross.major,
            corrects=CorrectedInvoiceDTO.from_domain(draft.corrects) if draft.corrects else None,
        )


class UpcomingInvoiceResponseDTO(Dto):
    """What the next billing run would issue for an account, if its cycle ended now."""

    documents: list[UpcomingDocumentDTO] = Field(
        description="Credit notes for earlier invoices, then the documents of the cycle itself; "
        "empty where there is nothing to bill."
    )


def _summary(summary: InvoiceSummary, now: datetime) -> dict[str, Any]:
    """Return the fields that lists show; `now` decides what is overdue."""
    return {
        "id": str(summary.key.ordinal),
        "account_id": summary.key.account_id,
        "number": summary.number,
        "kind": summary.kind,
        "status": summary.status(now),
        "description": summary.description,
        "issued_at": summary.issued_at,
        "issue_date": summary.issue_date,
        "due_date": summary.due_date,
        "currency": summary.gross.currency,
        "net": number_of(summary.net),
        "tax": number_of(summary.gross - summary.net),
        "gross": number_of(summary.gross),
        "paid": number_of(summary.settlement.paid),
        "credited": number_of(summary.settlement.credited),
        "remaining": number_of(summary.remaining),
    }
