"""
An invoice in the terms of EN 16931, whatever the syntax.

BT and BG are the numbers of the standard's business terms and groups, BR those of its rules.
CII and UBL take from here what has to be decided, so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from billing.domain.invoices import InvoiceKind, IssuedInvoice, Line, LinePeriod, supply_period
from billing.domain.money import CURRENCIES, EXACT, Money
from billing.domain.networks import Network, buyer_address, missing, seller_address
from billing.domain.parties import Account, Address, ElectronicAddress, Language, Org
from billing.domain.tax import Tax, VatCategory
from billing.domain.tax_ids import vat_id
from billing.domain.texts import language_of, text
from billing.domain.vat import Exemption, exemption
from billing.domain.verifactu import qr_url

_EN_16931 = "urn:cen.eu:en16931:2017"
SPECIFICATIONS = {
    Network.EN_16931: _EN_16931,
    Network.PEPPOL: f"{_EN_16931}#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
    Network.XRECHNUNG: f"{_EN_16931}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
}
"""BT-24, the rules that a document follows."""
BUSINESS_PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
"""BT-23, as Peppol names it: billing."""
SUPPORTING_DOCUMENT = "916"
"""UNTDID 1001 for a document that supports the invoice (BG-24)."""
VERIFICATION = ("QR tributario", "Factura verificable en la sede electrónica de la AEAT")
"""The name and the words (BT-122, BT-123) of the place where a document can be verified."""
LINE_OBJECT = "130"
"""UNTDID 1001 for what identifies the object of a line (BT-128)."""
UNIT = "C62"
"""BT-130, UN/ECE Recommendation 20 for "one": lines carry no unit of measure of their own."""

_APART = Decimal("0.9")
"""What a tax may differ from its rate times its net: BR-CO-17 allows less than 1."""
_SLACK = Decimal("0.02")
"""What the net of a line may differ from its quantity times its price (PEPPOL-EN16931-R120)."""
_SWEDISH_RATES = (6, 12, 25)


@dataclass(frozen=True, slots=True)
class Party:
    """
    The seller (BG-4) or the buyer (BG-7).

    A tax id stands where the standard has a place for it: as VAT id in the EU, else as the
    registration of the seller (BT-32), else as legal registration (BT-30, BT-47).
    """

    id: str | None  # BT-29, BT-46
    name: str  # BT-27, BT-44
    vat_id: str | None  # BT-31, BT-48
    tax_registration: str | None  # BT-32, sellers only
    legal_id: str | None  # BT-30, BT-47
    address: Address  # BG-5, BG-8: BT-35, 37, 38 and 40, or BT-50, 52, 53 and 55
    contact: str | None  # BT-41, BT-56, in BG-6 or BG-9
    phone: str | None  # BT-42, BT-57
    email: str  # BT-43, BT-58
    endpoint: ElectronicAddress  # BT-34, BT-49


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge of a line (BG-28), or where it is negative, an allowance (BG-27)."""

    amount: Decimal  # BT-141; as an allowance BT-136
    reason: str  # BT-144; of an allowance BT-139


@dataclass(frozen=True, slots=True)
class InvoicedLine:
    """
    A line (BG-25): net = quantity × price + charges.

    The price is never negative (BR-27), the quantity takes the sign. Setup costs are a charge, and
    so is what rounding adds to the net, if that is more than the slack that Peppol leaves: a
    currency without decimals.
    """

    id: str  # BT-126
    name: str  # BT-153
    note: str | None  # BT-127
    object_id: str | None  # BT-128
    quantity: Decimal  # BT-129
    price: Decimal  # BT-146
    charges: Sequence[Charge]  # BG-27, BG-28
    net: Decimal  # BT-131
    category: VatCategory  # BT-151
    rate: Decimal | None  # BT-152
    period: LinePeriod | None  # BG-26: BT-134, BT-135


@dataclass(frozen=True, slots=True)
class VatBreakdown:
    """The total of one category and rate of tax (BG-23)."""

    category: VatCategory  # BT-118
    rate: Decimal  # BT-119; 0 where there is none (BR-DE-14)
    net: Decimal  # BT-116
    amount: Decimal  # BT-117
    exemption: Exemption | None  # BT-120, BT-121


@dataclass(frozen=True, slots=True)
class NationalTax:
    """The tax in the currency of the seller's country, where the invoice is in another."""

    currency: str  # BT-6
    amount: Decimal  # BT-111


@dataclass(frozen=True, slots=True)
class Payment:
    """How to pay (BG-16): to a bank account (BG-17), or as agreed elsewhere."""

    code: str  # BT-81, UNTDID 4461: 58 for SEPA, 30 for another transfer, 1 for nothing agreed
    reference: str  # BT-83
    iban: str | None = None  # BT-84
    bic: str | None = None  # BT-86
    account_name: str | None = None  # BT-85


