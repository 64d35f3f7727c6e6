"""Invoices: lines, totals and settlement. issuing.py numbers and chains them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.domain.declarable import check_period
from billing.domain.errors import (
    InvalidRequestError,
    PaymentExceedsInvoiceError,
    PayoutExceedsCreditError,
)
from billing.domain.exchange_rates import Conversion
from billing.domain.money import EXACT, MAX_MINOR, Money
from billing.domain.parties import Account, DeliveryMode, FiscalService, Org
from billing.domain.periods import BillingPeriod, local_date, midnight, period_at
from billing.domain.tax import Tax, TaxTotal, VatCategory, tax_totals
from billing.domain.tax_ids import vat_id
from billing.domain.tax_rates import OwnRates
from billing.domain.vat import Supply


class InvoiceKind(StrEnum):
    """The kind of a document; a credit note has negative amounts and a series of its own."""

    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


class CreditReason(StrEnum):
    """Why a document is credited; what is declared to Spain's tax agency depends on it."""

    REFUND = "refund"
    OTHER = "other"


class InvoiceStatus(StrEnum):
    """What has become of a document, in one word."""

    UNPAID = "unpaid"
    PARTLY_PAID = "partly_paid"
    OVERDUE = "overdue"
    PAID = "paid"
    CREDITED = "credited"


class PaymentStatus(StrEnum):
    """The payment status of an invoice."""

    UNPAID = "UNPAID"
    PARTLY_PAID = "PARTLY_PAID"
    PAID = "PAID"


@dataclass(frozen=True, slots=True)
class InvoiceKey:
    """
    The key of an invoice: `ordinal` counts the documents of its account, 1, 2, 3 …

    An issued invoice never disappears, so the ordinal is its id, and positions in lists are
    arithmetic on it.
    """

    org_id: str
    account_id: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class LinePeriod:
    """The days a line covers, both included."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of an invoice.

    `unit_price` is in major units and may have more decimals than the currency; `net` is
    quantity × unit price + setup costs, rounded once. `order_id` is the buyer's order that the
    line comes from. In what a run bills, `subscription_id` is the subscription that is charged, and
    `movement_id` the movement that the line charges or refunds.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal
    setup_costs: Money
    tax: Tax
    net: Money
    period: LinePeriod | None = None
    order_id: str | None = None
    remarks: str | None = None
    movement_id: str | None = None
    subscription_id: str | None = None

    @classmethod
    def priced(
        cls,
        description: str,
        quantity: Decimal,
        unit_price: Decimal,
        setup_costs: Money,
        tax: Tax,
        period: LinePeriod | None = None,
        order_id: str | None = None,
        remarks: str | None = None,
    ) -> "Line":
        """Create a line, and compute its net amount."""
        exact = EXACT.fma(quantity, unit_price, setup_costs.major)
        net = Money.rounded(exact, setup_costs.currency)
        return cls(
            description,
            quantity,
            unit_price,
            setup_costs,
            tax,
            net,
            period,
            order_id,
            remarks,
        )


@dataclass(frozen=True, slots=True)
class CorrectedInvoice:
    """The original that a credit note corrects."""

    ordinal: int
    number: str
    issue_date: date


@dataclass(frozen=True, slots=True)
class Correction:
    """A credit note that corrects an invoice."""

    ordinal: int
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """
    The content of a document, the same as a draft and once it is issued.

    `seller` and `buyer` are as they were on the day of issue. `conversion` states the VAT of a
    document that is in a foreign currency.
    """

    kind: InvoiceKind
    currency: str
    description: str
    seller: Org
    buyer: Account
    cycle: BillingPeriod
    lines: tuple[Line, ...]
    taxes: tuple[TaxTotal, ...]
    corrects: CorrectedInvoice | None = None
    conversion: Conversion | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Return all fields of the content, by their names."""
        return {each.name: getattr(self, each.name) for each in fields(Content)}

    @property
    def net(self) -> Money:
        return sum((total.net for total in self.taxes), Money.zero(self.currency))

    @property
    def tax(self) -> Money:
        return sum((total.amount for total in self.taxes), Money.zero(self.currency))

    @property
    def gross(self) -> Money:
        return gross_of(self.taxes, self.currency)


