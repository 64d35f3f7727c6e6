"""Invoices as PDF: PDF/A-3a for archives, PDF/UA-1 for every reader, Factur-X for machines."""

import json
import re
import unicodedata
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from struct import unpack_from
from typing import Any, cast

import segno
import typst
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval
from babel.numbers import NumberPattern, format_percent, parse_pattern

from billing.domain.invoices import InvoiceKind, IssuedInvoice, Line, LinePeriod
from billing.domain.money import CURRENCIES, Money
from billing.domain.parties import Address
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.tax import Tax, TaxType
from billing.domain.texts import language_of
from billing.domain.vat import exemption, supply_period, vat_category, vat_id
from billing.einvoice.cii import to_cii

_HERE = Path(__file__).parent
_FONTS = _HERE / "fonts"


def render(invoice: IssuedInvoice) -> bytes:
    """
    Make the PDF of an invoice, with the invoice as data inside.

    The same invoice gives the same bytes: nothing in them comes from the clock, the network or
    the machine.
    """
    return _declare_factur_x(_compile(_inputs(invoice), invoice))


def _inputs(invoice: IssuedInvoice) -> dict[str, str]:
    return {"document": json.dumps(_view(invoice)), "factur_x": to_cii(invoice).decode()}


def _compile(inputs: dict[str, str], invoice: IssuedInvoice) -> bytes:
    pdf = _compiler().compile(
        format="pdf",
        sys_inputs=inputs,
        pdf_standards=["a-3a", "ua-1"],
        timestamp=invoice.issued_at.replace(microsecond=0),
    )
    return cast(bytes, pdf)


@cache
def _compiler() -> typst.Compiler:
    """Load the template and the fonts once: the first invoice pays for it, the others do not."""
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[_FONTS]
    )
    return typst.Compiler(_HERE / "invoice.typ", root=_HERE, font_paths=fonts)


def _view(invoice: IssuedInvoice) -> dict[str, Any]:
    """
    Write out all that the template shows.

    As in the e-invoice inside, a credit note states what it credits in positive amounts.
    """
    is_credit = invoice.kind is InvoiceKind.CREDIT_NOTE
    sign = -1 if is_credit else 1
    locale = _locale(invoice)
    seller, buyer = invoice.seller, invoice.buyer
    abroad = seller.address.country != buyer.country
    period = supply_period(invoice)
    return {
        "language": language_of(invoice.buyer),
        "accent": _readable(seller.accent or _ACCENT),
        "is_credit": is_credit,
        "number": invoice.number,
        "issue_date": _date(invoice.issue_date, locale),
        "due_date": None if is_credit else _date(invoice.due_date, locale),
        "period": _period(period, locale) if period else None,
        "corrects": invoice.corrects
        and {
            "number": invoice.corrects.number,
            "date": _date(invoice.corrects.issue_date, locale),
        },
        "seller": {
            "name": _shown(seller.legal_name),
            "address": _address(seller.address, locale, abroad=abroad),
            "tax_id": _tax_id(seller.tax_id, seller.address.country, abroad=abroad),
            "contact": [_shown(text) for text in (seller.phone, seller.email, seller.url) if text],
        },
        "buyer": {
            "id": buyer.id,
            "name": _shown(buyer.company_name or buyer.name),
            "contact": _shown(buyer.name) if buyer.company_name else None,
            "address": _address(buyer.address, locale, abroad=abroad),
            "tax_id": buyer.tax_id and _tax_id(buyer.tax_id, buyer.country, abroad=abroad),
        },
        "lines": [_line(line, invoice, period, locale, sign) for line in invoice.lines],
        "taxes": [
            {
                "name": _tax_total_name(total.tax, invoice, locale),
                "net": _amount(total.net, locale, sign),
                "amount": _amount(total.amount, locale, sign),
            }
            for total in invoice.taxes
        ],
        "currency": invoice.currency,
        "net": _amount(invoice.net, locale, sign),
        "tax": _amount(invoice.tax, locale, sign),
        "total": _currency(invoice.gross, locale, sign),
        "payment": None if is_credit else _payment(invoice, locale),
        "note": _shown(invoice.description),
    }


