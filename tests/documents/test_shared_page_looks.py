"""
The page to share in a browser: on a phone and on a desk, by day and by night, for everybody.

RECORD=1 pytest tests/documents/test_shared_page_looks.py takes the pictures in docs/ anew.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from billing.domain.errors import ErasedError, LinkExpiredError, LinkRevokedError, NotFoundError
from billing.domain.invoices import InvoiceSummary, IssuedInvoice
from billing.domain.logos import read_logo
from billing.domain.money import Money
from functions.shared_page.page import headers_of, page_of, page_of_failure
from local.stack import ROOT
from tests.browser import browser_in, look, needs_browser, violations
from tests.sample_invoices import (
    AMERICAN,
    BUYER,
    CREDIT_NOTE,
    GERMAN,
    LETTERS,
    LOGO,
    LONG_NAMES,
    NO_IBAN,
    SELLER,
    TWELVE_LINES,
    invoice,
    line,
)

SIZES = {"phone": (360, 740), "desk": (1280, 900)}
THEMES = ("light", "dark")
SECRET = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

pytestmark = needs_browser

WITH_LOGO = replace(SELLER, logo=read_logo(LOGO.encode()), accent="#0f766e")
ENGLISH = replace(BUYER, language="en")


def _page(of: IssuedInvoice, paid: int = 0, days: int = 3) -> str:
    """Return the page of a document, of which so much was paid, some days after its issue."""
    summary = InvoiceSummary.of(of, "0" * 64)
    settlement = replace(summary.settlement, paid=Money(paid, of.currency))
    logo = LOGO.encode() if of.seller.logo else None
    now = of.issued_at + timedelta(days=days)
    return page_of(of, replace(summary, settlement=settlement), logo, SECRET, now)


PAGES: dict[str, str] = {
    "unpaid": _page(replace(TWELVE_LINES, seller=WITH_LOGO)),
    "partly-paid": _page(replace(TWELVE_LINES, buyer=ENGLISH), paid=10_000),
    "overdue": _page(replace(TWELVE_LINES, buyer=ENGLISH, seller=WITH_LOGO), days=90),
    "paid": _page(TWELVE_LINES, paid=TWELVE_LINES.gross.minor),
    "credit-note": _page(CREDIT_NOTE),
    "no-iban": _page(NO_IBAN),
    "dollars": _page(invoice(line(currency="USD"), buyer=AMERICAN, currency="USD")),
    "german": _page(invoice(line(), buyer=GERMAN)),
    "sandbox": _page(replace(TWELVE_LINES, seller=replace(SELLER, sandbox=True))),
    "long-names": _page(LONG_NAMES),
    "arabic": _page(LETTERS["Arabic"]),
    "yellow": _page(replace(TWELVE_LINES, seller=replace(SELLER, accent="#ffff00"))),
    "expired": page_of_failure(LinkExpiredError(), "es"),
    "revoked": page_of_failure(LinkRevokedError(), "en"),
    "erased": page_of_failure(ErasedError(), "es"),
    "unknown": page_of_failure(NotFoundError(), "en"),
}
PICTURES = {
    ("unpaid", "phone", "light"): "shared-page-phone",
    ("overdue", "phone", "dark"): "shared-page-phone-dark",
    ("partly-paid", "desk", "light"): "shared-page-desk",
    ("expired", "phone", "light"): "shared-page-expired",
}


class _Pages(BaseHTTPRequestHandler):
    """Serves the pages with their own headers, so that the browser obeys these."""

    def do_GET(self) -> None:
        page = PAGES.get(self.path.removeprefix("/"))
        self.send_response(200 if page else 404)
        for name, value in headers_of(page or "").items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser_in(tmp_path_factory.mktemp("browser")) as started:
        yield started


def _open(browser: Chrome, address: str, name: str, size: str, theme: str) -> None:
    look(browser, *SIZES[size], theme)
    browser.get(f"{address}/{name}")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_read_it(
    browser: Chrome, address: str, name: str, size: str, theme: str
) -> None:
    _open(browser, address, name, size, theme)

    picture = PICTURES.get((name, size, theme))
    if picture and os.environ.get("RECORD"):
        _take(browser, size, theme, picture)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= SIZES[size][0], "it scrolls sideways"
    log = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert log == [], "its own policy forbids something of it"
    paper = browser.find_element(By.CLASS_NAME, "page").value_of_css_property("background-color")
    assert paper == ("rgba(255, 255, 255, 1)" if theme == "light" else "rgba(26, 33, 42, 1)")
    assert violations(browser) == []


def test_its_links_can_be_hit_with_a_thumb(browser: Chrome, address: str) -> None:
    _open(browser, address, "unpaid", "phone", "light")

    heights = [each.size["height"] for each in browser.find_elements(By.CSS_SELECTOR, ".files a")]

    assert len(heights) == 3
    assert min(heights) >= 44


@pytest.mark.skipif(not shutil.which("zbarimg"), reason="needs zbarimg: apt-get install zbar-tools")
@pytest.mark.parametrize("theme", THEMES)
def test_a_banking_app_reads_what_is_still_owed(
    browser: Chrome, address: str, tmp_path: Any, theme: str
) -> None:
    _open(browser, address, "partly-paid", "phone", theme)

    picture = tmp_path / "code.png"
    picture.write_bytes(browser.find_element(By.CSS_SELECTOR, "figure svg").screenshot_as_png)

    read = subprocess.run(
        ["zbarimg", "--raw", "--nodbus", "-q", "-Sbinary", picture], capture_output=True, check=True
    )
    owed = TWELVE_LINES.gross - Money(10_000, "EUR")
    assert read.stdout.decode().strip().splitlines() == [
        *("BCD", "002", "1", "SCT", "CAIXESBBXXX", "Telefonía Clara, S.L."),
        *("ES9121000418450200051332", f"EUR{owed.major}", "", "", TWELVE_LINES.number),
    ]


def _take(browser: Chrome, size: str, theme: str, name: str) -> None:
    page = browser.find_element(By.CLASS_NAME, "page")
    height = page.location["y"] * 2 + page.size["height"]
    width = SIZES[size][0] if size == "phone" else 860
    look(browser, width, height, theme)
    browser.save_screenshot(str(ROOT / "docs" / f"{name}.png"))