@dataclass(frozen=True, slots=True)
class FiscalSummary:
    """
    What a document says of its fiscal record, which verifactu.py makes.

    `type` is the agency's (TipoFactura), `total` in EUR; `service` is where it can be verified.
    """

    type: str
    total: Decimal
    service: FiscalService


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedInvoice(Content):
    """
    An issued, numbered, immutable document, with all that the law requires.

    `issued_at` is the instant (UTC), `issue_date` and `due_date` are days in the seller's time
    zone. `fiscal` is there where Spain's tax agency is told of the document.
    """

    key: InvoiceKey
    number: str
    issued_at: datetime
    issue_date: date
    due_date: date
    fiscal: FiscalSummary | None = None
    erased: bool = False
    """Whether the personal part was erased after the legal term; its texts are empty then."""

    @property
    def vat_id(self) -> str | None:
        """Return the buyer's VAT id of a reverse charge (BT-48)."""
        return _vat_id(self.lines)

    @property
    def national_tax(self) -> Conversion | None:
        """
        Return the VAT in the national currency, where the document states it (BT-111).

        What is declared to the tax agency has an exchange rate even if it charges no VAT.
        """
        is_stated = self.fiscal is None or any(total.amount for total in self.taxes)
        return self.conversion if is_stated else None

    @property
    def is_one_off(self) -> bool:
        """Return whether it was issued in the middle of a cycle, and not for one that had ended."""
        return self.cycle.end > self.issued_at

    @property
    def payment_term_days(self) -> int:
        return (self.due_date - self.issue_date).days


