"""A minute of the hostile client; `make attack` goes on for ten."""

from typing import Any

from tests.e2e.attack import attack

SEED = 13
SECONDS = 30
"""No new story begins after that; the one that is told then takes as long again."""


def test_all_comes_out_as_it_must(stack: dict[str, Any], aws: None) -> None:
    failed = attack(stack["base_url"], SEED, SECONDS, print)

    assert failed is None, failed
