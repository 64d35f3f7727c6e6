"""The PDF of an invoice: what it shows, what it conforms to, and that it never changes."""

import hashlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import facturx  # type: ignore[import-untyped]
import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, IndirectObject

from billing.domain.invoices import IssuedInvoice
from billing.einvoice.cii import to_factur_x
from billing.presentation.accent import luminance, readable
from billing.presentation.epc_qr import epc_payload
from billing.presentation.text import shown
from functions.documents.pdf.render import render
from functions.documents.pdf.view import view
from tests.sample_invoices import (
    BHD,
    BUYER,
    CREDIT_NOTE,
    GERMAN,
    HOSTILE_TEXT,
    IN_DOLLARS,
    JPY,
    LONG_NAMES,
    NO_IBAN,
    ONE_LINE,
    OUT_OF_SCOPE,
    REVERSE_CHARGE,
    SAMPLES,
    SELLER,
    SWEDISH,
    TWELVE_LINES,
    XRECHNUNG,
    credited,
    invoice,
    line,
    many,
)

REPO = Path(__file__).parents[2]


def _reader(pdf: bytes) -> PdfReader:
    return PdfReader(BytesIO(pdf), strict=True)


def _catalog(pdf: bytes) -> Any:
    return _reader(pdf).root_object


def _pages(pdf: bytes) -> list[str]:
    return [page.extract_text().replace("\N{NO-BREAK SPACE}", " ") for page in _reader(pdf).pages]


def _shows(invoice: IssuedInvoice) -> str:
    return " ".join(" ".join(_pages(render(invoice))).split())


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_every_sample_is_a_readable_factur_x(sample: IssuedInvoice) -> None:
    pdf = render(sample)

    name, xml = facturx.get_xml_from_pdf(pdf, check_xsd=True, check_schematron=False)
    assert name == "factur-x.xml"
    assert xml == to_factur_x(sample)
    assert all(_pages(pdf))


def test_shows_what_the_law_asks_for() -> None:
    shown = _shows(TWELVE_LINES)

    for text in (
        "Factura",
        "F2026-000123",
        "1 mar 2026",
        "31 mar 2026",
        "1–28 feb 2026",
        "Telefonía Clara, S.L.",
        "Calle de Alcalá 42, 3.º B 28014 Madrid NIF: B58378431",
        "Forn de Pa Puig, S.A.",
        "Carrer de la Marina 19 08005 Barcelona",
        "NIF: A58818501",
        "Centralita virtual, puesto Pedido PO-7731 14 9,95 IVA 21 % 139,30",
        "Teléfono de sobremesa SIP incluye alta de 25,00 3 64,50 IVA 21 % 218,50",
        "IVA 10 % 70,80 7,08",
        "IVA 4 % 36,54 1,46",
        "1.047,47 €",
        "ES91 2100 0418 4502 0005 1332",
        "Página 1 de 1",
    ):
        assert text in shown


def test_calls_an_order_an_order_and_a_subscription_a_subscription() -> None:
    charged = replace(line("Tarifa móvil 20 GB"), subscription_id="600123456")

    shown = _shows(invoice(charged, line("Instalación", order_id="PO-7802")))

    assert "Tarifa móvil 20 GB Suscripción 600123456 1" in shown
    assert "Instalación Pedido PO-7802 1" in shown


def test_states_the_reference_that_the_buyer_looks_for() -> None:
    assert "Your reference 991-03730-19" in _shows(XRECHNUNG)
    assert "Your reference" not in _shows(REVERSE_CHARGE)


def test_says_why_no_tax_is_charged_and_writes_ids_with_their_countries() -> None:
    shown = _shows(REVERSE_CHARGE)

    assert "Reverse charge (art. 196, Directive 2006/112/EC)" in shown
    assert "Tax ID: ESB58378431" in shown
    assert "Tax ID: DE136695976" in shown
    assert "40212 Düsseldorf Germany" in shown


def test_a_credit_note_names_the_original_and_asks_for_no_money() -> None:
    shown = _shows(CREDIT_NOTE)

    assert "Factura rectificativa" in shown
    assert "Rectifica la factura F2026-000123 del 1 mar 2026" in shown
    assert "Total abonado 1.047,47 €" in shown
    assert "Vencimiento" not in shown
    assert "IBAN" not in shown


@pytest.mark.parametrize(
    ("sample", "texts"),
    [
        pytest.param(JPY, ["¥8,928", "1,480", "7.6"], id="yen"),
        pytest.param(BHD, ["4,479 BHD", "0,777"], id="three decimals, exact"),
        pytest.param(OUT_OF_SCOPE, ["$199.00", "Mar 31, 2026"], id="the United States"),
        pytest.param(
            invoice(line(unit_price="1234567.891", currency="RSD"), buyer=GERMAN, currency="RSD"),
            ["1.493.827,15 RSD", "1.234.567,891"],
            id="decimals that Babel would round to whole dinars",
        ),
    ],
)
def test_writes_numbers_as_the_buyer_does(sample: IssuedInvoice, texts: list[str]) -> None:
    shown = _shows(sample)

    assert [text for text in texts if text not in shown] == []


