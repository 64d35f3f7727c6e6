"""
The reference in a browser: find an operation, read it and its guides, take a sample, send a call.

RECORD=1 pytest tests/e2e/test_docs_page.py takes the picture docs/reference.png anew.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from local.stack import ROOT
from tests.browser import WAIT_SECONDS, browser_in, look, needs_browser, violations, wait_for
from tools import openapi
from tools.pages import GUIDES

PICTURE = ROOT / "docs" / "reference.png"
SIZES = {"phone": (375, 800), "desk": (1280, 900)}
THEMES = ("light", "dark")
LANGUAGES = ("curl", "Python", "JavaScript")
IN_VIEW = """
return [...document.querySelectorAll("h1, h2, h3")]
  .filter((each) => { const { top } = each.getBoundingClientRect(); return top >= 0 && top < 200 })
  .map((each) => each.innerText.trim())
"""
"""Headings on top of the window, below no bar that hides them."""

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser_in(tmp_path_factory.mktemp("browser")) as started:
        started.set_script_timeout(120)
        look(started, *SIZES["desk"])
        yield started


@pytest.fixture
def page(browser: Chrome, stack: dict[str, Any]) -> Chrome:
    look(browser, *SIZES["desk"])
    return _open(browser, stack, "")


def test_a_search_finds_an_operation(page: Chrome) -> None:
    _click(page, "button", "Search")
    page.switch_to.active_element.send_keys("non subscribable products")
    found = wait_for(page, "[role=option]", "/refund/non_subscribable_products")
    found.click()

    _shows(page, "Refund products that cannot be subscribed to")
    assert page.current_url.endswith("#tag/v1-refunds/create_refund_of_non_subscribable_products")


@pytest.mark.parametrize(
    ("place", "heading"),
    [
        ("#tag/v1-movements/create_movement", "Charge something to a subscription, or allow it"),
        ("#/v3%20invoices/list_invoices", "Get all invoices of the account"),
        ("#/v1%20refunds", "v1 refunds"),
        ("#/errors", "Errors"),
        ("#/paging", "Paging"),
        ("#/retries", "Retries"),
        ("#/clients", "Clients"),
        ("#/reference", "Billing API"),
        ("#description/webhooks", "Webhooks"),
    ],
)
def test_a_link_shows_its_heading(
    browser: Chrome, stack: dict[str, Any], place: str, heading: str
) -> None:
    _open(browser, stack, place)

    _shows(browser, heading)


def test_a_link_keeps_its_address(browser: Chrome, stack: dict[str, Any]) -> None:
    for place in ("#description/tax", "#tag/v1-refunds/create_refund"):
        _open(browser, stack, place)
        _shows(browser, "Tax" if "tax" in place else "Refund a movement")

        assert browser.current_url.endswith(place)


def test_guides_stand_beside_the_operations(page: Chrome) -> None:
    for name in GUIDES:
        _click(page, ".markdown a", name)
        _shows(page, name.capitalize())
    _click(page, "nav a, aside a", "v1 refunds")
    _shows(page, "v1 refunds")


def test_a_link_of_an_operation_leads_to_its_guide(browser: Chrome, stack: dict[str, Any]) -> None:
    _open(browser, stack, "#/v3%20invoices/list_invoices")

    _click(browser, "[id$='/list_invoices'] a", "those of all operations")

    _shows(browser, "Errors")


def test_samples_are_shown_in_three_languages(browser: Chrome, stack: dict[str, Any]) -> None:
    _open(browser, stack, "#/v1%20refunds/create_refund")
    samples = _samples("create_refund")
    section = "[id$='/create_refund']"
    shown = "curl"
    for language in LANGUAGES:
        if language != shown:
            _click(browser, f"{section} button", shown)
            _click(browser, "[role=option]", language)
            shown = language
        first = samples[language].splitlines()[0]
        assert wait_for(browser, f"{section} pre", first)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sample_runs_as_it_stands(language: str, stack: dict[str, Any], tmp_path: Path) -> None:
    commands = {
        "curl": ["bash", "sample"],
        "Python": [sys.executable, "sample"],
        "JavaScript": ["node", "sample.mjs"],
    }
    token = stack["accounts"]["100001"]
    environment = os.environ | {"API": stack["base_url"], "TOKEN": token}

    def run(operation: str) -> str:
        for name in ("sample", "sample.mjs"):
            (tmp_path / name).write_text(_samples(operation)[language])
        done = subprocess.run(
            commands[language], cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "invoiceNumber" in run("list_invoices")
    assert "Ana" in run("get_billing_details")
    run("get_invoice_pdf")
    assert (tmp_path / "answer.pdf").read_bytes().startswith(b"%PDF-")


def test_a_call_sent_from_it_is_answered(browser: Chrome, stack: dict[str, Any]) -> None:
    _open(browser, stack, "#/v3%20invoices/list_invoices")
    _click(browser, "[id$='/list_invoices'] button", "Test Request")
    wait_for(browser, "[role=dialog] input[placeholder=Token]").send_keys(
        stack["accounts"]["100001"]
    )

    _click(browser, "[role=dialog] button", "Send")

    assert wait_for(browser, "[role=dialog]", "200 OK")
    assert wait_for(browser, "[role=dialog]", '"invoiceNumber": "F2')


def test_the_token_is_not_asked_for_again(browser: Chrome, stack: dict[str, Any]) -> None:
    _open(browser, stack, "")

    entered = wait_for(browser, ".scalar-reference-intro-auth input")
    assert entered.get_attribute("value") == stack["accounts"]["100001"]
    browser.execute_script("localStorage.clear()")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", ["#/errors", "#/v1%20movements/create_movement"])
def test_everybody_can_read_it(
    browser: Chrome, stack: dict[str, Any], place: str, size: str, theme: str
) -> None:
    look(browser, *SIZES[size], theme)
    _open(browser, stack, place)
    _shows(browser, "Errors" if place == "#/errors" else "Charge something to a subscription")

    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background.strip("rgba()").split(",")[:3])) < 384) == (theme == "dark")
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= SIZES[size][0], "it scrolls sideways"
    assert violations(browser, ("serious", "critical")) == []
    if (size, theme) == ("desk", "light") and place != "#/errors" and os.environ.get("RECORD"):
        browser.save_screenshot(PICTURE)


def test_it_talks_to_nobody_but_its_api(page: Chrome, stack: dict[str, Any]) -> None:
    asked = page.execute_script(
        "return performance.getEntriesByType('resource').map(each => each.name)"
    )

    assert [url for url in asked if not url.startswith((stack["base_url"], "data:"))] == []
    assert [each for each in page.get_log("browser") if each["level"] == "SEVERE"] == []  # type: ignore[no-untyped-call]


def _open(browser: Chrome, stack: dict[str, Any], place: str) -> Chrome:
    """Open the page anew, at a place."""
    browser.get("about:blank")
    browser.get(f"{stack['base_url']}/docs{place}")
    wait_for(browser, "h1", "Billing API")
    return browser


def _click(browser: Chrome, selector: str, text: str) -> None:
    """Click the first element with a text that is shown, wherever the page has scrolled to."""
    browser.execute_script("arguments[0].click()", wait_for(browser, selector, text))


def _shows(browser: Chrome, heading: str) -> None:
    """Wait until a heading is on top of the window."""
    WebDriverWait(browser, WAIT_SECONDS).until(
        lambda _: any(each.startswith(heading) for each in browser.execute_script(IN_VIEW)),
        f"{heading!r} does not come into view",
    )


def _samples(operation_id: str) -> dict[str, str]:
    """Return the samples of an operation by their languages."""
    document = json.loads(openapi.FILE.read_text())
    [samples] = [
        operation["x-codeSamples"]
        for _, _, operation in openapi.operations(document)
        if operation["operationId"] == operation_id
    ]
    return {each["label"]: each["source"] for each in samples}
