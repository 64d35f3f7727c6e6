"""A browser for tests of pages, and what axe finds wrong with one."""

import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from local.stack import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WAIT_SECONDS = 20

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER and AXE.exists()),
    reason="needs a browser and npm: apt-get install chromium chromium-driver npm, make setup",
)


@contextmanager
def browser_in(folder: Path) -> Iterator[Chrome]:
    """Start a browser without a window that keeps its data in a folder."""
    options = ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--hide-scrollbars", "--window-size=1280,1500", f"--user-data-dir={folder}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options, Service(DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


def look(browser: Chrome, width: int, height: int, theme: str = "light") -> None:
    """Give the page a size and a colour scheme; narrow ones are phones."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait_for(browser: Chrome, selector: str, text: str = "") -> WebElement:
    """Wait until an element shows, with a text in it."""
    waiting = WebDriverWait(
        browser, WAIT_SECONDS, ignored_exceptions=[StaleElementReferenceException]
    )
    return waiting.until(
        lambda _: next(
            (
                each
                for each in browser.find_elements(By.CSS_SELECTOR, selector)
                if (each.text or each.is_displayed()) and text in each.text
            ),
            None,
        ),
        f"{selector} with {text!r} does not appear",
    )  # type: ignore[return-value]


def violations(
    browser: Chrome, impacts: Container[str] = ("minor", "moderate", "serious", "critical")
) -> list[str]:
    """Ask axe what is wrong, by WCAG 2.2 and by what it knows besides."""
    browser.execute_script(AXE.read_text())
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    return [
        f"{each['id']}: {node['html']}"
        for each in found["violations"]
        if each["impact"] in impacts
        for node in each["nodes"]
    ]