@dataclass(frozen=True, slots=True)
class EInvoice:
    """
    An invoice or a credit note, in the terms of EN 16931.

    Amounts have at most two decimals (BR-DEC). A currency with three is rounded: every sum holds
    among the rounded amounts, `rounding` leads to the exact total, rounded once, and a note states
    that exact total. The lines decide what was rounded: where the total of the document is
    another, a sum does not hold, and it is seen (BR-CO-16).
    """

    network: Network  # BT-24
    is_credit: bool
    number: str  # BT-1
    issue_date: date  # BT-2
    due_date: date | None  # BT-9
    terms: str | None  # BT-20
    currency: str  # BT-5
    buyer_reference: str | None  # BT-10
    order_id: str | None  # BT-13: the order that all lines come from
    notes: Sequence[str]  # BT-22, in BG-1
    delivered: date | None  # BT-72, where there is no period
    period: LinePeriod | None  # BG-14: BT-73, BT-74
    corrects: tuple[str, date] | None  # BG-3: BT-25, BT-26
    verification: str | None  # BT-124, in BG-24: where the tax agency verifies the document
    seller: Party  # BG-4
    buyer: Party  # BG-7
    payment: Payment | None  # BG-16
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
    exact = _amount(sum((line.net for line in invoice.lines), invoice.tax)) * sign
    notes = [invoice.description]
    if payable != invoice.gross.major * sign:
        total = f"{abs(invoice.gross.major)} {invoice.currency}"
        notes.append(f"{text('exact_total', language)}: {total}")
    conversion = invoice.national_tax
    if conversion:
        sides = conversion.sides(invoice.currency).items()
        rate = " = ".join(f"{units:f} {currency}" for currency, units in sides)
        notes.append(f"{text('exchange_rate', language)}: {rate} ({conversion.day})")
    outside = any(tax.category is VatCategory.OUT_OF_SCOPE for tax in taxes)
    order_id = _shared_order(invoice)
    period = supply_period(invoice)
    return EInvoice(
        network=_network(invoice, order_id),
        is_credit=is_credit,
        number=invoice.number,
        issue_date=invoice.issue_date,
        due_date=None if is_credit else invoice.due_date,
        terms=text("in_favour", language) if is_credit else None,
        currency=invoice.currency,
        buyer_reference=invoice.buyer.buyer_reference,
        order_id=order_id,
        notes=notes,
        delivered=None if period else invoice.issue_date,
        period=period,
        corrects=(
            (invoice.corrects.number, invoice.corrects.issue_date) if invoice.corrects else None
        ),
        verification=qr_url(invoice),
        seller=_seller(invoice.seller, outside),
        buyer=_buyer(invoice.buyer, invoice.vat_id, outside),
        payment=_payment(invoice, is_credit=is_credit),
        lines=[_line(n, line, order_id, invoice, sign) for n, line in enumerate(invoice.lines, 1)],
        taxes=taxes,
        net=net,
        tax=tax,
        national_tax=(
            NationalTax(conversion.tax.currency, _amount(conversion.tax) * sign)
            if conversion
            else None
        ),
        gross=net + tax,
        rounding=exact - net - tax,
        payable=payable,
    )


def _amount(money: Money) -> Decimal:
    return money.major if CURRENCIES[money.currency] <= 2 else _cents(money.major)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _rate(tax: Tax) -> Decimal | None:
    return None if tax.category is VatCategory.OUT_OF_SCOPE else tax.percentage


def _line(
    number: int, line: Line, order_id: str | None, invoice: IssuedInvoice, sign: int
) -> InvoicedLine:
    own_order = None if order_id else line.order_id
    return InvoicedLine(
        id=str(number),
        name=line.description,
        note=line.remarks,
        object_id=own_order or line.subscription_id,
        quantity=-line.quantity * sign if line.unit_price < 0 else line.quantity * sign,
        price=abs(line.unit_price),
        charges=_charges(line, language_of(invoice.buyer), sign),
        net=_amount(line.net) * sign,
        category=line.tax.decided,
        rate=_rate(line.tax),
        period=line.period,
    )


def _charges(line: Line, language: Language, sign: int) -> list[Charge]:
    """Return the setup costs, and what rounding adds."""
    setup_costs = _amount(line.setup_costs)
    priced = EXACT.fma(line.quantity, line.unit_price, setup_costs)
    rounding = _amount(line.net) - priced
    charges = {
        "setup_costs": setup_costs,
        "rounding": _cents(rounding) if abs(rounding) > _SLACK else Decimal(0),
    }
    return [Charge(each * sign, text(name, language)) for name, each in charges.items() if each]


