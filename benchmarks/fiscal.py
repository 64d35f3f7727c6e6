"""
Fiscal records: what they cost an invoice, and how long a message to Spain's tax agency takes.

A message is 1,000 records, as they are kept. Invoices and credit notes are those of two orgs, in
turns: one declares its documents, the other does not.
"""

from datetime import UTC, datetime
from time import perf_counter

from benchmarks.accounts import event, many, many_of_invoices, set_up, with_body
from benchmarks.figures import Figure, how_many, milliseconds, ratio, table
from benchmarks.workers import Workers, called_in_turns
from billing.domain.fiscal_sending import AT_ONCE
from billing.verifactu.agency import TaxAgency
from tests.integration.fiscal import Books, Time

ROUNDS = 11
GOAL_MS = 1000
GOAL_RATIO = 1.15


class Watch:
    """A line that nobody is at the end of: it notes when a message is ready."""

    def __init__(self) -> None:
        self.at, self.size = 0.0, 0

    def post(self, message: bytes) -> bytes:
        self.at, self.size = perf_counter(), len(message)
        raise TimeoutError


def measure(workers: Workers, run: str) -> str:
    """Write the section about fiscal records."""
    return f"## Fiscal records\n\n{_documents(workers, run)}\n{_message()}"


def _documents(workers: Workers, run: str) -> str:
    """Compare documents that are declared with others, round by round."""
    rounds, invoices = how_many("WARM_ROUNDS", 200), workers.of("Invoices")
    declared, other = orgs = [f"bench-{name}-{run}" for name in ("declared", "other")]
    for org_id in orgs:
        set_up(workers, org_id)
    # A taxpayer has each series once: each run has its own.
    letters = run[:7].translate(str.maketrans("0123456789abcdef", "ABCDEFGHIJKLMNOP"))
    series = {"invoice_series": f"F{letters}", "credit_series": f"R{letters}"}
    put = with_body(event("billing_info_put_org", declared), fiscal_regime="VERIFACTU", **series)
    workers.of("BillingInfo")(put, expect=204)
    rows = []
    for name, requests in {
        "issue invoice": [many("invoices_create", each) for each in (declared, other)],
        "credit note": [many_of_invoices("invoices_credit", each) for each in (declared, other)],
    }.items():
        turns = [(invoices, each) for each in requests]
        ours, others = called_in_turns(turns, rounds, expect=201)
        beside, asked = ratio(ours, others, "cpu"), [ours[0].requests, others[0].requests]
        same = "the same" if asked[0] == asked[1] else asked[1]
        times = [milliseconds(calls) for calls in (ours, others)]
        rows.append([name, *times, beside.text(), beside.verdict(GOAL_RATIO), asked[0], same])
    head = ["CPU of one call", "declared", "other", "declared / other", "goal"]
    return table([*head, "requests, declared", "requests, other"], rows)


def _message() -> str:
    """Measure how long a message takes to be written."""
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
        "| | ms | goal |\n|---|--:|---|\n"
        f"| {AT_ONCE:,} records become a message of {watch.size / 1e6:.1f} MB | {figure.text()} | "
        f"{figure.verdict(GOAL_MS)} |\n"
    )
