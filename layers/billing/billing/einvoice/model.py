"""
What an invoice says in terms of EN 16931, whatever the syntax.

BT and BG are the numbers of the standard's business terms and groups, BR those of its rules.
The PDF, CII and UBL of an invoice take from here what has to be decided, so that they agree.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Literal
from xml.etree.ElementTree import Element, tostring

from billing.domain.invoices import InvoiceKind, IssuedInvoice, Line, LinePeriod
from billing.domain.money import CURRENCIES, Money
from billing.domain.parties import Account, Address, Org
from billing.domain.periods import local_date
from billing.domain.tax import Tax, TaxType
from billing.domain.tax_rates import EU_COUNTRIES

Language = Literal["en", "es"]

UNIT = "C62"
"""UN/ECE Recommendation 20 for "one": lines carry no unit of measure of their own."""


class VatCategory(StrEnum):
    """The categories of UNCL 5305 that an invoice of ours can hold."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    OUT_OF_SCOPE = "O"
    IGIC = "L"
    IPSI = "M"


@dataclass(frozen=True, slots=True)
class Exemption:
    """Why no tax is charged: a VATEX code (BT-121) where one fits, and words (BT-120)."""

    code: str | None
    reason: str


_EXEMPTIONS: dict[tuple[VatCategory, Language], Exemption] = {
    (VatCategory.EXEMPT, "en"): Exemption(None, "Exempt from VAT"),
    (VatCategory.EXEMPT, "es"): Exemption(None, "Operación exenta de IVA"),
    (VatCategory.REVERSE_CHARGE, "en"): Exemption(
        "VATEX-EU-AE", "Reverse charge (art. 196, Directive 2006/112/EC)"
    ),
    (VatCategory.REVERSE_CHARGE, "es"): Exemption(
        "VATEX-EU-AE", "Inversión del sujeto pasivo (art. 196, Directiva 2006/112/CE)"
    ),
    (VatCategory.OUT_OF_SCOPE, "en"): Exemption("VATEX-EU-O", "Not subject to VAT"),
    (VatCategory.OUT_OF_SCOPE, "es"): Exemption("VATEX-EU-O", "Operación no sujeta a IVA"),
}

_BY_TYPE = {TaxType.IGIC: VatCategory.IGIC, TaxType.IPSI: VatCategory.IPSI}


def language_of(invoice: IssuedInvoice) -> Language:
    """Tell the language that an invoice is written in: the buyer's, as far as we write it."""
    return "es" if invoice.buyer.country == "ES" else "en"


def vat_category(tax: Tax, invoice: IssuedInvoice) -> VatCategory:
    """
    Tell the VAT category of a tax on an invoice.

    A tax that is named is charged as it is named, at its rate or at zero. Where none is:

    - between two member states, with the tax id of the buyer: reverse charge (AE). What we bill
      are services, so it is art. 196 of directive 2006/112/EC, never the intra-community supply
      of goods (K);
    - within the EU otherwise: exempt (E);
    - where one of the two is outside the EU: "services outside scope of tax" (O), as the code
      list says of it; G is its "free export item", for goods. An invoice must not mix O with
      other categories (BR-O-11), so beside taxed lines such a line is E.

    Directive: arts. 44, 58, 59, 132, 196. Code list: UNTDID 5305, as used by EN 16931-1 BT-151.
    """
    if tax.type is not TaxType.NONE:
        return _BY_TYPE.get(tax.type) or (
            VatCategory.STANDARD if tax.percentage else VatCategory.ZERO
        )
    seller, buyer = invoice.seller.address.country, invoice.buyer.country
    if seller in EU_COUNTRIES and buyer in EU_COUNTRIES:
        abroad = seller != buyer and bool(invoice.buyer.tax_id)
        return VatCategory.REVERSE_CHARGE if abroad else VatCategory.EXEMPT
    alone = all(total.tax.type is TaxType.NONE for total in invoice.taxes)
    return VatCategory.OUT_OF_SCOPE if alone else VatCategory.EXEMPT


def exemption(category: VatCategory, language: Language) -> Exemption | None:
    """Give the reason why a category charges no tax, where one has to be given."""
    return _EXEMPTIONS.get((category, language))


def vat_id(tax_id: str, country: str) -> str | None:
    """
    Write a tax id of a member state with its prefix (BR-CO-09, art. 215); Greece's is EL.

    Elsewhere there is no VAT id in the directive's sense.
    """
    if country not in EU_COUNTRIES:
        return None
    prefix = "EL" if country == "GR" else country
    plain = re.sub(r"[^0-9A-Z+*]", "", tax_id.upper())
    return plain if plain.startswith(prefix) else prefix + plain