def _breakdown(invoice: IssuedInvoice, sign: int) -> list[VatBreakdown]:
    """
    Return the sums per category and rate.

    IVA and VAT of one rate are one to the standard, and so are two grounds of exemption (BR-E-01).
    """
    language = language_of(invoice.buyer)
    zero = _amount(Money.zero(invoice.currency))
    nets: dict[tuple[VatCategory, Decimal | None], Decimal] = {}
    amounts: dict[tuple[VatCategory, Decimal | None], Decimal] = {}
    reasons: dict[tuple[VatCategory, Decimal | None], Exemption] = {}
    for line in invoice.lines:
        key = line.tax.decided, _rate(line.tax)
        nets[key] = nets.get(key, zero) + _amount(line.net) * sign
    for total in invoice.taxes:
        key = total.tax.decided, _rate(total.tax)
        amounts[key] = amounts.get(key, zero) + _amount(total.amount) * sign
        if why := exemption(total.tax, language):
            reasons[key] = reasons[key] + why if key in reasons else why
    return [
        VatBreakdown(
            category,
            rate or Decimal(0),
            nets[category, rate],
            _near(amount, nets[category, rate], rate),
            reasons.get((category, rate)),
        )
        for (category, rate), amount in amounts.items()
    ]


def _near(tax: Decimal, net: Decimal, rate: Decimal | None) -> Decimal:
    """
    Return a sum of taxes, or that of the rounded net where the two are far apart (BR-CO-17).

    A thousand lines of 0.005 are 10.00 when each is rounded, and taxed as 5.000.
    """
    on_net = _cents(net * (rate or 0) / 100)
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
        endpoint=seller_address(org),
    )


def _buyer(account: Account, charged: str | None, outside: bool) -> Party:
    """Return the buyer, by the VAT id that a reverse charge was for, or else by its own."""
    vat = charged or (vat_id(account.tax_id, account.country) if account.tax_id else None)
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
        endpoint=buyer_address(account),
    )


def _payment(invoice: IssuedInvoice, *, is_credit: bool) -> Payment | None:
    """
    Return how the seller is paid, or how a credit note is paid out: to the buyer's own account.

    Without an IBAN nothing is agreed (BR-DE-1, DE-R-001), but two Dutch parties have no code
    for that (NL-R-008).
    """
    seller, buyer = invoice.seller, invoice.buyer
    if is_credit:
        iban, bic, holder = buyer.iban, buyer.bic, buyer.company_name or buyer.name
    else:
        iban, bic, holder = seller.iban, seller.bic, seller.legal_name
    if not iban:
        dutch = seller.address.country == buyer.country == "NL"
        return None if dutch else Payment("1", invoice.number)
    code = "58" if invoice.currency == "EUR" else "30"
    return Payment(code, invoice.number, "".join(iban.split()), bic, holder)


def _shared_order(invoice: IssuedInvoice) -> str | None:
    """Return the order that all lines come from."""
    orders = {line.order_id for line in invoice.lines}
    return orders.pop() if len(orders) == 1 else None


def _network(invoice: IssuedInvoice, order_id: str | None) -> Network:
    """Return what a document claims besides EN 16931, if nothing is missing for it."""
    seller, buyer = invoice.seller, invoice.buyer
    if not missing(Network.XRECHNUNG, seller, buyer, buyer.buyer_reference):
        return Network.XRECHNUNG
    german = seller.address.country == buyer.country == "DE"
    reference = buyer.buyer_reference or order_id
    if german or missing(Network.PEPPOL, seller, buyer, reference):
        return Network.EN_16931
    return Network.PEPPOL if _is_as_peppol_asks_at_home(invoice) else Network.EN_16931


def _is_as_peppol_asks_at_home(invoice: IssuedInvoice) -> bool:
    """Return whether a document keeps the rules that Peppol has for the seller's country."""
    taxes = [(total.tax.decided, total.tax.percentage) for total in invoice.taxes]
    match invoice.seller.address.country:
        case "NL":  # NL-R-001: what a credit note corrects. NL-R-003: no legal id but a KVK number.
            named = invoice.kind is InvoiceKind.INVOICE or invoice.corrects is not None
            return named and all(category is not VatCategory.OUT_OF_SCOPE for category, _ in taxes)
        case "SE":  # SE-R-006: Swedish rates only.
            rates = [rate for category, rate in taxes if category is VatCategory.STANDARD]
            return all(rate in _SWEDISH_RATES for rate in rates)
    return True
