"""An invoice as PDF: its view and its e-invoice go into the template, and typst makes the pages."""

import json
from functools import cache
from pathlib import Path
from typing import cast

import typst

from billing.domain.invoices import IssuedInvoice
from billing.domain.letters import EVERYDAY
from billing.einvoice.cii import to_factur_x
from functions.documents.pdf.factur_x import declare_factur_x
from functions.documents.pdf.families import INTER, families, files
from functions.documents.pdf.logo import drawing
from functions.documents.pdf.view import view

TEMPLATE = Path(__file__).parent / "invoice.typ"


def render(invoice: IssuedInvoice, logo: bytes | None = None) -> bytes:
    """
    Create the PDF of an invoice, with the invoice as data inside.

    `logo` is the file that the record names.

    The same invoice gives the same bytes: nothing in them comes from the clock, the network or
    the machine.
    """
    return declare_factur_x(typeset(inputs(invoice, logo), invoice))


def inputs(invoice: IssuedInvoice, logo: bytes | None = None) -> dict[str, str]:
    """Return what the template reads."""
    document = json.dumps(view(invoice), ensure_ascii=False)
    return {
        "document": document,
        "factur_x": to_factur_x(invoice).decode(),
        "fonts": json.dumps(_families(document, invoice)),
        **({"logo": drawing(invoice.seller.logo, logo)} if invoice.seller.logo and logo else {}),
    }


def _families(document: str, invoice: IssuedInvoice) -> list[str]:
    """Return the families that a document is set in: one where that has all its letters."""
    if EVERYDAY.fullmatch(document):
        return [INTER]
    return families(invoice.buyer.country, invoice.seller.address.country)


def typeset(inputs: dict[str, str], invoice: IssuedInvoice) -> bytes:
    """Create the PDF as typst writes it, without the metadata of Factur-X."""
    pdf = compiler(*json.loads(inputs["fonts"])).compile(
        format="pdf",
        sys_inputs=inputs,
        pdf_standards=["a-3a", "ua-1"],
        timestamp=invoice.issued_at.replace(microsecond=0),
    )
    return cast(bytes, pdf)


def compiler(*fonts: str) -> typst.Compiler:
    """Return what makes the pages, with the fonts of these families."""
    return _compiler(frozenset(fonts))


@cache
def _compiler(fonts: frozenset[str]) -> typst.Compiler:
    """Load the template and the fonts once: the first invoice pays for it, the others do not."""
    folders = {
        path.parent for family, paths in files().items() if family in fonts for path in paths
    }
    found = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=sorted(folders)
    )
    return typst.Compiler(TEMPLATE, root=TEMPLATE.parent, font_paths=found)