def supply_period(invoice: IssuedInvoice) -> LinePeriod | None:
    """
    Tell when the billed was supplied (art. 226 (7), BG-14).

    It is what the lines' periods span; without any, the cycle that was closed. An invoice of
    the middle of a cycle, that is a one-off, was supplied when it was issued.
    """
    periods = [line.period for line in invoice.lines if line.period]
    if periods:
        return LinePeriod(min(p.start for p in periods), max(p.end for p in periods))
    if invoice.cycle.end > invoice.issued_at:
        return None
    zone = invoice.buyer.time_zone
    last_day = local_date(invoice.cycle.end, zone) - timedelta(days=1)
    return LinePeriod(local_date(invoice.cycle.start, zone), last_day)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An electronic address (BT-34, BT-49), and the scheme of the EAS code list it belongs to."""

    scheme: str
    address: str


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
class Party:
    """
    The seller (BG-4) or the buyer (BG-7).

    A tax id stands where the standard has a place for it: as VAT id in the EU, else as the
    registration of the seller (BT-32), else as legal registration (BT-30, BT-47).
    """

    id: str | None
    name: str
    vat_id: str | None
    tax_registration: str | None
    legal_id: str | None
    address: Address
    contact: str | None
    phone: str | None
    email: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class InvoicedLine:
    """
    A line (BG-25): net = quantity × price + charge.

    The price is never negative (BR-27), the quantity takes the sign. Setup costs are a charge
    of the line (BG-28), or where they are negative, an allowance (BG-27).
    """

    id: str
    name: str
    note: str | None
    object_id: str | None
    quantity: Decimal
    price: Decimal
    charge: Decimal
    net: Decimal
    category: VatCategory
    rate: Decimal | None
    period: LinePeriod | None


@dataclass(frozen=True, slots=True)
class VatBreakdown:
    """What one category and rate comes to (BG-23)."""

    category: VatCategory
    rate: Decimal | None
    net: Decimal
    amount: Decimal
    exemption: Exemption | None


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """Where to pay to (BG-16, BG-17); the code is 58 for SEPA, 30 for any other."""

    code: str
    iban: str
    bic: str | None
    account_name: str
    reference: str


@dataclass(frozen=True, slots=True)
class EInvoice:
    """
    An invoice or a credit note, in the terms of EN 16931.

    Amounts have at most two decimals (BR-DEC). A currency with three is rounded: every sum holds
    among the rounded amounts, `rounding` (BT-114) leads to the exact total, rounded once, and a
    note tells that exact total.
    """

    is_credit: bool
    number: str
    issue_date: date
    due_date: date | None
    terms: str | None
    currency: str
    notes: Sequence[str]
    period: LinePeriod | None
    corrects: tuple[str, date] | None
    seller: Party
    buyer: Party
    payment: CreditTransfer | None
    lines: Sequence[InvoicedLine]
    taxes: Sequence[VatBreakdown]
    net: Decimal
    tax: Decimal
    gross: Decimal
    rounding: Decimal
    payable: Decimal


def to_e_invoice(invoice: IssuedInvoice) -> EInvoice:
    """
    Put an invoice into the terms of EN 16931.

    A credit note (381) states what it credits in positive amounts; ours are negative.
    """
    is_credit = invoice.kind is InvoiceKind.CREDIT_NOTE
    sign = -1 if is_credit else 1
    spanish = language_of(invoice) == "es"
    taxes = _breakdown(invoice, sign)
    net = sum((tax.net for tax in taxes), _amount(Money.zero(invoice.currency)))
    tax = sum((tax.amount for tax in taxes), _amount(Money.zero(invoice.currency)))
    payable = _amount(invoice.gross) * sign
    notes = [invoice.description]
    if payable != invoice.gross.major * sign:
        exact = f"{abs(invoice.gross.major)} {invoice.currency}"
        notes.append(f"Importe exacto: {exact}" if spanish else f"Exact total: {exact}")
    terms = "Importe a favor del cliente" if spanish else "Amount in favour of the customer"
    outside = any(tax.category is VatCategory.OUT_OF_SCOPE for tax in taxes)
    return EInvoice(
        is_credit=is_credit,
        number=invoice.number,
        issue_date=invoice.issue_date,
        due_date=None if is_credit else invoice.due_date,
        terms=terms if is_credit else None,
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
        object_id=line.order_id,
        quantity=-line.quantity * sign if line.unit_price < 0 else line.quantity * sign,
        price=abs(line.unit_price),
        charge=_amount(line.setup_costs) * sign,
        net=_amount(line.net) * sign,
        category=category,
        rate=_rate(line.tax, category),
        period=line.period,
    )


def _breakdown(invoice: IssuedInvoice, sign: int) -> list[VatBreakdown]:
    """Sum up per category and rate: IVA and VAT of one rate are one to the standard."""
    language = language_of(invoice)
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
        VatBreakdown(*key, nets[key], amount, exemption(key[0], language))
        for key, amount in amounts.items()
    ]


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


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def node(tag: str, *content: Element | str | None, **attributes: str) -> Element | None:
    """
    Build an element out of text or elements; None where nothing is in it.

    Empty elements are against the rules of EN 16931 and Peppol alike. Characters that XML
    cannot hold are replaced.
    """
    element = Element(tag, attributes)
    for part in content:
        if isinstance(part, str):
            element.text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", part).strip()
        elif part is not None:
            element.append(part)
    return element if len(element) or element.text else None


def number(value: Decimal) -> str:
    """Write a number as XML wants it: no exponent, no grouping, no negative zero."""
    return f"{value if value else abs(value):f}"


def document(tag: str, namespaces: dict[str, str], *content: Element | None) -> bytes:
    """Write a whole document; the namespaces are declared once, at its root."""
    root = Element(tag, namespaces)
    root.extend(part for part in content if part is not None)
    # By way of a string, since ElementTree is slow at writing bytes.
    text = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
