"""
Draw the pictures of documents and mails in this folder; those of mails take a Chromium.

    PYTHONPATH=.:layers/billing python docs/pictures.py
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import quote

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from billing.domain.invoices import FiscalSummary, InvoiceSummary, IssuedInvoice
from billing.domain.parties import FiscalService
from billing.presentation.invoice_mail import InvoiceMail, to_html
from functions.documents.pdf.render import compiler, inputs
from tests.sample_invoices import (
    BUYER,
    CREDIT_NOTE,
    JPY,
    LETTERS,
    LOGO,
    LONG_NAMES,
    ONE_LINE,
    REVERSE_CHARGE,
    SELLER,
    TWELVE_LINES,
    WITH_LOGO,
    many,
)

PICTURES: dict[str, tuple[IssuedInvoice, int]] = {
    "invoice-1-line": (ONE_LINE, 0),
    "invoice-12-lines": (TWELVE_LINES, 0),
    "invoice-200-lines-page-1": (many(200), 0),
    "invoice-200-lines-last-page": (many(200), -1),
    "invoice-credit-note": (CREDIT_NOTE, 0),
    "invoice-long-names": (LONG_NAMES, 0),
    "invoice-jpy": (JPY, 0),
    "invoice-logo": (WITH_LOGO, 0),
    "invoice-japanese": (LETTERS["Japanese"], 0),
    "invoice-arabic": (LETTERS["Arabic"], 0),
    "invoice-hebrew": (LETTERS["Hebrew"], 0),
    "invoice-thai": (LETTERS["Thai"], 0),
    "invoice-reverse-charge": (
        replace(REVERSE_CHARGE, seller=replace(SELLER, accent="#0f766e")),
        0,
    ),
    "invoice-verifactu": (
        replace(
            ONE_LINE, fiscal=FiscalSummary("F1", ONE_LINE.gross.major, FiscalService.PRODUCTION)
        ),
        0,
    ),
}

MAILS = {"mail-light": "light", "mail-dark": "dark"}
"""Pictures of a mail, in a client that prefers light or dark."""
LINK = "https://billing.example/p/…"
MAIL_WIDTH, MAIL_HEIGHT = 620, 880


def main() -> None:
    draw_documents()
    draw_mails()


def draw_mails() -> None:
    mail = InvoiceMail(TWELVE_LINES, InvoiceSummary.of(TWELVE_LINES, ""), SELLER, BUYER, LINK)
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in (
        "--headless",
        "--no-sandbox",
        "--hide-scrollbars",
        f"--window-size={MAIL_WIDTH},{MAIL_HEIGHT}",
    ):
        options.add_argument(argument)
    browser = Chrome(options, Service(shutil.which("chromedriver")))
    try:
        for name, scheme in MAILS.items():
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            browser.get("data:text/html;charset=utf-8," + quote(to_html(mail)))
            browser.save_screenshot(str(Path(__file__).parent / f"{name}.png"))
    finally:
        browser.quit()


def draw_documents() -> None:
    for name, (invoice, index) in PICTURES.items():
        read = inputs(invoice, LOGO.encode() if invoice.seller.logo else None)
        pages = compiler(*json.loads(read["fonts"])).compile(
            format="png", ppi=84, sys_inputs=read, timestamp=invoice.issued_at
        )
        # Typst gives a list of pages, or the page itself where there is but one.
        page = pages[index] if isinstance(pages, list) else cast(bytes, pages)
        (Path(__file__).parent / f"{name}.png").write_bytes(page)


if __name__ == "__main__":
    main()