def _line(
    line: Line, invoice: IssuedInvoice, period: LinePeriod | None, locale: Locale, sign: int
) -> dict[str, Any]:
    description = _shown(line.description)
    remarks = _shown(line.remarks or "")
    decimals = CURRENCIES[invoice.currency]
    return {
        "description": description,
        "remarks": remarks,
        "period": _period(line.period, locale) if line.period and line.period != period else None,
        "order": _shown(line.order_id or ""),
        "setup": _amount(line.setup_costs, locale, sign) if line.setup_costs else None,
        "quantity": _number(line.quantity, _decimals(line.quantity), locale),
        "price": _number(line.unit_price * sign, max(decimals, _decimals(line.unit_price)), locale),
        "tax": _tax_name(line.tax, locale),
        "net": _amount(line.net, locale, sign),
        # Short rows stay on one page; a row longer than a page must be allowed to break.
        "long": len(description) + len(remarks) > _LONG,
    }


_LONG = 1500
"""Characters of a line's text that surely fit on a page."""


@cache
def _tax_name(tax: Tax, locale: Locale) -> str:
    if tax.type is TaxType.NONE:
        return "–"
    percentage = format_percent(tax.percentage / 100, locale=locale, decimal_quantization=False)
    return f"{tax.type}\N{NO-BREAK SPACE}{percentage}"


def _tax_total_name(tax: Tax, invoice: IssuedInvoice, locale: Locale) -> str:
    """Name a tax, or say why there is none, as art. 226 (11) and (11a) ask."""
    why = exemption(vat_category(tax, invoice), language_of(invoice.buyer))
    return why.reason if why else _tax_name(tax, locale)


def _tax_id(tax_id: str, country: str, *, abroad: bool) -> str:
    """Write a tax id as it is known at home; to another country with its prefix (art. 215)."""
    prefixed = vat_id(tax_id, country) if abroad else None
    return _shown(prefixed or tax_id)


def _address(address: Address, locale: Locale, *, abroad: bool) -> list[str]:
    country = locale.territories.get(address.country, address.country) if abroad else ""
    lines = (address.street, f"{address.postal_code} {address.city}", country)
    return [_shown(line) for line in lines if line.strip()]


# Paying


_EEA = MEMBER_STATES | {"IS", "LI", "NO"}
_SEPA = _EEA | {
    "AD", "AL", "CH", "GB", "GI", "MC", "MD", "ME", "MK", "RS", "SM", "VA",
}  # fmt: skip
"""Countries of accounts that a SEPA transfer reaches: European Payments Council, EPC409-09."""


def _payment(invoice: IssuedInvoice, locale: Locale) -> dict[str, Any] | None:
    iban = re.sub(r"\s", "", invoice.seller.iban or "")
    if not iban or invoice.gross.minor <= 0:
        return None
    total = _currency(invoice.gross, locale)
    return {
        "iban": "\N{NO-BREAK SPACE}".join(iban[n : n + 4] for n in range(0, len(iban), 4)),
        "bic": invoice.seller.bic,
        "qr": _epc_qr(invoice, iban),
        "summary": f"{_shown(invoice.seller.legal_name)}, {iban}, {total}, {invoice.number}",
    }


_SVG = "http://www.w3.org/2000/svg"
_DARK = re.compile(rb"\x01+")


def _epc_qr(invoice: IssuedInvoice, iban: str) -> str | None:
    """Draw the QR code that banking apps read, as SVG; None where there can be none."""
    payload = _epc_payload(invoice, iban)
    if payload is None:
        return None
    # Readers take any of the eight masks; to rate them costs more than all else here together.
    code = segno.make_qr(payload, error="M", boost_error=False, mask=3)
    size = len(code.matrix)
    path = "".join(
        f"M{run.start()} {y}h{run.end() - run.start()}v1h{run.start() - run.end()}z"
        for y, row in enumerate(code.matrix)
        for run in _DARK.finditer(row)
    )
    return f'<svg xmlns="{_SVG}" viewBox="0 0 {size} {size}"><path d="{path}"/></svg>'


