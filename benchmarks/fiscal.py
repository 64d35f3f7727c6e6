"""
How long a message to Spain's tax agency takes to be written: 1,000 fiscal records, as kept.

    PYTHONPATH=.:layers/billing:cli python -m benchmarks.fiscal
"""

from datetime import UTC, datetime
from time import perf_counter

from benchmarks.figures import Figure
from billing.domain.fiscal_sending import AT_ONCE
from billing.verifactu.agency import TaxAgency
from tests.integration.fiscal import Books, Time

ROUNDS = 11
GOAL_MS = 1000


class Watch:
    """A line that nobody is at the end of: it notes when a message is ready."""

    def __init__(self) -> None:
        self.at, self.size = 0.0, 0

    def post(self, message: bytes) -> bytes:
        self.at, self.size = perf_counter(), len(message)
        raise TimeoutError


def measure() -> str:
    """Return the section about fiscal records."""
    books = Books(Time(datetime(2026, 11, 26, 10, tzinfo=UTC)))
    books.issue(AT_ONCE)
    watch, taken = Watch(), []
    for _ in range(ROUNDS):
        began = perf_counter()
        try:
            TaxAgency(watch).submit(books.records, late=False)
        except TimeoutError:
            taken.append((watch.at - began) * 1000)
    figure = Figure.of(taken)
    return (
        "## Fiscal records\n\n| | ms | goal |\n|---|--:|---|\n"
        f"| {AT_ONCE:,} records become a message of {watch.size / 1e6:.1f} MB | {figure.text()} | "
        f"{figure.verdict(GOAL_MS)} |\n"
    )


if __name__ == "__main__":
    print(measure())
