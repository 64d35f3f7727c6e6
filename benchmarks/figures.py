"""Figures: medians with their spread, and ratios of what was measured side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True)
class Figure:
    """What was measured again and again: the median, and the quartiles beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high)

    @classmethod
    def ratio(cls, values: Sequence[float], others: Sequence[float]) -> "Figure":
        """Compare round by round, so that what else the machine does counts for both."""
        return cls.of([value / other for value, other in zip(values, others, strict=True)])

    def text(self, digits: int = 1, unit: str = "") -> str:
        return (
            f"{self.median:,.{digits}f}{unit} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"
        )


@dataclass(frozen=True)
class Goal:
    """What a figure was meant to be: at most, or with `at_least` at least, so much."""

    limit: float
    at_least: bool = False

    def verdict(self, figure: Figure) -> str:
        sign = "≥" if self.at_least else "≤"
        met = figure.median >= self.limit if self.at_least else figure.median <= self.limit
        if met:
            return f"{sign} {self.limit:g}: met"
        off = abs(figure.median / self.limit - 1)
        return f"{sign} {self.limit:g}: **missed** by {max(off, 0.01):.0%}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of Markdown, the first column to the left and all others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
