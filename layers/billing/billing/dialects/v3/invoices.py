"""
v3 account: invoices in camelCase, amounts as strings of whole minor units (seed of that dialect).

The list says `amountIncVAT` and the detail `amountIncVat`: both spellings are published.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema

from billing.dialects.fields import Dto
from billing.domain.invoices import InvoiceSummary, IssuedInvoice, Line, PaymentStatus
from billing.domain.money import Money, currency_sign
from billing.domain.periods import midnight

_PAYMENT_STATUS = {
    PaymentStatus.UNPAID: 0,
    PaymentStatus.PAID: 1,
    PaymentStatus.PARTLY_PAID: 2,
}


_RANGE = re.compile(r"(?P<name>start|results)=(?P<value>[0-9]{1,10})", re.ASCII)


def _range(text: str) -> "Range":
    parts = [_RANGE.fullmatch(part) for part in text.replace(" ", "").split(",")]
    given = {part["name"]: int(part["value"]) for part in parts if part}
    if len(given) < len(parts):
        raise ValueError("must have the form start=0,results=25")
    wanted = Range(**given)
    if not 1 <= wanted.results <= 100:
        raise ValueError("results must be from 1 to 100")
    return wanted


@dataclass(frozen=True, slots=True)
class Range:
    """The requested part of a list: `results` rows from the `start`th newest on."""

    start: int = 0
    results: int = 25

    def of(self, total: int) -> str:
        """Return the text of the header of the answer."""
        return f"start={self.start},results={self.results},total={total}"


RangedData = Annotated[
    Range,
    PlainValidator(_range),
    WithJsonSchema({"type": "string", "example": "start=0,results=25"}),
]
"""The header RANGED-DATA."""


class Invoice(Dto):
    """An invoice, as lists show it."""

    id: str = Field(
        description="The ID of the invoice, which counts the account's documents: 1, 2, 3 …"
    )
    creationDate: int = Field(description="Time of creation, in Unix seconds.")
    dueDate: int = Field(description="Start of the due date, in Unix seconds.")
    invoiceNumber: str = Field(
        description="The number that is printed on the invoice, such as `F2026-000001`."
    )
    invoiceHash: str = Field(description="A unique hash for this invoice: SHA-256, in hex.")
    description: str = Field(description="The description of the invoice.")
    currency: str = Field(description="The currency that is being used: ISO 4217.")
    currencySign: str = Field(
        description="The sign of the currency, or its code where no sign is common."
    )
    amountIncVAT: str = Field(description="The amount including VAT, in whole minor units (cents).")
    amountExclVAT: str = Field(
        description="The amount excluding VAT, in whole minor units (cents)."
    )
    paymentStatus: int = Field(description="Payment status: 0 unpaid, 1 paid, 2 partly paid.")
    paymentDate: int = Field(
        description="Instant of the last payment, in Unix seconds. 0 while an amount remains, and "
        "if nothing was paid."
    )
    isCredit: int = Field(description="1 for a credit note, 0 for an invoice.")
    remainingAmount: str = Field(description="Amount still owed, in whole minor units.")
    totalPaidAmount: str = Field(description="Amount paid so far, in whole minor units.")

    @classmethod
    def from_domain(cls, summary: InvoiceSummary) -> "Invoice":
        currency = summary.gross.currency
        return cls(
            id=str(summary.key.ordinal),
            creationDate=_seconds(summary.issued_at),
            dueDate=_seconds(midnight(summary.due_date, summary.time_zone)),
            invoiceNumber=summary.number,
            invoiceHash=summary.hash,
            description=summary.description,
            currency=currency,
            currencySign=currency_sign(currency),
            amountIncVAT=_cents(summary.gross),
            amountExclVAT=_cents(summary.net),
            paymentStatus=_PAYMENT_STATUS[summary.payment_status],
            paymentDate=_seconds(summary.paid_at),
            isCredit=int(summary.is_credit),
            remainingAmount=_cents(summary.remaining),
            totalPaidAmount=_cents(summary.settlement.paid),
        )


class InvoiceItem(Dto):
    """One line of an invoice."""

    orderId: str = Field(
        description="The order that the line comes from, or else the subscription that is billed, "
        "or an empty text."
    )
    description: str = Field(description="What the line charges, as it is printed on the invoice.")
    periodFrom: str = Field(
        description="First day that the line covers: yyyy-mm-dd, or an empty text."
    )
    periodTo: str = Field(
        description="Last day that the line covers: yyyy-mm-dd, or an empty text."
    )
    remarks: str = Field(description="A remark to the line, or an empty text.")
    quantity: int = Field(
        description="Number of units; a fraction is shown as 1, at the net amount of the line."
    )
    setupCosts: str = Field(
        description="Costs that are charged once, excluding VAT, in whole minor units."
    )
    unitPrice: str = Field(
        description="The price of one unit, excluding VAT, in whole minor units."
    )
    vatPercentage: int = Field(
        description="The VAT rate in percent, rounded half up to a whole number."
    )
    vatAmount: str = Field(description="The VAT of this line alone, in minor units.")
    amountIncVat: str = Field(description="The amount including VAT, in whole minor units (cents).")
    amountExclVat: str = Field(
        description="The amount excluding VAT, in whole minor units (cents)."
    )

    @classmethod
    def from_domain(cls, line: Line) -> "InvoiceItem":
        whole = line.quantity == line.quantity.to_integral_value()
        price = (
            Money.rounded(line.unit_price, line.net.currency)
            if whole
            else line.net - line.setup_costs
        )
        vat = line.tax.on(line.net)
        return cls(
            orderId=line.order_id or line.subscription_id or "",
            description=line.description,
            periodFrom=line.period.start.isoformat() if line.period else "",
            periodTo=line.period.end.isoformat() if line.period else "",
            remarks=line.remarks or "",
            quantity=int(line.quantity) if whole else 1,
            setupCosts=_cents(line.setup_costs),
            unitPrice=_cents(price),
            vatPercentage=_whole(line.tax.percentage),
            vatAmount=_cents(vat),
            amountIncVat=_cents(line.net + vat),
            amountExclVat=_cents(line.net),
        )


class ClientDetails(Dto):
    """The client that was billed."""

    fullName: str = Field(
        description="The full name of the person or organization that was billed."
    )
    companyName: str = Field(description="The legal name of the company, or an empty text.")
    email: str = Field(description="The e-mail address that documents are sent to.")
    address: str = Field(description="The street and the house number.")
    zip: str = Field(description="The postal code of the address.")
    city: str = Field(description="The town or city of the address.")
    country: str = Field(description="The country of the address: ISO 3166-1 alpha-2.")
    vatNumber: str = Field(description="The tax id of the client, or an empty text.")
    iban: str = Field(description="The client's own bank account (IBAN), or an empty text.")
    bic: str = Field(description="BIC of the bank that holds the IBAN, or an empty text.")


class CompanyDetails(Dto):
    """The company that issued the invoice."""

    name: str = Field(description="The legal name of the company that issued the invoice.")
    address: str = Field(description="The street and the house number.")
    zip: str = Field(description="The postal code of the address.")
    city: str = Field(description="The town or city of the address.")
    country: str = Field(description="The country of the address: ISO 3166-1 alpha-2.")
    phone: str = Field(description="The phone number for questions, or an empty text.")
    email: str = Field(description="The e-mail address for questions about the invoice.")
    url: str = Field(description="The website of the company, or an empty text.")
    iban: str = Field(description="The bank account (IBAN) to pay to, or an empty text.")
    bic: str = Field(description="BIC of the bank that holds the IBAN, or an empty text.")


class InvoiceDetails(Dto):
    """An invoice with its lines, client and company."""

    id: int = Field(
        description="The ID of the invoice, which counts the account's documents: 1, 2, 3 …"
    )
    invoiceNumber: str = Field(
        description="The number that is printed on the invoice, such as `F2026-000001`."
    )
    invoiceHash: str = Field(description="A unique hash for this invoice: SHA-256, in hex.")
    clientNumber: str = Field(description="The number of the client: the id of the account.")
    creationDate: str = Field(description="Issue date of the invoice: yyyy-mm-dd.")
    dueDate: str = Field(description="Due date of the invoice: yyyy-mm-dd.")
    paymentStatus: int = Field(description="Payment status: 0 unpaid, 1 paid, 2 partly paid.")
    paymentDate: int = Field(
        description="Instant of the last payment, in Unix seconds. 0 while an amount remains, and "
        "if nothing was paid."
    )
    isCredit: int = Field(description="1 for a credit note, 0 for an invoice.")
    paymentTerm: int = Field(description="The number of days from the issue date to the due date.")
    currency: str = Field(description="The currency that is being used: ISO 4217.")
    currencySign: str = Field(
        description="The sign of the currency, or its code where no sign is common."
    )
    vatPercentage: int = Field(
        description="Highest VAT rate in percent, rounded half up to a whole number."
    )
    vatAmount: str = Field(description="The VAT amount of the whole invoice, in whole minor units.")
    amountIncVat: str = Field(description="The amount including VAT, in whole minor units (cents).")
    amountExclVat: str = Field(
        description="The amount excluding VAT, in whole minor units (cents)."
    )
    items: list[InvoiceItem] = Field(
        description="The lines of the invoice, in the order in which they are printed."
    )
    clientDetails: ClientDetails = Field(
        description="The client that was billed, as on the day of issue."
    )
    companyDetails: CompanyDetails = Field(
        description="The company that issued the invoice, as on the day of issue."
    )

    @classmethod
    def from_domain(cls, invoice: IssuedInvoice, summary: InvoiceSummary) -> "InvoiceDetails":
        buyer, seller = invoice.buyer, invoice.seller
        return cls(
            id=invoice.key.ordinal,
            invoiceNumber=invoice.number,
            invoiceHash=summary.hash,
            clientNumber=buyer.id,
            creationDate=invoice.issue_date.isoformat(),
            dueDate=invoice.due_date.isoformat(),
            paymentStatus=_PAYMENT_STATUS[summary.payment_status],
            paymentDate=_seconds(summary.paid_at),
            isCredit=int(summary.is_credit),
            paymentTerm=invoice.payment_term_days,
            currency=invoice.currency,
            currencySign=currency_sign(invoice.currency),
            vatPercentage=_whole(max(total.tax.percentage for total in invoice.taxes)),
            vatAmount=_cents(invoice.tax),
            amountIncVat=_cents(invoice.gross),
            amountExclVat=_cents(invoice.net),
            items=[InvoiceItem.from_domain(line) for line in invoice.lines],
            clientDetails=ClientDetails(
                fullName=buyer.name,
                companyName=buyer.company_name or "",
                email=buyer.email,
                address=buyer.address.street,
                zip=buyer.address.postal_code,
                city=buyer.address.city,
                country=buyer.address.country,
                vatNumber=buyer.tax_id or "",
                iban=buyer.iban or "",
                bic=buyer.bic or "",
            ),
            companyDetails=CompanyDetails(
                name=seller.legal_name,
                address=seller.address.street,
                zip=seller.address.postal_code,
                city=seller.address.city,
                country=seller.address.country,
                phone=seller.phone or "",
                email=seller.email,
                url=seller.url or "",
                iban=seller.iban or "",
                bic=seller.bic or "",
            ),
        )


def _cents(amount: Money) -> str:
    return str(amount.minor)


def _seconds(instant: datetime | None) -> int:
    return int(instant.timestamp()) if instant else 0


def _whole(percentage: Decimal) -> int:
    return int(percentage.to_integral_value(ROUND_HALF_UP))