def _epc_payload(invoice: IssuedInvoice, iban: str) -> bytes | None:
    """
    Write what the QR code says, by EPC069-12, version 002.

    It takes euros, from 0.01 to 999,999,999.99, to an account that SEPA reaches, with its BIC
    where that is outside the EEA; up to 70 characters of a name, and 331 bytes in all.
    """
    seller = invoice.seller
    reached = iban[:2] in (_SEPA if seller.bic else _EEA)
    if invoice.currency != "EUR" or not reached or invoice.gross.minor > 999_999_999_99:
        return None
    name = " ".join(seller.legal_name.split())[:70]
    amount = f"EUR{invoice.gross.major}"
    elements = (
        "BCD",
        "002",
        "1",
        "SCT",
        seller.bic or "",
        name,
        iban,
        amount,
        "",
        "",
        invoice.number,
    )
    payload = "\n".join(elements).encode(errors="replace")
    return payload if len(payload) <= 331 else None


# Numbers and dates, the way they are written where the buyer is


def _locale(invoice: IssuedInvoice) -> Locale:
    language, country = language_of(invoice.buyer), invoice.buyer.country
    try:
        return _known_locale(language, country)
    except UnknownLocaleError:
        return _known_locale(language, "150" if country in _SEPA else "001")


@cache
def _known_locale(language: str, territory: str) -> Locale:
    return Locale(language, territory)


@cache
def _date(day: date, locale: Locale) -> str:
    return format_date(day, "medium", locale)


@cache
def _period(period: LinePeriod, locale: Locale) -> str:
    return format_interval(period.start, period.end, "yMMMd", locale=locale)


def _amount(money: Money, locale: Locale, sign: int = 1) -> str:
    return _number(money.major * sign, CURRENCIES[money.currency], locale)


def _currency(money: Money, locale: Locale, sign: int = 1) -> str:
    pattern = _pattern(locale, CURRENCIES[money.currency], "currency")
    written = pattern.apply(
        money.major * sign, locale, currency=money.currency, currency_digits=False
    )
    return _shown(_with_minus(written), keep_spaces=True)


def _number(value: Decimal, decimals: int, locale: Locale) -> str:
    return _with_minus(_pattern(locale, decimals, "decimal").apply(value, locale))


def _with_minus(written: str) -> str:
    return written.replace("-", "\N{MINUS SIGN}")


@cache
def _pattern(locale: Locale, decimals: int, kind: str) -> NumberPattern:
    """
    Take a locale's pattern with as many decimals as told.

    Babel knows decimals of currencies too, but those of cash: it would round away the paras of
    a Serbian invoice.
    """
    patterns = {
        "decimal": locale.decimal_formats[None],
        "currency": locale.currency_formats["standard"],
    }
    fraction = "." + "0" * decimals if decimals else ""
    return parse_pattern(re.sub(r"0\.[0#]+", f"0{fraction}", patterns[kind].pattern))


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize().as_tuple().exponent))


# Text that can always be shown


_REPLACEMENT = "□"
_UNBROKEN = re.compile(r"\S{24,}")


def _shown(text: str, *, keep_spaces: bool = False) -> str:
    """
    Make a text fit to be typeset: PDF/A forbids a character without a glyph.

    Runs of white space become one space, and words too long for a column may break anywhere.
    """
    glyphs = unicodedata.normalize("NFC", text).translate(_glyphs())
    if keep_spaces:
        return glyphs
    return _UNBROKEN.sub(lambda word: "\u200b".join(word[0]), " ".join(glyphs.split()))


class _Glyphs(dict[int, str]):
    """What to typeset for a character; reckoned when it is first seen."""

    def __init__(self, covered: frozenset[int]) -> None:
        super().__init__()
        self._covered = covered

    def __missing__(self, code: int) -> str:
        self[code] = shown = self._find(chr(code))
        return shown

    def _find(self, character: str) -> str:
        category = unicodedata.category(character)
        if character.isspace():
            return character if character == "\N{NO-BREAK SPACE}" else " "
        if category in {"Cc", "Cf", "Cs"}:
            return ""
        for form in ("NFC", "NFKC"):
            spelling = unicodedata.normalize(form, character)
            if self._covered.issuperset(map(ord, spelling)) and category != "Co":
                return spelling
        base = unicodedata.normalize("NFKD", character)[0]
        if base != character and ord(base) in self._covered:
            return base
        return "" if category in {"Mn", "Me"} else _REPLACEMENT