@pytest.mark.parametrize(
    ("sample", "stated"),
    [
        pytest.param(
            IN_DOLLARS,
            "Impuestos en EUR 28,67 Tipo de cambio: 1 EUR = 1,0812 USD (27 feb 2026)",
            id="in EUR, at one rate",
        ),
        pytest.param(
            credited(IN_DOLLARS),
            "Impuestos en EUR 28,67 Tipo de cambio: 1 EUR = 1,0812 USD (27 feb 2026)",
            id="a credit note, as its invoice",
        ),
        pytest.param(
            SWEDISH,
            "Total tax in SEK 168,31 Exchange rate: 1 EUR = 163,06 JPY = 10,978 SEK (27 Feb 2026)",
            id="in SEK, by way of EUR",
        ),
    ],
)
def test_states_the_tax_in_the_national_currency_with_its_rate_and_day(
    sample: IssuedInvoice, stated: str
) -> None:
    assert stated in _shows(sample)
    assert "1 EUR" not in _shows(replace(sample, conversion=None))


def test_every_page_of_a_sandbox_is_marked_as_a_sample() -> None:
    sandbox = replace(SELLER, sandbox=True)
    sample = replace(many(60), seller=sandbox)
    english = replace(sample, buyer=GERMAN)

    pages = _pages(render(sample))

    assert len(pages) > 1
    assert all("MUESTRA" in page for page in pages)
    assert all("SAMPLE" in page for page in _pages(render(english)))
    assert "MUESTRA" not in _shows(many(60))
    assert render(sample) == render(sample)
    assert "MUESTRA" not in " ".join(_marked_texts(render(sample)))


def _marked_texts(pdf: bytes) -> list[str]:
    """Return the content streams without what is marked as an artifact."""
    contents: list[Any] = [page.get_contents() for page in _reader(pdf).pages]
    streams = [each.get_data().decode("latin-1") for each in contents]
    return [re.sub(r"/Artifact.*?EMC", "", each, flags=re.DOTALL) for each in streams]


def test_keeps_the_last_lines_with_the_totals() -> None:
    for count in (13, 14, 18, 22, 23, 24, 47):
        *_, last = _pages(render(many(count)))

        assert "Total impuestos" in last
        assert "Forma de pago" in last
        assert f"({count})" in last
        assert f"({count - 1})" in last


def test_repeats_the_header_of_the_table_on_every_page() -> None:
    pages = _pages(render(many(200)))

    assert len(pages) > 5
    assert all("Descripción" in page for page in pages)
    assert all(f"Página {n} de {len(pages)}" in page for n, page in enumerate(pages, 1))


def test_long_names_stay_on_the_page() -> None:
    pages = _reader(render(LONG_NAMES)).pages
    right = float(pages[0].mediabox.right)
    places: list[float] = []

    for page in pages:
        page.extract_text(visitor_text=lambda _, __, tm, *___: places.append(float(tm[4])))

    assert places
    assert all(0 <= place < right for place in places)


def test_an_address_in_the_footer_is_not_broken() -> None:
    seller = replace(
        ONE_LINE.seller,
        legal_name="Alojamientos Web Ejemplo S.L.",
        email="facturas@alojamientos.example",
        url="www.alojamientos.example",
    )

    [page] = _pages(render(replace(ONE_LINE, seller=seller)))

    assert "www.alojamientos.example" in page.replace("\u200b", "")


# Conformance


def _xmp(pdf: bytes) -> str:
    metadata = _catalog(pdf)["/Metadata"]
    assert "/Filter" not in metadata
    return str(metadata.get_data().decode())


@pytest.mark.parametrize("sample", [ONE_LINE, CREDIT_NOTE, HOSTILE_TEXT])
def test_declares_what_it_conforms_to(sample: IssuedInvoice) -> None:
    xmp = _xmp(render(sample))

    for declared in (
        "<pdfaid:part>3</pdfaid:part>",
        "<pdfaid:conformance>A</pdfaid:conformance>",
        "<pdfuaid:part>1</pdfuaid:part>",
        "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>",
        "<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>",
        "<fx:DocumentType>INVOICE</fx:DocumentType>",
        "<fx:Version>1.0</fx:Version>",
    ):
        assert declared in xmp


