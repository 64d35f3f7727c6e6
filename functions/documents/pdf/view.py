"""All that the template shows, written out: every text, number and date of a document."""

from typing import Any

from babel import Locale

from billing.domain.invoices import InvoiceKind, IssuedInvoice, Line, LinePeriod, supply_period
from billing.domain.money import CURRENCIES
from billing.domain.parties import Address
from billing.domain.tax import Tax, TaxType
from billing.domain.tax_ids import vat_id
from billing.domain.texts import language_of, texts
from billing.domain.vat import exemption
from billing.domain.verifactu import qr_url
from billing.presentation import formats
from billing.presentation.accent import DEFAULT_ACCENT, readable
from billing.presentation.epc_qr import compact, epc_qr, grouped
from billing.presentation.qr import qr_svg
from billing.presentation.text import shown
from functions.documents.pdf.addresses import lines_of
from functions.documents.pdf.logo import room

_LONG = 1500
"""Characters of a line's text that surely fit on a page."""


def view(invoice: IssuedInvoice) -> dict[str, Any]:
    """
    Return what the template shows, by the names that it reads.

    As in the e-invoice inside, a credit note states what it credits in positive amounts.
    """
    is_credit = invoice.kind is InvoiceKind.CREDIT_NOTE
    sign = -1 if is_credit else 1
    language = language_of(invoice.buyer)
    locale = formats.locale_of(invoice.buyer)
    seller, buyer = invoice.seller, invoice.buyer
    abroad = seller.address.country != buyer.country
    period = supply_period(invoice)
    return {
        "language": language,
        "words": texts(language),
        "accent": readable(seller.accent or DEFAULT_ACCENT),
        "is_credit": is_credit,
        "is_sample": seller.sandbox,
        "fiscal": _fiscal(invoice),
        "logo": seller.logo and room(seller.logo),
        "number": invoice.number,
        "issue_date": formats.day(invoice.issue_date, locale),
        "due_date": None if is_credit else formats.day(invoice.due_date, locale),
        "period": formats.period(period, locale) if period else None,
        "corrects": invoice.corrects
        and {
            "number": invoice.corrects.number,
            "date": formats.day(invoice.corrects.issue_date, locale),
        },
        "seller": {
            "name": shown(seller.legal_name),
            "address": _address(seller.address, locale, abroad=abroad),
            "tax_id": _tax_id(seller.tax_id, seller.address.country, abroad=abroad),
            "contact": [shown(text) for text in (seller.phone, seller.email, seller.url) if text],
        },
        "buyer": {
            "id": buyer.id,
            "reference": buyer.buyer_reference and shown(buyer.buyer_reference),
            "name": shown(buyer.company_name or buyer.name),
            "contact": shown(buyer.name) if buyer.company_name else None,
            "address": _address(buyer.address, locale, abroad=abroad),
            "tax_id": invoice.vat_id
            or (buyer.tax_id and _tax_id(buyer.tax_id, buyer.country, abroad=abroad)),
        },
        "lines": [_line(line, invoice, period, locale, sign) for line in invoice.lines],
        "taxes": [
            {
                "name": _tax_total_name(total.tax, invoice, locale),
                "net": formats.amount(total.net, locale, sign),
                "amount": formats.amount(total.amount, locale, sign),
            }
            for total in invoice.taxes
        ],
        "currency": invoice.currency,
        "net": formats.amount(invoice.net, locale, sign),
        "tax": formats.amount(invoice.tax, locale, sign),
        "total": formats.with_currency(invoice.gross, locale, sign),
        "national": _national_tax(invoice, locale, sign),
        "payment": None if is_credit else _payment(invoice, locale),
        "note": formats.heading(invoice.description, locale),
    }


def _line(
    line: Line, invoice: IssuedInvoice, period: LinePeriod | None, locale: Locale, sign: int
) -> dict[str, Any]:
    description = shown(line.description)
    remarks = shown(line.remarks or "")
    decimals = CURRENCIES[invoice.currency]
    return {
        "description": description,
        "remarks": remarks,
        "period": formats.period(line.period, locale)
        if line.period and line.period != period
        else None,
        "order": shown(line.order_id or ""),
        "subscription": line.subscription_id or "",
        "setup": formats.amount(line.setup_costs, locale, sign) if line.setup_costs else None,
        "quantity": formats.number(line.quantity, formats.decimals(line.quantity), locale),
        "price": formats.number(
            line.unit_price * sign, max(decimals, formats.decimals(line.unit_price)), locale
        ),
        "tax": _tax_name(line.tax, locale),
        "net": formats.amount(line.net, locale, sign),
        # Short rows stay on one page; a row longer than a page must be allowed to break.
        "long": len(description) + len(remarks) > _LONG,
    }


def _tax_name(tax: Tax, locale: Locale) -> str:
    if tax.type is TaxType.NONE:
        return "–"
    return f"{tax.type}\N{NO-BREAK SPACE}{formats.percentage(tax.percentage, locale)}"


def _tax_total_name(tax: Tax, invoice: IssuedInvoice, locale: Locale) -> str:
    """Return the name of a tax, or why none is charged."""
    why = exemption(tax, language_of(invoice.buyer))
    if why is None:
        return _tax_name(tax, locale)
    named = f" ({why.code})" if why.code and why.code == tax.reason else ""
    return shown(why.reason) + named


def _tax_id(tax_id: str, country: str, *, abroad: bool) -> str:
    """Write a tax id as it is known at home; to another country with its prefix (art. 215)."""
    prefixed = vat_id(tax_id, country) if abroad else None
    return shown(prefixed or tax_id)


def _address(address: Address, locale: Locale, *, abroad: bool) -> list[str]:
    country = locale.territories.get(address.country, address.country) if abroad else ""
    return [shown(line) for line in (*lines_of(address), country) if line.strip()]


def _fiscal(invoice: IssuedInvoice) -> dict[str, str] | None:
    """Return the QR code by which the tax agency verifies a document, and the URL in it."""
    url = qr_url(invoice)
    return {"qr": qr_svg(url), "url": url} if url else None


def _national_tax(invoice: IssuedInvoice, locale: Locale, sign: int) -> dict[str, str] | None:
    """Return the VAT in the national currency, as art. 230 asks, and the rate it comes from."""
    conversion = invoice.national_tax
    if conversion is None:
        return None
    sides = " = ".join(
        f"{formats.number(units, formats.decimals(units), locale)}\N{NO-BREAK SPACE}{currency}"
        for currency, units in conversion.sides(invoice.currency).items()
    )
    return {
        "currency": conversion.tax.currency,
        "tax": formats.amount(conversion.tax, locale, sign),
        "rate": f"{sides} ({formats.day(conversion.day, locale)})",
    }


def _payment(invoice: IssuedInvoice, locale: Locale) -> dict[str, Any] | None:
    iban = compact(invoice.seller.iban or "")
    if not iban or invoice.gross.minor <= 0:
        return None
    total = formats.with_currency(invoice.gross, locale)
    return {
        "iban": grouped(iban),
        "bic": invoice.seller.bic,
        "qr": epc_qr(invoice.seller, invoice.gross, invoice.number),
        "summary": f"{shown(invoice.seller.legal_name)}, {iban}, {total}, {invoice.number}",
    }
