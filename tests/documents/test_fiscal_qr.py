"""The tax agency's QR code on the first page, and its address in the e-invoices."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from pypdf import PdfReader

from billing.domain.invoices import FiscalSummary, IssuedInvoice
from billing.domain.parties import FiscalService
from billing.domain.verifactu import qr_url
from billing.einvoice.cii import to_cii
from billing.einvoice.ubl import to_ubl
from functions.documents.pdf.render import render
from tests.documents.official_rules import STYLESHEETS, OfficialRules
from tests.sample_invoices import CREDIT_NOTE, GERMAN, ONE_LINE, TWELVE_LINES, invoice, line, many

DPI = 300
SUMMARY = FiscalSummary("F1", Decimal("121.00"), FiscalService.TEST)
SAMPLES = {
    "one line": ONE_LINE,
    "twelve lines": TWELVE_LINES,
    "several pages": many(80),
    "a credit note": CREDIT_NOTE,
    "in English": invoice(line(), buyer=GERMAN),
}
rules = OfficialRules()


def declared(sample: IssuedInvoice) -> IssuedInvoice:
    return replace(sample, fiscal=SUMMARY)


def _codes(pdf: bytes, page: int) -> Sequence[zxingcpp.Barcode]:
    """Read the QR codes of a page as it is printed, from its top on."""
    bitmap = pypdfium2.PdfDocument(pdf)[page].render(scale=DPI / 72, grayscale=True)
    pixels = bytes(bitmap.buffer)  # the view of them keeps them from nobody
    image = zxingcpp.ImageView(
        pixels,
        bitmap.width,
        bitmap.height,
        zxingcpp.ImageFormat.Lum,
        bitmap.stride,
    )
    found = zxingcpp.read_barcodes(image)
    return sorted(found, key=lambda code: code.position.top_left.y)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_first_code_of_all_is_the_agencys(sample: str) -> None:
    document = declared(SAMPLES[sample])
    pdf = render(document)

    codes = _codes(pdf, 0)

    assert codes[0].text == qr_url(document)
    assert codes[0].ec_level == "M"
    corners = codes[0].position
    width = (corners.top_right.x - corners.top_left.x) / DPI * 25.4
    assert 30 <= width <= 40
    assert corners.bottom_left.y / DPI * 25.4 < 75
    for page in range(1, len(pypdfium2.PdfDocument(pdf))):
        assert all("ValidarQR" not in code.text for code in _codes(pdf, page))


def test_the_code_to_pay_by_comes_after_it() -> None:
    codes = _codes(render(declared(ONE_LINE)), 0)

    assert [code.text[:3] for code in codes] == ["htt", "BCD"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_words_of_the_law_stand_beside_it(sample: str) -> None:
    shown = PdfReader(BytesIO(render(declared(SAMPLES[sample])))).pages[0].extract_text()

    assert shown.startswith("QR tributario:")
    assert "Factura verificable en la sede electrónica de la AEAT" in shown


def test_screen_readers_say_what_the_code_is() -> None:
    document = declared(ONE_LINE)
    reader: Any = PdfReader(BytesIO(render(document)))
    objects = [reader.get_object(number) for number in range(1, int(reader.trailer["/Size"]))]

    said = [each["/Alt"] for each in objects if isinstance(each, dict) and "/Alt" in each]

    assert any(str(alt).endswith(str(qr_url(document))) for alt in said)


def test_others_are_as_they_were() -> None:
    assert b"ValidarQR" not in render(ONE_LINE)
    assert "QR tributario" not in PdfReader(BytesIO(render(ONE_LINE))).pages[0].extract_text()


@pytest.mark.parametrize("write", STYLESHEETS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_e_invoices_have_the_address_and_stay_valid(sample: str, write: object) -> None:
    document = declared(SAMPLES[sample])
    writer = to_cii if write is to_cii else to_ubl

    written = writer(document)

    assert (qr_url(document) or "").replace("&", "&amp;").encode() in written
    assert rules.is_well_formed(written)
    assert rules.broken_by(writer, written) == []
