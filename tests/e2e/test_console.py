"""
The console in a browser: sign in, find an account, look at what it owes, follow a run.

RECORD=1 pytest tests/e2e/test_console.py takes the pictures docs/console-*.png anew.
"""

import json
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from local.stack import ROOT
from tests.browser import browser_in, look, needs_browser, violations, wait_for

SIZES = {"phone": (400, 800), "desk": (1280, 900)}
THEMES = ("light", "dark")
PICTURES = {
    ("#/accounts/100001", "desk", "light"): "console-account",
    ("#/accounts/100001/invoices/1", "desk", "dark"): "console-invoice-dark",
    ("#/owed/overdue", "phone", "light"): "console-phone",
}

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser_in(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def console(browser: Chrome, stack: dict[str, Any]) -> Chrome:
    """Sign in to the demo org as a reader."""
    look(browser, *SIZES["desk"])
    browser.get("about:blank")
    browser.get(f"{stack['base_url']}/console")
    _sign_in(browser, stack["reader_token"])
    wait_for(browser, "h1", "Accounts")
    return browser


def test_who_has_no_right_token_is_told_so(browser: Chrome, stack: dict[str, Any]) -> None:
    browser.get(f"{stack['base_url']}/console")
    _sign_in(browser, "bil_0000000000000000000000000000000000000")

    assert wait_for(browser, "[role=alert]", " ").text
    assert browser.find_elements(By.ID, "token") != []
    assert wait_for(browser, "#org-id").get_attribute("value") == "demo", (
        "it need not be typed again"
    )
    assert not browser.find_element(By.ID, "nav").is_displayed()
    assert not browser.find_element(By.ID, "leave").is_displayed()
    assert violations(browser) == []


def test_an_account_is_found_by_its_name_and_shows_what_it_owes(console: Chrome) -> None:
    console.find_element(By.ID, "name").send_keys("grupo")
    wait_for(console, "[role=status]", "1 shown")
    [link] = console.find_elements(By.CSS_SELECTOR, "tbody tr td a")
    assert link.text == "100004"
    assert "More" not in [each.text for each in console.find_elements(By.TAG_NAME, "button")]
    link.click()

    wait_for(console, "h1", "Grupo Hotelero Levante S.A.")
    assert wait_for(console, ".figures", "Unpaid").text.count("€") == 2
    number = wait_for(console, "td a", "F20")
    shown = number.text
    number.click()

    wait_for(console, "h1", shown)
    wait_for(console, "td", "Wi-Fi gestionado")
    wait_for(console, "button", "Get the PDF").click()
    assert "X-Amz-" in str(wait_for(console, "a", "Open the PDF").get_attribute("href"))


def test_it_is_worked_by_the_keyboard(console: Chrome) -> None:
    assert console.switch_to.active_element.tag_name == "h1"
    console.switch_to.active_element.send_keys(Keys.TAB)
    console.switch_to.active_element.send_keys("ana")
    wait_for(console, "[role=status]", "1 shown")
    for _ in range(2):  # the table, which scrolls, and the first link in it
        console.switch_to.active_element.send_keys(Keys.TAB)
    console.switch_to.active_element.send_keys(Keys.ENTER)

    wait_for(console, "h1", "Ana García López")


def test_a_run_is_followed_to_its_end(console: Chrome, stack: dict[str, Any]) -> None:
    url = f"{stack['base_url']}/v1/orgs/demo/billing_runs"
    request = urllib.request.Request(
        url,
        data=b'{"external_billing_run_unique_id": "watched"}',
        headers={"PRIVATE-TOKEN": stack["admin_token"], "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        run_id = json.load(answer)["id"]

    wait_for(console, "nav a", "Billing runs").click()
    wait_for(console, "td a", run_id).click()

    wait_for(console, "main [role=status]", "completed")
    progress = console.find_element(By.TAG_NAME, "progress")
    assert progress.get_attribute("value") == progress.get_attribute("max")


def test_what_happens_is_shown(console: Chrome) -> None:
    wait_for(console, "nav a", "Events").click()

    wait_for(console, "td", "invoice.issued")


def test_the_token_is_gone_after_a_reload(console: Chrome) -> None:
    console.refresh()

    assert wait_for(console, "#token").is_displayed()
    kept = console.execute_script(
        "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert kept == '[{},{},""]'


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("place", "heading"),
    [
        ("#/accounts", "Accounts"),
        ("#/accounts/100001", "Ana García López"),
        ("#/accounts/100001/invoices/1", "F20"),
        ("#/owed/unpaid", "Unpaid invoices"),
        ("#/owed/overdue", "Overdue invoices"),
        ("#/runs", "Billing runs"),
        ("#/events", "Events"),
    ],
)
def test_everybody_can_read_it(
    console: Chrome, place: str, heading: str, size: str, theme: str
) -> None:
    look(console, *SIZES[size], theme)
    console.execute_script("location.hash = arguments[0]", place)
    wait_for(console, "h1", heading)

    width = console.execute_script("return document.documentElement.scrollWidth")
    assert width <= SIZES[size][0], "it scrolls sideways"
    assert violations(console) == []
    log = console.get_log("browser")  # type: ignore[no-untyped-call]
    assert [each for each in log if each["level"] == "SEVERE" and "401" not in str(each)] == []
    picture = PICTURES.get((place, size, theme))
    if picture and os.environ.get("RECORD"):
        console.save_screenshot(str(ROOT / "docs" / f"{picture}.png"))


def test_it_talks_to_nobody_but_its_api(console: Chrome, stack: dict[str, Any]) -> None:
    asked = console.execute_script(
        "return performance.getEntriesByType('resource').map(each => each.name)"
    )

    assert [url for url in asked if not url.startswith((stack["base_url"], "data:"))] == []


def test_what_cannot_be_shown_leaves_nothing_else_there(console: Chrome) -> None:
    console.execute_script("location.hash = '#/accounts/nobody'")

    assert "no billing profile" in wait_for(console, "[role=alert]", "profile").text
    assert console.find_elements(By.CSS_SELECTOR, "#view > *") == []


def _sign_in(browser: Chrome, token: str) -> None:
    wait_for(browser, "#org-id").send_keys("demo")
    browser.find_element(By.ID, "token").send_keys(token)
    browser.find_element(By.CSS_SELECTOR, "form button").click()
