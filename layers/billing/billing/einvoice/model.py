"""
An invoice in the terms of EN 16931, whatever the syntax.

BT and BG are the numbers of the standard's business terms and groups, BR those of its rules.
CII and UBL take from here what has to be decided, so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from billing.domain.invoices import InvoiceKind, IssuedInvoice, Line, LinePeriod
from billing.domain.money import CURRENCIES, Money
from billing.domain.parties import Account, Address, Org
from billing.domain.tax import Tax
from billing.domain.tax_ids import vat_id
from billing.domain.texts import language_of, text
from billing.domain.vat import (
    Exemption,
    VatCategory,
    exemption,
    supply_period,
    vat_category,
)

EN_16931 = "urn:cen.eu:en16931:2017"
"""BT-24, the rules that a document follows; other specifications begin with it."""
LINE_OBJECT = "130"
"""UNTDID 1001 for what identifies the object of a line (BT-128)."""
UNIT = "C62"
"""BT-130, UN/ECE Recommendation 20 for "one": lines carry no unit of measure of their own."""

_APART = Decimal("0.9")
"""What a tax may differ from its rate times its net: BR-CO-17 allows less than 1."""

EMAIL_SCHEME = "EM"

_VAT_SCHEMES = {
    "AT": "9914", "BE": "9925", "BG": "9926", "CY": "9928", "CZ": "9929", "DE": "9930",
    "EE": "9931", "ES": "9920", "FI": "0213", "FR": "9957", "GR": "9933", "HR": "9934",
    "HU": "9910", "IE": "9935", "IT": "0211", "LT": "9937", "LU": "9938", "LV": "9939",
    "MT": "9943", "NL": "9944", "PL": "9945", "PT": "9946", "RO": "9947", "SI": "9949",
    "SK": "9950",
}  # fmt: skip
"""Schemes of VAT ids, by country: EAS code list, version 16. Denmark and Sweden have none."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An electronic address: BT-34 of the seller, BT-49 of the buyer."""

    scheme: str  # BT-34-1, BT-49-1: a code of the EAS list
    address: str  # BT-34, BT-49


@dataclass(frozen=True, slots=True)
class Party:
    """
    The seller (BG-4) or the buyer (BG-7).

    A tax id stands where the standard has a place for it: as VAT id in the EU, else as the
    registration of the seller (BT-32), else as legal registration (BT-30, BT-47).
    """

    id: str | None  # BT-29, BT-46; the buyer's is BT-10 too
    name: str  # BT-27, BT-44; in UBL BT-28, BT-45 too
    vat_id: str | None  # BT-31, BT-48
    tax_registration: str | None  # BT-32, sellers only
    legal_id: str | None  # BT-30, BT-47
    address: Address  # BG-5, BG-8: BT-35, 37, 38 and 40, or BT-50, 52, 53 and 55
    contact: str | None  # BT-41, BT-56, in BG-6 or BG-9
    phone: str | None  # BT-42, BT-57
    email: str  # BT-43, BT-58
    endpoint: Endpoint  # BT-34, BT-49


@dataclass(frozen=True, slots=True)
class InvoicedLine:
    """
    A line (BG-25): net = quantity × price + charge.

    The price is never negative (BR-27), the quantity takes the sign. Setup costs are a charge
    of the line (BG-28), or where they are negative, an allowance (BG-27).
    """

    id: str  # BT-126
    name: str  # BT-153
    note: str | None  # BT-127
    object_id: str | None  # BT-128
    quantity: Decimal  # BT-129
    price: Decimal  # BT-146
    charge: Decimal  # BT-141; as an allowance BT-136
    charge_reason: str  # BT-144; of an allowance BT-139
    net: Decimal  # BT-131
    category: VatCategory  # BT-151
    rate: Decimal | None  # BT-152
    period: LinePeriod | None  # BG-26: BT-134, BT-135


@dataclass(frozen=True, slots=True)
class VatBreakdown:
    """The total of one category and rate of tax (BG-23)."""

    category: VatCategory  # BT-118
    rate: Decimal | None  # BT-119
    net: Decimal  # BT-116
    amount: Decimal  # BT-117
    exemption: Exemption | None  # BT-120, BT-121


