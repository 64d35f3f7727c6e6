"""
The reference page in a browser: authorise, send a call, see the answer.

RECORD=1 pytest tests/e2e/test_docs_page.py takes the picture docs/reference.png anew.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from local.stack import ROOT
from tests.browser import browser_in, needs_browser, wait_for

PICTURE = ROOT / "docs" / "reference.png"
HIDE = """
for (const each of document.querySelectorAll(".curl-command span"))
    if (each.textContent.includes(arguments[0]) && !each.children.length)
        each.textContent = each.textContent.replace(arguments[0], "bil_…")
"""
"""Shows something else where the page shows a text."""

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser_in(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def page(browser: Chrome, stack: dict[str, Any]) -> Chrome:
    """Open the page at one operation, with the token of an account that has invoices."""
    browser.get(f"{stack['base_url']}/docs#/v3%20invoices/list_invoices")
    wait_for(browser, ".opblock.is-open")
    browser.find_element(By.CSS_SELECTOR, ".btn.authorize").click()
    wait_for(browser, ".auth-container input").send_keys(stack["accounts"]["100001"])
    browser.find_element(By.CSS_SELECTOR, ".auth-btn-wrapper .authorize").click()
    wait_for(browser, ".auth-btn-wrapper .btn-done").click()
    return browser


def test_a_call_sent_from_it_is_answered(page: Chrome, stack: dict[str, Any]) -> None:
    operation = page.find_element(By.CSS_SELECTOR, ".opblock.is-open")

    operation.find_element(By.CSS_SELECTOR, ".execute").click()

    status = wait_for(page, ".live-responses-table .response .response-col_status").text
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

    wait_for(page, ".btn.authorize.locked")


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