@cache
def _glyphs() -> _Glyphs:
    return _Glyphs(_coverage((_FONTS / "Inter-Regular.otf").read_bytes()))


def _coverage(font: bytes) -> frozenset[int]:
    """
    Read which characters a font has glyphs for.

    That is its table "cmap", in the format 12 that holds all of Unicode: see the OpenType
    specification.
    """
    (tables,) = unpack_from(">H", font, 4)
    entries = (unpack_from(">4s4xI", font, 12 + 16 * n) for n in range(tables))
    cmap = next(offset for tag, offset in entries if tag == b"cmap")
    (encodings,) = unpack_from(">H", font, cmap + 2)
    for n in range(encodings):
        (subtable,) = unpack_from(">4xI", font, cmap + 4 + 8 * n)
        table_format, groups = unpack_from(">H10xI", font, cmap + subtable)
        if table_format == 12:
            ranges = (
                unpack_from(">II", font, cmap + subtable + 16 + 12 * g) for g in range(groups)
            )
            return frozenset(code for start, end in ranges for code in range(start, end + 1))
    raise ValueError("the font has no cmap of format 12")


# The accent


_ACCENT = "#0b5394"


@cache
def _readable(colour: str) -> str:
    """Darken a colour until text in it reads on white: WCAG 2.1 asks for a contrast of 4.5."""
    channels = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    while _luminance(channels) > 1.05 / 4.5 - 0.05:
        channels = [channel * 19 // 20 for channel in channels]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _luminance(channels: list[int]) -> float:
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# Factur-X


_FACTUR_X = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROPERTIES = {
    "ConformanceLevel": ("EN 16931", "The conformance level of the embedded Factur-X data"),
    "DocumentFileName": ("factur-x.xml", "The name of the embedded XML document"),
    "DocumentType": ("INVOICE", "The type of the hybrid document"),
    "Version": ("1.0", "The version of the standard that the embedded XML follows"),
}
_VALUES = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_FACTUR_X}">'
    + "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _PROPERTIES.items())
    + "</rdf:Description>"
).encode()
_SCHEMA = (
    '<rdf:li rdf:parseType="Resource">'
    "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
    f"<pdfaSchema:namespaceURI>{_FACTUR_X}</pdfaSchema:namespaceURI>"
    "<pdfaSchema:prefix>fx</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>"
    + "".join(
        '<rdf:li rdf:parseType="Resource">'
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{description}</pdfaProperty:description>"
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType></rdf:li>"
        for name, (_, description) in _PROPERTIES.items()
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
).encode()
_METADATA = re.compile(rb"<</Length (\d+)/Type/Metadata/Subtype/XML>>\nstream\n")
_IN_USE = re.compile(rb"^(\d{10})(?= \d{5} n)", re.MULTILINE)


def _declare_factur_x(pdf: bytes) -> bytes:
    """
    Say in the metadata that there is a Factur-X invoice in the file.

    Typst attaches the XML but cannot write this. The stream grows, and every offset behind it
    in the cross-reference table moves by as much.
    """
    *_, header = _METADATA.finditer(pdf)
    end = header.end() + int(header[1])
    schemas, close = b"</rdf:Bag></pdfaExtension:schemas>", b"</rdf:RDF>"
    old = pdf[header.end() : end]
    if old.count(schemas) != 1 or old.count(close) != 1:
        raise ValueError("typst writes its metadata in another way than it used to")
    new = old.replace(schemas, _SCHEMA + schemas).replace(close, _VALUES + close)
    stream = header[0].replace(header[1], b"%d" % len(new)) + new
    moved = len(stream) - (end - header.start())

    body, _, start = pdf[end:].rpartition(b"startxref\n")
    table = int(start.split()[0])
    objects, entries = body[: table - end], body[table - end :]
    entries = _IN_USE.sub(
        lambda entry: b"%010d" % (int(entry[1]) + (moved if int(entry[1]) > end else 0)), entries
    )
    return b"".join(
        (
            pdf[: header.start()],
            stream,
            objects,
            entries,
            b"startxref\n%d\n%%%%EOF" % (table + moved),
        )
    )