def test_describes_the_properties_of_factur_x_as_pdf_a_asks() -> None:
    root = ET.fromstring(_xmp(render(ONE_LINE)))
    schema = "{http://www.aiim.org/pdfa/ns/schema#}"
    prop = "{http://www.aiim.org/pdfa/ns/property#}"
    used = {e.tag for e in root.iter() if e.tag.startswith("{urn:factur-x:")}

    bags = list(root.iter("{http://www.aiim.org/pdfa/ns/extension/}schemas"))
    assert len(bags) == 1
    described = {
        f"{{{li.findtext(f'{schema}namespaceURI')}}}{name.text}"
        for li in bags[0][0]
        for name in li.iter(f"{prop}name")
    }
    assert len(used) == 4
    assert used <= described


def test_has_the_structure_that_archives_and_screen_readers_need() -> None:
    catalog = _catalog(render(TWELVE_LINES))

    (intent,) = catalog["/OutputIntents"]
    assert intent.get_object()["/S"] == "/GTS_PDFA1"
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"] == "es"
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"]
    tags, alternatives = _structure(catalog["/StructTreeRoot"])
    assert {"/H1", "/H2", "/Table", "/THead", "/TBody", "/TFoot", "/TH", "/Figure"} <= tags
    assert alternatives == {
        "Código QR de transferencia SEPA: Telefonía Clara, S.L., ES9121000418450200051332, "
        "1.047,47\N{NO-BREAK SPACE}€, F2026-000123"
    }


def _structure(element: object) -> tuple[set[str], set[str]]:
    """The tags in a structure tree, and the texts that stand for figures in it."""
    tags: set[str] = set()
    alternatives: set[str] = set()
    pending = [element]
    while pending:
        current = pending.pop()
        if isinstance(current, IndirectObject):
            current = current.get_object()
        if isinstance(current, list):
            pending.extend(current)
        elif isinstance(current, DictionaryObject):
            tags.add(str(current.get("/S")))
            if "/Alt" in current:
                alternatives.add(str(current["/Alt"]))
            pending.append(current.get("/K"))
    return tags, alternatives


def test_attaches_the_data_as_an_alternative_of_the_page() -> None:
    catalog = _catalog(render(ONE_LINE))

    (attached,) = catalog["/AF"]
    specification = attached.get_object()
    assert specification["/AFRelationship"] == "/Alternative"
    assert specification["/UF"] == "factur-x.xml"
    assert specification["/EF"]["/F"].get_object()["/Subtype"] == "/text/xml"


@pytest.mark.parametrize("sample", [ONE_LINE, HOSTILE_TEXT, many(200)])
def test_every_offset_leads_to_its_object(sample: IssuedInvoice) -> None:
    pdf = render(sample)
    start = int(pdf.rsplit(b"startxref\n", 1)[1].split()[0])

    assert pdf[start:].startswith(b"xref\n")
    offsets = re.findall(rb"^(\d{10}) \d{5} n", pdf[start:], re.MULTILINE)
    assert len(offsets) > 20
    for number, offset in enumerate(offsets, 1):
        assert pdf[int(offset) :].startswith(b"%d 0 obj\n" % number)


def test_embeds_every_font() -> None:
    for page in _reader(render(TWELVE_LINES)).pages:
        fonts: Any = cast(Any, page["/Resources"])["/Font"]
        assert len(fonts) == 2
        for font in fonts.values():
            (descendant,) = font.get_object()["/DescendantFonts"]
            descriptor = descendant.get_object()["/FontDescriptor"].get_object()
            assert "/FontFile3" in descriptor
            assert "Inter" in descriptor["/FontName"]


# The same bytes


def test_is_the_same_bytes_every_time_and_in_another_process() -> None:
    here = hashlib.sha256(render(TWELVE_LINES)).hexdigest()
    render(many(30))
    script = (
        "import hashlib; from functions.documents.pdf.render import render;"
        "from tests.sample_invoices import TWELVE_LINES;"
        "print(hashlib.sha256(render(TWELVE_LINES)).hexdigest())"
    )
    environment = {"PYTHONPATH": ".:layers/billing:cli", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}

    there = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPO,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )

    assert hashlib.sha256(render(TWELVE_LINES)).hexdigest() == here
    assert there.stdout.strip() == here


def test_was_made_when_the_invoice_was_issued() -> None:
    metadata = _reader(render(TWELVE_LINES)).metadata

    assert metadata is not None
    assert metadata.creation_date == TWELVE_LINES.issued_at
    assert metadata.modification_date == TWELVE_LINES.issued_at


def test_is_other_bytes_for_another_invoice() -> None:
    assert render(ONE_LINE) != render(replace(ONE_LINE, number="F2026-000124"))


# Text


