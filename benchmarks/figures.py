"""Figures: what was measured in turns as medians with their quartiles, compared round by round."""

import os
from collections.abc import Callable, Sequence
from statistics import median, quantiles
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """What was measured again and again: the median, and the quartiles beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        low, _, high = quantiles(values, n=4, method="inclusive") if values[1:] else [*values] * 3
        return cls(median(values), low, high)

    def text(self, digits: int = 2, unit: str = "") -> str:
        return (
            f"{self.median:,.{digits}f}{unit} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"
        )

    def verdict(self, limit: float, *, at_least: bool = False) -> str:
        """Compare with a goal: at most so much, or with `at_least` at least so much."""
        sign, off = "≥" if at_least else "≤", self.median / limit - 1
        if off >= 0 if at_least else off <= 0:
            return f"{sign} {limit:g}: met"
        return f"{sign} {limit:g}: **missed** by {max(abs(off), 0.01):.0%}"


def how_many(name: str, default: int) -> int:
    """Return a number that the environment may change."""
    return int(os.environ.get(name, default))


def in_turns[T](
    steps: Sequence[Callable[[], T]], rounds: int, *, warm_up: int = 1
) -> list[list[T]]:
    """
    Take one step after the other, again and again; return what each came to, round by round.

    So what else the machine does counts for all alike. The rounds to warm up count for none.
    """
    turns = [[step() for step in steps] for _ in range(warm_up + rounds)]
    return [list(of_one) for of_one in zip(*turns[warm_up:], strict=True)]


def figure(measured: Sequence[Any], what: str) -> Figure:
    """Take one figure, `cpu` or `wall`, of all that was measured."""
    return Figure.of([getattr(each, what) for each in measured])


def milliseconds(measured: Sequence[Any], what: str = "cpu", digits: int = 2) -> str:
    return figure(measured, what).text(digits, " ms")


def ratio(measured: Sequence[Any], others: Sequence[Any], what: str) -> Figure:
    """Compare round by round."""
    pairs = zip(measured, others, strict=True)
    return Figure.of([getattr(one, what) / getattr(other, what) for one, other in pairs])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of Markdown, the first column to the left and all others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
