"""The pages that `/docs` shows beside the reference tell what the code does."""

import json
import re
import runpy
from decimal import Decimal
from pathlib import Path

from billing.api.errors import status_of
from billing.dialects.v3 import NUMBERS
from billing.domain.money import Money
from local.stack import ROOT
from tools import openapi, pages
from tools.failures import EXAMPLES, NEVER_ANSWERED

DOCS = ROOT / "docs"


def test_what_is_served_is_what_the_pages_say() -> None:
    assert pages.FILE.read_text() == pages.text(), "run `make docs`"


def test_their_links_lead_to_one_another_or_to_papers_on_the_web() -> None:
    links = re.findall(r"\]\(([^)]*)\)", pages.FILE.read_text())

    here = {each for each in links if not each.startswith("https://")}
    headings = {f"#description/{each}" for each in _headings()}
    assert here <= {f"#/{name}" for name in pages.GUIDES} | headings


def test_each_heading_has_an_address_of_its_own() -> None:
    headings = _headings()

    assert sorted(headings) == sorted(set(headings))
    assert set(pages.GUIDES) <= set(headings)


def test_a_page_can_hold_them() -> None:
    assert "</script" not in pages.FILE.read_text().lower()


def test_every_code_has_an_example_but_those_that_no_client_meets() -> None:
    assert EXAMPLES.keys() == NUMBERS.keys() - NEVER_ANSWERED


def test_every_code_says_when_it_comes_and_what_to_do() -> None:
    page = (DOCS / "errors.md").read_text()
    rows = re.findall(r"(?m)^\| `([A-Z_]+)` \| (\d+) \| (\d+) \| (.+?) \| (.+?) \|$", page)

    told = {code: (int(status), int(number)) for code, status, number, _, _ in rows}
    assert told == {code: (status_of(each), NUMBERS[code]) for code, each in EXAMPLES.items()}
    assert len(rows) == len(told)
    assert [row for row in rows if min(len(row[3]), len(row[4])) < 10] == []


def test_every_external_id_stands_on_the_page_of_retries() -> None:
    schemas = json.loads(openapi.FILE.read_text())["components"]["schemas"]
    fields = {
        field
        for name, schema in schemas.items()
        if name.endswith("RequestDTO") or name == "ConsumptionDTO"
        for field in schema.get("properties", {})
        if openapi.EXTERNAL_ID.fullmatch(field)
    }

    page = (DOCS / "retries.md").read_text()
    assert len(fields) >= 10
    assert set(re.findall(r"`(external_\w+_unique_id)`", page)) == fields


def test_the_page_of_paging_knows_the_bounds() -> None:
    whole = json.loads(openapi.FILE.read_text())
    limits = {
        (schema["minimum"], schema["maximum"], schema["default"])
        for _, _, operation in openapi.operations(whole)
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "limit" and (schema := parameter["schema"])
    }

    [(least, most, usual)] = limits
    said = f"`limit` is the largest number of rows, {least} to {most}, by default {usual}."
    assert said in (DOCS / "paging.md").read_text()


def test_the_page_of_money_computes_as_the_documents_do() -> None:
    page = (DOCS / "money.md").read_text()
    rows = re.findall(r"(?m)^\| (\S+) × (\S+) \| (\d+) % \| (\S+) \| (\S+) \| (\S+) \|$", page)

    assert len(rows) == 2
    for quantity, price, rate, net, tax, gross in rows:
        line = Money.rounded(Decimal(quantity) * Decimal(price), "EUR")
        charged = Money.rounded(line.major * Decimal(rate) / 100, "EUR")
        assert (line.major, charged.major) == (Decimal(net), Decimal(tax))
        assert line.major + charged.major == Decimal(gross)


def test_the_program_on_the_page_of_money_holds(tmp_path: Path) -> None:
    page = (DOCS / "money.md").read_text()
    [program] = re.findall(r"(?s)```python\n(.*?)```", page)
    (tmp_path / "money.py").write_text(program)

    runpy.run_path(str(tmp_path / "money.py"))


def _headings() -> list[str]:
    """Return the addresses of headings, as GitHub and the viewer make them."""
    prose = re.sub(r"(?ms)^```.*?^```", "", pages.FILE.read_text())
    headings = re.findall(r"(?m)^#{1,3} (.+)$", prose)
    return [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