@dataclass(frozen=True, slots=True)
class Settlement:
    """
    The payments, credits and payouts of a document.

    `paid_at` is the latest instant of the payments that were not reversed; `version` counts the
    changes. What was paid is never more than what remained. What was credited is never more than
    the whole, but a paid invoice can be credited: the money goes back.
    """

    paid: Money
    credited: Money
    paid_out: Money
    paid_at: datetime | None = None
    version: int = 0

    def plus_payment(self, amount: Money, paid_at: datetime, remaining: Money) -> "Settlement":
        """
        Add a payment.

        Raise PaymentExceedsInvoiceError where more is paid than remains.
        """
        if remaining < amount:
            raise PaymentExceedsInvoiceError(
                f"The payment ({amount}) exceeds the remaining amount of the invoice ({remaining})."
            )
        latest = max(self.paid_at or paid_at, paid_at)
        return replace(self, paid=self.paid + amount, paid_at=latest, version=self.version + 1)

    def minus_payment(self, amount: Money, others_paid_at: datetime | None) -> "Settlement":
        """Take a payment back; `others_paid_at` is the latest instant of the other payments."""
        return replace(
            self, paid=self.paid - amount, paid_at=others_paid_at, version=self.version + 1
        )

    def plus_credit(self, amount: Money) -> "Settlement":
        """Add a credit, which may be more than remains to be paid."""
        return replace(self, credited=self.credited + amount, version=self.version + 1)

    def plus_payout(self, amount: Money, credit: Money) -> "Settlement":
        """
        Add a payout of what is owed to the customer.

        Raise PayoutExceedsCreditError where more is paid out than that.
        """
        if credit < amount:
            raise PayoutExceedsCreditError(
                f"The payout ({amount}) exceeds what this document still owes to the customer "
                f"({credit})."
            )
        return replace(self, paid_out=self.paid_out + amount, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """
    The part of an invoice that lists show: the head of the document, and its settlement.

    `is_correction` says whether it corrects an earlier one; None where only its record knows, as
    with credit notes that version 1.0 issued.
    """

    key: InvoiceKey
    number: str
    hash: str
    kind: InvoiceKind
    issued_at: datetime
    issue_date: date
    due_date: date
    time_zone: str
    description: str
    net: Money
    gross: Money
    delivery_mode: DeliveryMode
    cycle: BillingPeriod
    settlement: Settlement
    is_correction: bool | None

    @classmethod
    def of(cls, invoice: IssuedInvoice, invoice_hash: str) -> "InvoiceSummary":
        """Summarise an invoice as it is issued."""
        zero = Money.zero(invoice.currency)
        return cls(
            key=invoice.key,
            number=invoice.number,
            hash=invoice_hash,
            kind=invoice.kind,
            issued_at=invoice.issued_at,
            issue_date=invoice.issue_date,
            due_date=invoice.due_date,
            time_zone=invoice.seller.time_zone,
            description=invoice.description,
            net=invoice.net,
            gross=invoice.gross,
            delivery_mode=invoice.buyer.delivery_mode,
            cycle=invoice.cycle,
            settlement=Settlement(zero, zero, zero),
            is_correction=invoice.corrects is not None,
        )

    @property
    def is_credit(self) -> bool:
        return self.kind is InvoiceKind.CREDIT_NOTE

    @property
    def remaining(self) -> Money:
        """Return what is still owed; on a credit note, nothing."""
        settled = self.settlement.paid.minor + self.settlement.credited.minor
        owed = 0 if self.is_credit else max(0, self.gross.minor - settled)
        return Money(owed, self.gross.currency)

    @property
    def credit(self) -> Money:
        """
        Return what the document owes to the customer.

        Of an invoice that is what was paid and then credited; of one below zero that corrects
        nothing, its amount; both less payouts. It is below zero where a payment was reversed after
        it had been paid out.
        """
        settlement = self.settlement
        if not self.is_credit:
            settled = settlement.paid.minor + settlement.credited.minor
            owed = max(0, settled - self.gross.minor)
        else:
            owed = -self.gross.minor if self.is_correction is False else 0
        return Money(owed - settlement.paid_out.minor, self.gross.currency)

    @property
    def paid_at(self) -> datetime | None:
        """Return when it was fully paid; None while something remains, or if nothing was paid."""
        return None if self.remaining else self.settlement.paid_at

    @property
    def payment_status(self) -> PaymentStatus:
        if not self.remaining:
            return PaymentStatus.PAID
        return PaymentStatus.PARTLY_PAID if self.settlement.paid else PaymentStatus.UNPAID

    @property
    def is_fully_credited(self) -> bool:
        return bool(self.settlement.credited) and self.settlement.credited == self.gross

    def status(self, now: datetime) -> InvoiceStatus:
        """Return the status on the day that it is at an instant; a credit note is always paid."""
        if self.is_fully_credited:
            return InvoiceStatus.CREDITED
        if not self.remaining:
            return InvoiceStatus.PAID
        if self.is_overdue(now):
            return InvoiceStatus.OVERDUE
        return InvoiceStatus.PARTLY_PAID if self.settlement.paid else InvoiceStatus.UNPAID

    @property
    def overdue_from(self) -> datetime:
        """Return the instant from which it is overdue, if something remains: the next midnight."""
        return midnight(self.due_date + timedelta(days=1), self.time_zone)

    def is_overdue(self, now: datetime) -> bool:
        return bool(self.remaining) and now >= self.overdue_from


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line as it is asked for; without a tax, it is treated by its place of supply."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    setup_costs: Decimal
    tax: Tax | None
    period: LinePeriod | None
    order_id: str | None
    remarks: str | None


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """A one-off invoice as it is asked for; without a reference, that of the buyer stands on it."""

    org_id: str
    account_id: str
    description: str
    currency: str | None
    due_date: date | None
    lines: Sequence[NewLine]
    buyer_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """The reversal of a payment, such as a returned direct debit: its reason, and when it was."""

    reason: str
    reversed_at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """Money received against an invoice; once reversed it does not count any more."""

    id: str
    amount: Money
    paid_at: datetime
    method: str | None
    reversal: Reversal | None = None


@dataclass(frozen=True, slots=True)
class WholeInvoice:
    """
    An issued document, and all that has become of it.

    `corrected_by` are the newest credit notes that correct it, and `payments` the newest payments.
    `previous_hash` is that of the document before it in the chain; the first one has none.
    """

    invoice: IssuedInvoice
    summary: InvoiceSummary
    previous_hash: str
    corrected_by: Sequence[Correction]
    payments: Sequence[Payment]


@dataclass(frozen=True, slots=True)
class Payout:
    """Money that was returned to the customer, or set off against something else."""

    id: str
    amount: Money
    paid_at: datetime
    method: str | None
    external_id: str


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account owes in a currency, and what is owed to it."""

    currency: str
    unpaid: Money
    credit: Money


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The key of a document in the bucket, and the SHA-256 of its bytes, in hex."""

    object_key: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(Content):
    """
    A document before it has a number and a date.

    Without a `due_date` it is due by the buyer's payment term, a credit note at once.
    `original_day` is the day of the operation that a credit note corrects.
    """

    due_date: date | None = None
    original_day: date | None = None
    credit_reason: CreditReason = CreditReason.REFUND

    def __post_init__(self) -> None:
        if max(abs(self.gross.minor), *(abs(line.net.minor) for line in self.lines)) >= MAX_MINOR:
            raise InvalidRequestError.of("lines", "the total is too large")

    def supply_day(self, now: datetime) -> date:
        """Return the last day of the supply, for the exchange rate."""
        return last_supply(self, now, local_date(now, self.seller.time_zone))


def gross_of(taxes: Iterable[TaxTotal], currency: str) -> Money:
    """Compute the sum of nets and taxes."""
    return sum((each.net + each.amount for each in taxes), Money.zero(currency))


def billed_as(account: Account, lines: Iterable[Line]) -> Account:
    """Return the buyer of lines: the account, with the VAT id that a reverse charge was for."""
    named = _vat_id(lines)
    is_own = named is None or named == vat_id(account.tax_id or "", account.country)
    return account if is_own else replace(account, tax_id=named)


def _vat_id(lines: Iterable[Line]) -> str | None:
    return next((line.tax.vat_id for line in lines if line.tax.vat_id), None)


def _check_alone(lines: Sequence[Line]) -> None:
    """Check that what is out of scope is alone on its document (BR-O-11)."""
    outside = [line.tax.category is VatCategory.OUT_OF_SCOPE for line in lines]
    if any(outside) and not all(outside):
        raise InvalidRequestError.of(
            f"lines.{outside.index(True)}.tax",
            "what is out of scope (category O) cannot stand beside other lines; issue an invoice "
            "for each",
        )


def draft_invoice(
    request: NewInvoice,
    org: Org,
    account: Account,
    own: OwnRates,
    now: datetime,
) -> Draft:
    """
    Return the draft of a one-off invoice.

    A line that names no tax is treated by the place of its supply, on the last day that it covers,
    or today.
    Raise InvalidRequestError where setup costs have too many decimals, where a tax cannot be right,
    where what is out of scope is beside other lines, where Spain's tax agency would refuse it, or
    where the total is negative (that is a credit note) or too large to be written exactly.
    """
    currency = request.currency or account.currency or org.currency
    today = local_date(now, org.time_zone)
    supply = Supply(org, account, own)
    lines = tuple(
        Line.priced(
            line.description,
            line.quantity,
            line.unit_price,
            Money.exactly(line.setup_costs, currency, f"lines.{index}.setup_costs"),
            supply.tax(line.tax, line.period.end if line.period else today, f"lines.{index}.tax"),
            line.period,
            line.order_id,
            line.remarks,
        )
        for index, line in enumerate(request.lines)
    )
    _check_alone(lines)
    last_day = max((line.period.end for line in lines if line.period), default=None)
    check_period(last_day, org, now, "lines")
    draft = Draft(
        kind=InvoiceKind.INVOICE,
        seller=org,
        buyer=replace(
            billed_as(account, lines),
            buyer_reference=request.buyer_reference or account.buyer_reference,
        ),
        currency=currency,
        description=request.description,
        cycle=period_at(account.billing_day, account.time_zone, now),
        lines=lines,
        taxes=tax_totals((line.tax, line.net) for line in lines),
        due_date=request.due_date,
    )
    if draft.gross.minor < 0:
        raise InvalidRequestError.of("lines", "the total is negative; issue a credit note instead")
    return draft


def supply_period(invoice: IssuedInvoice) -> LinePeriod | None:
    """
    Return the period of supply (BG-14, art. 226 (7)).

    It spans the periods of all lines, as Peppol asks. A charge without one was supplied in the
    cycle that was closed; on a one-off when that was issued, which is no period if no line has one.
    """
    periods = [line.period for line in invoice.lines if line.period]
    if invoice.is_one_off and not periods:
        return None
    if not all(line.period for line in _charges(invoice)):
        zone = invoice.buyer.time_zone
        start, end = local_date(invoice.cycle.start, zone), invoice.cycle.last_day(zone)
        if invoice.is_one_off:
            start = end = invoice.issue_date
        periods.append(LinePeriod(start, end))
    return LinePeriod(min(p.start for p in periods), max(p.end for p in periods))


def last_supply(content: Content, at: datetime, today: date) -> date:
    """
    Return the last day of the supply of a document that is issued at an instant of a day.

    What is still to come counts as supplied on that day (art. 65).
    """
    closed = content.cycle.end <= at
    own = content.cycle.last_day(content.buyer.time_zone) if closed else today
    ends = (line.period.end if line.period else own for line in _charges(content))
    return min(today, max(ends))


def _charges(content: Content) -> Sequence[Line]:
    """
    Return the lines of what was supplied; a credit note has those of its original, negated.

    Those that only lessen the amount are no supply, unless there is nothing else.
    """
    sign = -1 if content.corrects else 1
    return [line for line in content.lines if line.net.minor * sign > 0] or content.lines
