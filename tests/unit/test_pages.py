"""What the pages link to and name is there."""

import re
from pathlib import Path

import pytest

from local.stack import ROOT

DOCS = ROOT / "docs"
BILLING = ROOT / "layers" / "billing" / "billing"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "benchmarks").glob("*.md"),
        ROOT / "tests" / "README.md",
    ]
)
NAMES = {
    file.name
    for folder in ("benchmarks", "cli", "functions", "layers", "local", "tests", "tools")
    for file in (ROOT / folder).rglob("*.py")
}
"""Of files that a page names without their folder."""
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
COMMON = set(
    "ACL API ASCII AWS CLI CNAME CPU DNS GET POST PUT DELETE HEAD HTML HTTP HTTPS JSON PDF PEM PNG "
    "BSD REST SVG TLS URL UTC XML README CHANGELOG CONTRIBUTING RESULTS ROLE NONE".split()
)
"""Words in capitals that every reader knows, and names of files and values."""
EXPLAINED = set("AAB CEFACT CVR HAC OVT PMD PMT SIREN".split())
"""What the page of one country or format explains where it stands."""
CURRENCIES = set("CZK DKK EUR HUF JPY PLN RON SEK USD".split())
TARGETS = {
    target
    for line in re.findall(r"^([\w./ -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in line.split()
}


def links_of(page: Path) -> set[Path]:
    """Find the files and folders of the project that a page links to."""
    links = (link.partition("#")[0] for link in LINK.findall(page.read_text()))
    return {(page.parent / link).resolve() for link in links if link and "://" not in link}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links_of(page) if not link.exists()] == []


def test_the_index_has_every_page() -> None:
    decisions = DOCS / "decisions"
    pages = {page for page in DOCS.rglob("*.md") if page.parent != decisions}

    assert pages - links_of(DOCS / "README.md") - {DOCS / "README.md"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_finds_its_heading(page: Path) -> None:
    missing = []
    for link in LINK.findall(page.read_text()):
        file, mark, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if mark and "://" not in link and target.suffix == ".md" and anchor not in anchors(target):
            missing.append(link)

    assert missing == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.+)$", FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_glossary_is_in_order_and_has_each_term_once() -> None:
    sections = (DOCS / "glossary.md").read_text().split("\n## ")[1:]
    terms = [re.findall(r"(?m)^- \*\*(.+?)\*\*", section) for section in sections]

    assert [sorted(each, key=str.casefold) for each in terms] == terms
    every = [term.casefold() for section in terms for term in section]
    assert len(every) == len(set(every)) > 100


def test_the_glossary_has_every_abbreviation_that_pages_use() -> None:
    known = set(re.findall(r"[A-Z0-9]{3,}", (DOCS / "glossary.md").read_text()))
    unknown = {
        (word, str(page.relative_to(ROOT)))
        for page in PAGES
        if page.parent.name != "decisions" and page.name != "CHANGELOG.md"
        for word in re.findall(r"(?<![\w-])[A-Z]{3,}(?![\w-])", prose(page))
        if word not in known | COMMON | EXPLAINED | CURRENCIES
    }

    assert unknown == set()


def prose(page: Path) -> str:
    """Return a page without code, and without the addresses of its links."""
    text = FENCED.sub("", page.read_text())
    return re.sub(r"`[^`]*`|\]\([^)]*\)|(?m:^ {4,}.*$)", "", text)


def test_the_index_of_decisions_has_every_decision_under_its_day() -> None:
    index = DOCS / "decisions" / "README.md"
    for page in index.parent.glob("*.md"):
        if page != index:
            day = page.name[:10]
            title, _, dated = page.read_text().split("\n", 3)[:3]
            row = f"| {day} | [{title.removeprefix('# ')}]({page.name}) |"
            assert row in index.read_text(), f"docs/decisions/README.md needs: {row}"
            assert dated.startswith(day), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_make_is_a_target(page: Path) -> None:
    commands = re.findall(r"(?:`|^\s*)make (?:--\S+ )?([a-z]\w*)", page.read_text(), re.MULTILINE)

    assert set(commands) <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text()):
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


def paths_of(page: Path) -> set[str]:
    """Find what a page names that looks like a file or a folder of the project."""
    text = page.read_text()
    quoted = re.findall(r"`((?:[\w.-]+/)*[\w.-]+(?:\.py|\.md|\.yaml|\.typ))(?:::\w+)?`", text)
    folders = re.findall(r"`((?:[a-z][\w-]*/)+(?:[\w.-]+\.\w+)?)`", text)
    listed = re.findall(r"^ {4,8}([a-z][\w/]*(?:\.py|/)) ", text, re.MULTILINE)
    return {*quoted, *folders, *listed}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    bases = (ROOT, page.parent, BILLING, BILLING.parent, ROOT / "tests")
    missing = {
        path
        for path in paths_of(page)
        if not any((base / path).exists() for base in bases) and ("/" in path or path not in NAMES)
    }

    assert missing == set()


def test_paths_are_found_in_quotes_and_in_lists() -> None:
    quoted, listed = {"dialects/registry.py", "einvoice/cii.py"}, {"domain/", "e2e/", "benchmarks/"}

    assert quoted | listed <= paths_of(ROOT / "CONTRIBUTING.md")
