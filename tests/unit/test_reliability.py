"""docs/reliability.md names what holds each invariant, and tests/planted.py a bug for each."""

import re

from local.stack import ROOT
from tests.planted import BUGS

INVARIANTS = [*range(1, 19)]
ROWS = re.findall(r"^\| (\d+) \|.*\| (.*?) \|$", (ROOT / "docs/reliability.md").read_text(), re.M)


def test_every_invariant_has_a_test_and_a_bug_that_it_catches() -> None:
    assert [int(number) for number, _ in ROWS] == INVARIANTS
    assert {int(number): set(re.findall(r"`(.+?)`", tests)) for number, tests in ROWS} == {
        number: {bug.test for bug in BUGS if bug.invariant == number} for number in INVARIANTS
    }


def test_every_bug_can_be_planted_and_its_test_is_there() -> None:
    for bug in BUGS:
        assert (ROOT / bug.file).read_text().count(bug.old) == 1, bug.what
        file, _, function = bug.test.partition("::")
        assert f"def {function or 'test_'}" in (ROOT / file).read_text(), bug.test
