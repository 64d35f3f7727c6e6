"""
What an invoice says about its VAT: category, exemption and the period of supply.

BT and BG are the business terms and groups of EN 16931, BR its rules, articles those of
Directive 2006/112/EC.
"""

from dataclasses import dataclass
from enum import StrEnum

from billing.domain.invoices import IssuedInvoice, LinePeriod
from billing.domain.parties import Language
from billing.domain.periods import local_date
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.tax import Tax, TaxType
from billing.domain.texts import text


class VatCategory(StrEnum):
    """The categories of UNTDID 5305 that our documents use (BT-118, BT-151)."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    OUT_OF_SCOPE = "O"
    IGIC = "L"
    IPSI = "M"


def vat_category(tax: Tax, invoice: IssuedInvoice) -> VatCategory:
    """
    Return the VAT category of a tax on an invoice.

    A tax that is named is charged as it is named, at its rate; at zero it is zero rated (Z), IGIC
    too (BR-AF-05), but for IPSI. Where none is:

    - between two member states, with the tax id of the buyer: reverse charge (AE). What we bill
      are services, so it is art. 196, never the intra-community supply of goods (K);
    - within the EU otherwise: exempt (E; art. 132);
    - where one of the two is outside the EU: "services outside scope of tax" (O; arts. 44, 58
      and 59). G is the "free export item", for goods. An invoice must not mix O with other
      categories (BR-O-11), so beside taxed lines such a line is E.
    """
    if tax.type is not TaxType.NONE:
        if tax.type is TaxType.IPSI:
            return VatCategory.IPSI
        if not tax.percentage:
            return VatCategory.ZERO
        return VatCategory.IGIC if tax.type is TaxType.IGIC else VatCategory.STANDARD
    seller, buyer = invoice.seller.address.country, invoice.buyer.country
    if seller in MEMBER_STATES and buyer in MEMBER_STATES:
        abroad = seller != buyer and bool(invoice.buyer.tax_id)
        return VatCategory.REVERSE_CHARGE if abroad else VatCategory.EXEMPT
    alone = all(total.tax.type is TaxType.NONE for total in invoice.taxes)
    return VatCategory.OUT_OF_SCOPE if alone else VatCategory.EXEMPT


@dataclass(frozen=True, slots=True)
class Exemption:
    """Why no tax is charged: a VATEX code (BT-121) where one fits, and words (BT-120)."""

    code: str | None
    reason: str


_GROUNDS = {
    VatCategory.EXEMPT: (None, "exempt"),
    VatCategory.REVERSE_CHARGE: ("VATEX-EU-AE", "reverse_charge"),
    VatCategory.OUT_OF_SCOPE: ("VATEX-EU-O", "out_of_scope"),
}
"""The VATEX code of a category, and the name of its words among the texts."""


def exemption(category: VatCategory, language: Language) -> Exemption | None:
    """Return why a category charges no tax, as art. 226 (11) and (11a) ask; None where it does."""
    if category not in _GROUNDS:
        return None
    code, words = _GROUNDS[category]
    return Exemption(code, text(words, language))


def supply_period(invoice: IssuedInvoice) -> LinePeriod | None:
    """
    Return when the billed was supplied (BG-14, art. 226 (7)).

    It is what the lines' periods span; without any, the cycle that was closed. An invoice of
    the middle of a cycle, that is a one-off, was supplied when it was issued.
    """
    periods = [line.period for line in invoice.lines if line.period]
    if periods:
        return LinePeriod(min(p.start for p in periods), max(p.end for p in periods))
    if invoice.cycle.end > invoice.issued_at:
        return None
    zone = invoice.buyer.time_zone
    return LinePeriod(local_date(invoice.cycle.start, zone), invoice.cycle.last_day(zone))
