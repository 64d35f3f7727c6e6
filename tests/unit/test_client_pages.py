"""The pages that `/docs` shows beside the reference tell what the code does."""

import json
import re

from billing.api.errors import status_of
from billing.dialects.v3 import NUMBERS
from local.stack import ROOT
from tools import openapi, pages
from tools.failures import EXAMPLES, NEVER_ANSWERED

DOCS = ROOT / "docs"


def test_what_is_served_is_what_the_pages_say() -> None:
    assert pages.FILE.read_text() == pages.text(), "run `make docs`"


def test_their_links_stay_among_them() -> None:
    links = set(re.findall(r'href="([^"]*)"', pages.FILE.read_text()))

    assert links <= {f"#/{name}" for name in pages.PAGES}


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