def test_evaluates_nothing_of_the_data() -> None:
    shown = _shows(HOSTILE_TEXT)

    assert '#panic("x") #read("/etc/passwd") $x^2$ *b* _i_ `c` <label> @ref' in shown
    assert "root:" not in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Größe Łódź Ελλάδα Київ €", "Größe Łódź Ελλάδα Київ €", id="kept"),
        pytest.param("日本 ＡＢＣ ⑴", "日本 ＡＢＣ ⑴", id="kept, with other fonts"),
        pytest.param("ক \U0001f680", "□ □", id="no glyph"),
        pytest.param("𝐀 ㎀\U0001f1e6", "A ㎀□", id="a compatible form"),
        pytest.param(
            "x\u05b0\u0e31 \u05d0\u05b0", "\u2068x \u05d0\u05b0\u2069", id="a mark of another font"
        ),
        pytest.param("בע״מ", "\u2068בע״מ\u2069", id="right to left, apart from what is around"),
        pytest.param(
            "می\u200cنویسم a\u200cb", "\u2068می\u200cنویسم ab\u2069", id="a joiner that joins"
        ),
        pytest.param("辻\U000e0100 x\U000e0100", "辻\U000e0100 x", id="a variant that is one"),
        pytest.param("e\u0301", "é", id="composed"),
        pytest.param("a\x00\x1b\u202eb\ufeff\ud800", "ab", id="controls are dropped"),
        pytest.param(" a\r\n\tb\u2028\u3000c ", "a b c", id="white space"),
        pytest.param("\ue000", "□", id="private use is forbidden by PDF/A"),
        pytest.param("x" * 30, "\u200b".join("x" * 30), id="may break"),
        pytest.param("x" * 23, "x" * 23, id="fits"),
    ],
)
def test_shown(text: str, expected: str) -> None:
    assert shown(text) == expected


# Paying


@pytest.mark.parametrize(
    ("sample", "payload"),
    [
        pytest.param(
            TWELVE_LINES,
            "BCD\n002\n1\nSCT\nCAIXESBBXXX\nTelefonía Clara, S.L.\nES9121000418450200051332\n"
            "EUR1047.47\n\n\nF2026-000123",
            id="all of it",
        ),
        pytest.param(
            invoice(line(), seller=replace(SELLER, bic=None, legal_name="ñ" * 90)),
            f"BCD\n002\n1\nSCT\n\n{'ñ' * 70}\nES9121000418450200051332\n"
            "EUR121.00\n\n\nF2026-000123",
            id="70 characters of the name",
        ),
        pytest.param(
            invoice(line(), seller=replace(SELLER, legal_name="\U0001f680" * 90)),
            None,
            id="more than 331 bytes",
        ),
        pytest.param(OUT_OF_SCOPE, None, id="not in euros"),
        pytest.param(NO_IBAN, None, id="no account"),
        pytest.param(CREDIT_NOTE, None, id="credit note"),
        pytest.param(invoice(line(unit_price="0")), None, id="nothing to pay"),
        pytest.param(invoice(line(unit_price="999999999")), None, id="too much"),
        pytest.param(
            invoice(line(), seller=replace(SELLER, iban="CH9300762011623852957", bic=None)),
            None,
            id="outside the EEA without a BIC",
        ),
        pytest.param(
            invoice(line(), seller=replace(SELLER, iban="SA0380000000608010167519")),
            None,
            id="outside of SEPA",
        ),
    ],
)
def test_what_the_qr_code_says(sample: IssuedInvoice, payload: str | None) -> None:
    payment = view(sample)["payment"]

    if payload is None:
        assert payment is None or payment["qr"] is None
    else:
        written = epc_payload(sample.seller, sample.gross, sample.number)
        assert written == payload.encode()
        assert payment["qr"].startswith("<svg")


# The accent


@pytest.mark.parametrize("accent", ["#ffff00", "#ffffff", "#7fdbff", "#0b5394", "#000000"])
def test_any_accent_can_be_read_on_white(accent: str) -> None:
    on_white = readable(accent)

    channels = [int(on_white[n : n + 2], 16) for n in (1, 3, 5)]
    assert 1.05 / (luminance(channels) + 0.05) >= 4.5
    assert render(replace(ONE_LINE, seller=replace(SELLER, accent=accent)))


def test_an_accent_that_can_be_read_stays_as_it_is() -> None:
    assert readable("#0b5394") == "#0b5394"


# Limits


def test_a_line_longer_than_a_page_is_shown_to_its_end() -> None:
    text = "palabra " * 3000 + "última"

    assert "última" in _shows(invoice(line(text, period=None), line(), line(text)))


def test_a_thousand_lines() -> None:
    pages = _pages(render(many(1000)))

    assert "(1000)" in pages[-1]
    assert len(pages) > 30


def test_a_credit_note_of_a_foreigner_is_in_english() -> None:
    shown = _shows(credited(REVERSE_CHARGE))

    assert "Credit note" in shown
    assert "Amount credited 297,68 €" in shown
    assert BUYER.name not in shown
