"""Growth: what operations cost in a large account and in a small one."""

import time
from collections.abc import Iterator
from itertools import islice, repeat

from benchmarks import lists
from benchmarks.accounts import ACCOUNT, issue, many, new_refunds, page, set_up, with_body
from benchmarks.figures import how_many, milliseconds, ratio, table
from benchmarks.workers import Json, Worker, Workers, called_in_turns

LARGE_ACCOUNT = "120000"
UNPAID_EVERY = 4
"""In the large account, one of so many invoices is unpaid; the others come to nothing."""


def measure(workers: Workers, run: str) -> str:
    """Write the section about growth."""
    of_lists = lists.measure(workers, run)
    size, rounds = how_many("LARGE", 3000), how_many("WARM_ROUNDS", 60)
    small, large = (f"bench-small-{run}", ACCOUNT), (f"bench-large-{run}", LARGE_ACCOUNT)
    invoices, refunds = workers.of("Invoices"), workers.of("Refunds")
    for of in (small, large):
        set_up(workers, *of)
    issue(invoices, small[0], 10)
    began = time.monotonic()
    _fill(invoices, *large, size)
    filling = time.monotonic() - began

    def pages(name: str, *starts: int) -> tuple[Worker, int, list[Iterator[Json]]]:
        made = [page(large[0], start, 25, large[1], name) for start in starts]
        return invoices, 200, [repeat(each) for each in made]

    deep, unpaid = size * 5 // 6, size * 5 // 6 // UNPAID_EVERY
    operations = {
        "page of 25, start 0": pages("invoices_list", 0, deep),
        "page of 25, start 25": pages("invoices_list", 25, deep),
        "page of 25 unpaid, start 0": pages("invoices_list_unpaid", 0, unpaid),
        "issue invoice": (invoices, 201, [many("invoices_create", *of) for of in (small, large)]),
        "create refund": (refunds, 201, [new_refunds(workers, *of) for of in (small, large)]),
    }
    rows = []
    for name, (worker, status, requests) in operations.items():
        near, far = called_in_turns([(worker, each) for each in requests], rounds, status)
        cpu, asked = ratio(far, near, "cpu"), [calls[0].requests for calls in (near, far)]
        times = [milliseconds(calls) for calls in (near, far)]
        both = [asked[0], asked[1] if asked[1] != asked[0] else "the same"]
        goal = cpu.verdict(1.1) if "page" in name else ""
        rows.append([name, *times, cpu.text(), ratio(far, near, "wall").text(), *both, goal])

    head = ["", "near", "far", "CPU, far / near", "wall, far / near"]
    head += ["requests, near", "requests, far", "goal"]
    return f"""## Growth

Pages: at start 0 and 25 beside start {deep:,} (unpaid: 0 beside {unpaid:,}) of an
account of {size:,} invoices, of which every fourth is unpaid (issued in {filling:.0f} s). Writes:
in an account of 10 beside that one.

{table(head, rows)}
{of_lists}"""


def _fill(invoices: Worker, org_id: str, account_id: str, size: int) -> None:
    """Issue invoices, most of which come to nothing and so are settled at once."""
    line = {"description": "Nada", "quantity": 1, "unit_price": 0}
    requests = many("invoices_create", org_id, account_id, "fill")
    for number, request in enumerate(islice(requests, size)):
        unpaid = number % UNPAID_EVERY == 0
        invoices(request if unpaid else with_body(request, lines=[line]), expect=201)