@dataclass(frozen=True, slots=True)
class NationalTax:
    """The tax in the currency of the seller's country, where the invoice is in another."""

    currency: str  # BT-6
    amount: Decimal  # BT-111


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """The bank account to pay to (BG-16, BG-17)."""

    code: str  # BT-81, UNTDID 4461: 58 for SEPA, 30 for any other
    iban: str  # BT-84
    bic: str | None  # BT-86
    account_name: str  # BT-85
    reference: str  # BT-83


@dataclass(frozen=True, slots=True)
class EInvoice:
    """
    An invoice or a credit note, in the terms of EN 16931.

    Amounts have at most two decimals (BR-DEC). A currency with three is rounded: every sum holds
    among the rounded amounts, `rounding` leads to the exact total, rounded once, and a note states
    that exact total.
    """

    is_credit: bool
    number: str  # BT-1
    issue_date: date  # BT-2
    due_date: date | None  # BT-9
    terms: str | None  # BT-20
    currency: str  # BT-5
    notes: Sequence[str]  # BT-22, in BG-1
    period: LinePeriod | None  # BG-14: BT-73, BT-74
    corrects: tuple[str, date] | None  # BG-3: BT-25, BT-26
    seller: Party  # BG-4
    buyer: Party  # BG-7
    payment: CreditTransfer | None  # BG-16
    lines: Sequence[InvoicedLine]  # BG-25
    taxes: Sequence[VatBreakdown]  # BG-23
    net: Decimal  # BT-106 and BT-109: documents have no allowances or charges of their own
    tax: Decimal  # BT-110
    national_tax: NationalTax | None
    gross: Decimal  # BT-112
    rounding: Decimal  # BT-114
    payable: Decimal  # BT-115

    @property
    def type_code(self) -> str:
        """Return the code of UNTDID 1001 (BT-3)."""
        return "381" if self.is_credit else "380"


def to_e_invoice(invoice: IssuedInvoice) -> EInvoice:
    """
    Return an invoice in the terms of EN 16931.

    A credit note (381) states what it credits in positive amounts; ours are negative.
    """
    is_credit = invoice.kind is InvoiceKind.CREDIT_NOTE
    sign = -1 if is_credit else 1
    language = language_of(invoice.buyer)
    taxes = _breakdown(invoice, sign)
    net = sum((tax.net for tax in taxes), _amount(Money.zero(invoice.currency)))
    tax = sum((tax.amount for tax in taxes), _amount(Money.zero(invoice.currency)))
    payable = _amount(invoice.gross) * sign
    notes = [invoice.description]
    if payable != invoice.gross.major * sign:
        exact = f"{abs(invoice.gross.major)} {invoice.currency}"
        notes.append(f"{text('exact_total', language)}: {exact}")
    conversion = invoice.conversion
    if conversion:
        sides = conversion.sides(invoice.currency).items()
        rate = " = ".join(f"{units:f} {currency}" for currency, units in sides)
        notes.append(f"{text('exchange_rate', language)}: {rate} ({conversion.day})")
    outside = any(tax.category is VatCategory.OUT_OF_SCOPE for tax in taxes)
    return EInvoice(
        is_credit=is_credit,
        number=invoice.number,
        issue_date=invoice.issue_date,
        due_date=None if is_credit else invoice.due_date,
        terms=text("in_favour", language) if is_credit else None,
        currency=invoice.currency,
        notes=notes,
        period=supply_period(invoice),
        corrects=(
            (invoice.corrects.number, invoice.corrects.issue_date) if invoice.corrects else None
        ),
        seller=_seller(invoice.seller, outside),
        buyer=_buyer(invoice.buyer, outside),
        payment=None if is_credit else _credit_transfer(invoice),
        lines=[_line(n, line, invoice, sign) for n, line in enumerate(invoice.lines, 1)],
        taxes=taxes,
        net=net,
        tax=tax,
        national_tax=(
            NationalTax(conversion.tax.currency, _amount(conversion.tax) * sign)
            if conversion
            else None
        ),
        gross=net + tax,
        rounding=payable - net - tax,
        payable=payable,
    )


