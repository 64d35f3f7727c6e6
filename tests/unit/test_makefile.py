"""What macOS brings is enough: make 3.81, and the commands of BSD."""

import re
from pathlib import Path

import pytest

from local.stack import ROOT

MAKEFILES = [ROOT / "Makefile", *sorted((ROOT / "packaging").glob("*/Makefile"))]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

NEWER_MAKE = re.compile(
    r"^\.(?:ONESHELL|SHELLFLAGS|RECIPEPREFIX|EXTRA_PREREQS|NOTINTERMEDIATE|WAIT)\b"
    r"|^\s*(?:undefine|private|load)\s|:\s*private\s"
    r"|^[\w.]+\s*(?:!|::|:::)=|^define\s+\S+\s*[:?+!]?=|&:"
    r"|\$\((?:file|guile|let|intcmp)\s|--output-sync|--shuffle",
    re.MULTILINE,
)
"""What came with make 3.82 or later."""
GNU_ONLY = re.compile(
    r"\b(?:sed (?:-\w+ )*(?:-i|-r)\b|date (?:-u )?(?:-d|--date)|readlink -f|xargs -r|grep -\w*P"
    r"|stat -c|cp --|timeout \d|setsid |tac\b|base64 -w|head -n -|/proc/self)"
)
"""What commands of BSD do not have, or take in another way."""


@pytest.mark.parametrize("makefile", MAKEFILES, ids=lambda each: str(each.relative_to(ROOT)))
def test_make_3_81_reads_it(makefile: Path) -> None:
    assert NEWER_MAKE.findall(makefile.read_text()) == []


@pytest.mark.parametrize("file", [*MAKEFILES, *PAGES], ids=lambda each: str(each.relative_to(ROOT)))
def test_commands_are_those_of_bsd_too(file: Path) -> None:
    assert GNU_ONLY.findall(file.read_text()) == []


@pytest.mark.parametrize(
    "line", [".ONESHELL:", "A != date", "A ::= b", "define A =", "a b &: c", "x: private Y = 1"]
)
def test_what_came_later_is_found(line: str) -> None:
    assert NEWER_MAKE.search(line)
