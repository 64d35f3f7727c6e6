"""
The reference page in a browser: authorise, send a call, see the answer.

RECORD=1 pytest tests/e2e/test_docs_page.py takes the picture docs/reference.png anew.
"""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from local.stack import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PICTURE = ROOT / "docs" / "reference.png"
WAIT_SECONDS = 20
HIDE = """
for (const each of document.querySelectorAll(".curl-command span"))
    if (each.textContent.includes(arguments[0]) && !each.children.length)
        each.textContent = each.textContent.replace(arguments[0], "bil_…")
"""
"""Shows something else where the page shows a text."""

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER),
    reason="needs a browser: apt-get install chromium chromium-driver",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--window-size=1280,1500",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options, Service(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def page(browser: Chrome, stack: dict[str, Any]) -> Chrome:
    """Open the page at one operation, with the token of an account that has invoices."""
    browser.get(f"{stack['base_url']}/docs#/v3%20invoices/list_invoices")
    _wait(browser, ".opblock.is-open")
    browser.find_element(By.CSS_SELECTOR, ".btn.authorize").click()
    _wait(browser, ".auth-container input").send_keys(stack["accounts"]["100001"])
    browser.find_element(By.CSS_SELECTOR, ".auth-btn-wrapper .authorize").click()
    _wait(browser, ".auth-btn-wrapper .btn-done").click()
    return browser


def test_a_call_sent_from_it_is_answered(page: Chrome, stack: dict[str, Any]) -> None:
    operation = page.find_element(By.CSS_SELECTOR, ".opblock.is-open")

    operation.find_element(By.CSS_SELECTOR, ".execute").click()

    status = _wait(page, ".live-responses-table .response .response-col_status").text
    answer = page.find_element(
        By.CSS_SELECTOR, ".live-responses-table .response .response-col_description"
    )
    assert status.startswith("200"), answer.text
    assert '"invoiceNumber": "F2' in answer.text
    assert "ranged-data: start=0,results=25,total=" in answer.text
    if os.environ.get("RECORD"):
        page.execute_script("scrollTo(0, arguments[0].offsetTop - 120)", operation)
        page.execute_script(HIDE, stack["accounts"]["100001"])
        page.save_screenshot(PICTURE)


def test_the_token_is_not_asked_for_again(page: Chrome) -> None:
    page.refresh()

    _wait(page, ".btn.authorize.locked")


def test_pages_are_shown_instead_of_it(page: Chrome, stack: dict[str, Any]) -> None:
    def shown() -> list[str]:
        parts = page.find_elements(By.CSS_SELECTOR, ".page, #reference")
        return [each.get_attribute("id") or "" for each in parts if each.is_displayed()]

    for name in ("errors", "paging", "retries", "clients"):
        page.find_element(By.LINK_TEXT, name.capitalize()).click()
        assert shown() == [name]
    page.find_element(By.LINK_TEXT, "Reference").click()
    assert shown() == ["reference"]


def test_it_talks_to_nobody_but_its_api(page: Chrome, stack: dict[str, Any]) -> None:
    asked = page.execute_script(
        "return performance.getEntriesByType('resource').map(each => each.name)"
    )

    assert [url for url in asked if not url.startswith((stack["base_url"], "data:"))] == []
    assert [each for each in page.get_log("browser") if each["level"] == "SEVERE"] == []  # type: ignore[no-untyped-call]


def _wait(browser: Chrome, selector: str) -> WebElement:
    return WebDriverWait(browser, WAIT_SECONDS).until(
        lambda _: next(
            (
                each
                for each in browser.find_elements(By.CSS_SELECTOR, selector)
                if each.text or each.is_displayed()
            ),
            None,
        ),
        f"{selector} does not appear",
    )  # type: ignore[return-value]