def _amount(money: Money) -> Decimal:
    if CURRENCIES[money.currency] <= 2:
        return money.major
    return money.major.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _rate(tax: Tax, category: VatCategory) -> Decimal | None:
    return None if category is VatCategory.OUT_OF_SCOPE else tax.percentage


def _line(number: int, line: Line, invoice: IssuedInvoice, sign: int) -> InvoicedLine:
    category = vat_category(line.tax, invoice)
    return InvoicedLine(
        id=str(number),
        name=line.description,
        note=line.remarks,
        object_id=line.order_id or line.subscription_id,
        quantity=-line.quantity * sign if line.unit_price < 0 else line.quantity * sign,
        price=abs(line.unit_price),
        charge=_amount(line.setup_costs) * sign,
        charge_reason=text("setup_costs", language_of(invoice.buyer)),
        net=_amount(line.net) * sign,
        category=category,
        rate=_rate(line.tax, category),
        period=line.period,
    )


def _breakdown(invoice: IssuedInvoice, sign: int) -> list[VatBreakdown]:
    """Return the sums per category and rate: IVA and VAT of one rate are one to the standard."""
    language = language_of(invoice.buyer)
    zero = _amount(Money.zero(invoice.currency))
    nets: dict[tuple[VatCategory, Decimal | None], Decimal] = {}
    amounts: dict[tuple[VatCategory, Decimal | None], Decimal] = {}
    for line in invoice.lines:
        category = vat_category(line.tax, invoice)
        key = category, _rate(line.tax, category)
        nets[key] = nets.get(key, zero) + _amount(line.net) * sign
    for total in invoice.taxes:
        category = vat_category(total.tax, invoice)
        key = category, _rate(total.tax, category)
        amounts[key] = amounts.get(key, zero) + _amount(total.amount) * sign
    return [
        VatBreakdown(*key, nets[key], _near(amount, nets[key], key[1]), exemption(key[0], language))
        for key, amount in amounts.items()
    ]


def _near(tax: Decimal, net: Decimal, rate: Decimal | None) -> Decimal:
    """
    Return a sum of taxes, or that of the rounded net where the two are far apart (BR-CO-17).

    A thousand lines of 0.005 are 10.00 when each is rounded, and taxed as 5.000.
    """
    on_net = (net * (rate or 0) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return tax if abs(tax - on_net) < _APART else on_net


def _seller(org: Org, outside: bool) -> Party:
    vat = vat_id(org.tax_id, org.address.country)
    return Party(
        id=None,
        name=org.legal_name,
        vat_id=None if outside else vat,
        tax_registration=None if vat or outside else org.tax_id,
        legal_id=org.tax_id if outside or not vat else None,
        address=org.address,
        contact=org.legal_name,
        phone=org.phone,
        email=org.email,
        endpoint=_endpoint(vat, org.address.country, org.email),
    )


def _buyer(account: Account, outside: bool) -> Party:
    vat = vat_id(account.tax_id, account.country) if account.tax_id else None
    return Party(
        id=account.id,
        name=account.company_name or account.name,
        vat_id=None if outside else vat,
        tax_registration=None,
        legal_id=account.tax_id if outside or not vat else None,
        address=account.address,
        contact=account.name,
        phone=None,
        email=account.email,
        endpoint=_endpoint(vat, account.country, account.email),
    )


def _endpoint(vat: str | None, country: str, email: str) -> Endpoint:
    scheme = _VAT_SCHEMES.get(country)
    return Endpoint(scheme, vat) if vat and scheme else Endpoint(EMAIL_SCHEME, email)


def _credit_transfer(invoice: IssuedInvoice) -> CreditTransfer | None:
    seller = invoice.seller
    if not seller.iban:
        return None
    code = "58" if invoice.currency == "EUR" else "30"
    iban = "".join(seller.iban.split())
    return CreditTransfer(code, iban, seller.bic, seller.legal_name, invoice.number)
