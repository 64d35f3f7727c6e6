"""The hostile client, for a minute at most on a quiet machine; `make attack` goes on for longer."""

from typing import Any

from tests.e2e.attack import attack

SEED = 13
SECONDS = 30
"""No new story begins after that; the one that is told then takes 10 to 15 s on a quiet machine."""


def test_all_comes_out_as_it_must(stack: dict[str, Any], aws: None) -> None:
    failed = attack(stack["base_url"], SEED, SECONDS, print)

    assert failed is None, failed
