"""An invoice as PDF: its view and its e-invoice go into the template, and typst makes the pages."""

import json
from functools import cache
from pathlib import Path
from typing import cast

import typst

from billing.domain.invoices import IssuedInvoice
from billing.einvoice.cii import to_cii
from functions.documents.pdf.factur_x import declare_factur_x
from functions.documents.pdf.text import FONTS
from functions.documents.pdf.view import view

TEMPLATE = Path(__file__).parent / "invoice.typ"


def render(invoice: IssuedInvoice) -> bytes:
    """
    Create the PDF of an invoice, with the invoice as data inside.

    The same invoice gives the same bytes: nothing in them comes from the clock, the network or
    the machine.
    """
    return declare_factur_x(typeset(inputs(invoice), invoice))


def inputs(invoice: IssuedInvoice) -> dict[str, str]:
    """Return what the template reads."""
    return {"document": json.dumps(view(invoice)), "factur_x": to_cii(invoice).decode()}


def typeset(inputs: dict[str, str], invoice: IssuedInvoice) -> bytes:
    """Create the PDF as typst writes it, without the metadata of Factur-X."""
    pdf = compiler().compile(
        format="pdf",
        sys_inputs=inputs,
        pdf_standards=["a-3a", "ua-1"],
        timestamp=invoice.issued_at.replace(microsecond=0),
    )
    return cast(bytes, pdf)


@cache
def compiler() -> typst.Compiler:
    """Load the template and the fonts once: the first invoice pays for it, the others do not."""
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS]
    )
    return typst.Compiler(TEMPLATE, root=TEMPLATE.parent, font_paths=fonts)
