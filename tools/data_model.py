"""
Writes the page of the data model: every item of every table.

    python -m tools.data_model    write docs/data-model.md

The modules of billing/persistence/ open with the items they keep, under a line that begins with
`pk  sk`. Items belong to the table that has the module's name, to the one that the first paragraph
names ("in the accounts' table"), or, below a line that says so, to that one.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from local.stack import ROOT

FILE = ROOT / "docs" / "data-model.md"
PERSISTENCE = ROOT / "layers" / "billing" / "billing" / "persistence"
ANY = "any"
"""The table of items that are kept in whichever table has the thing they are about."""

IN_A_TABLE = re.compile(r"in the ([a-z ]+)' table\b")
HEADER = re.compile(r"( +)pk +sk +what")
INTRODUCTION = """\
# Data model

Every item of every table, as the modules of [persistence](../layers/billing/billing/persistence)
describe it in their first lines. `make docs` writes this page from them, and a test compares.

Angle brackets stand for a value; everything else is written as it is. A partition key begins with
its kind, followed by the org it belongs to, and no value may contain `#`, so that two keys of
different orgs are never alike. What belongs together is written in one transaction, as
[reliability.md](reliability.md) describes. How many requests each operation makes is in
[requests.md](requests.md), and what the indexes cost in [costs.md](costs.md).
"""


@dataclass
class Item:
    """A kind of item: its keys, and what it is."""

    table: str
    pk: str
    sk: str
    what: str


@dataclass(frozen=True)
class Module:
    """A module of persistence/ that opens with items."""

    name: str
    title: str
    items: tuple[Item, ...]
    notes: tuple[str, ...]


def modules() -> Iterator[Module]:
    """Read all modules that open with items."""
    for path in sorted(PERSISTENCE.glob("*.py")):
        paragraphs = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")
        tables = [paragraph for paragraph in paragraphs if HEADER.match(paragraph)]
        if tables:
            title = " ".join(paragraphs[0].split())
            named = IN_A_TABLE.search(title)
            own = ANY if "table of the thing" in " ".join(paragraphs) else path.stem
            yield Module(
                path.stem,
                title,
                tuple(
                    item
                    for table in tables
                    for item in _items(table, named[1].replace(" ", "_") if named else own)
                ),
                tuple(
                    " ".join(paragraph.split())
                    for paragraph in paragraphs[1:]
                    if paragraph not in tables
                ),
            )


def _items(text: str, table: str) -> list[Item]:
    """Read the items below a header; a column that is left empty goes on with the one above."""
    header, *lines = text.splitlines()
    first, second, third = (header.index(name) for name in ("pk", "sk", "what"))
    items: list[Item] = []
    for line in lines:
        pk, sk, what = line[first:second].strip(), line[second:third].strip(), line[third:].strip()
        if elsewhere := IN_A_TABLE.fullmatch(line.strip()):
            table = elsewhere[1].replace(" ", "_")
        elif items and not pk and (not sk or items[-1].sk.endswith("#")):
            items[-1].sk += sk
            items[-1].what += f" {what}"
        else:
            items.append(Item(table, pk or items[-1].pk, sk, what))
    return items


def text() -> str:
    """Write the page as the file has it."""
    found = list(modules())
    tables = sorted({item.table for module in found for item in module.items} - {ANY})
    return "\n".join([INTRODUCTION, *(_section(table, found) for table in [*tables, ANY])])


def _section(table: str, found: list[Module]) -> str:
    title = f"{table.replace('_', ' ').capitalize()} table"
    lines = [f"## {title}", ""]
    for module in found:
        items = [item for item in module.items if item.table == table]
        if items:
            path = f"../layers/billing/billing/persistence/{module.name}.py"
            lines += [f"[{module.name}.py]({path}): {module.title}", ""]
            lines += ["| pk | sk | what |", "|---|---|---|"]
            lines += [f"| `{item.pk}` | `{item.sk}` | {item.what} |" for item in items]
            lines += [""]
            if items[0] is module.items[0]:
                lines += [line for note in module.notes for line in (note, "")]
    return "\n".join(lines)


def main() -> int:
    """Write the file."""
    FILE.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
