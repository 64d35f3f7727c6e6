"""Growth: what operations cost in a large account and in a small one."""

import time
from collections.abc import Iterator, Sequence
from itertools import repeat

import boto3

from benchmarks.accounts import (
    ACCOUNT,
    issue,
    new_invoices,
    new_movement,
    new_refunds,
    page,
    set_up,
    with_body,
)
from benchmarks.figures import figure, ratio, table
from benchmarks.workers import Json, Worker, Workers, in_turns

LARGE_ACCOUNT = "120000"
UNPAID_EVERY = 4
"""In the large account, one of so many invoices is unpaid; the others come to nothing."""
UNPAID = "invoices_list_unpaid"


def measure(workers: Workers, run: str, rounds: int, size: int) -> str:
    """Write the section about growth."""
    small, large = (f"bench-small-{run}", ACCOUNT), (f"bench-large-{run}", LARGE_ACCOUNT)
    billing_info, invoices = workers.start("BillingInfoFunction"), workers.start("InvoicesFunction")
    movements, refunds = workers.start("MovementsFunction"), workers.start("RefundsFunction")
    for org_id, account_id in (small, large):
        set_up(billing_info, org_id, account_id)
    issue(invoices, small[0], 10)
    began = time.monotonic()
    _fill(invoices, *large, size)
    filling = time.monotonic() - began
    _wait_for_pdfs(workers.settings["DOCUMENTS_BUCKET"])

    def compare(
        name: str, worker: Worker, requests: Sequence[Iterator[Json]], status: int
    ) -> list[str]:
        near, far = in_turns([(worker, each) for each in requests], rounds, status)
        cpu, asked = ratio(far, near, "cpu"), (near[0].requests, far[0].requests)
        return [
            name,
            figure(near, "cpu").text(2, " ms"),
            figure(far, "cpu").text(2, " ms"),
            cpu.text(2),
            ratio(far, near, "wall").text(2),
            asked[0],
            asked[1] if asked[1] != asked[0] else "the same",
            cpu.verdict(1.1) if "page" in name else "",
        ]

    deep = size * 5 // 6
    pages = {
        "page of 25, start 0": (0, deep, "invoices_list"),
        "page of 25, start 25": (25, deep, "invoices_list"),
        "page of 25 unpaid, start 0": (0, deep // UNPAID_EVERY, UNPAID),
    }
    grown = []
    for name, (near, far, list_) in pages.items():
        requests = [repeat(page(large[0], start, 25, large[1], list_)) for start in (near, far)]
        grown.append(compare(name, invoices, requests, 200))
    accounts = (small, large)
    issued = [new_invoices(org_id, account_id, "growth") for org_id, account_id in accounts]
    grown.append(compare("issue invoice", invoices, issued, 201))
    refunded = [
        new_refunds(org_id, new_movement(movements, org_id, account_id), account_id)
        for org_id, account_id in accounts
    ]
    grown.append(compare("create refund", refunds, refunded, 201))

    head = ["", "near", "far", "CPU, far / near", "wall, far / near"]
    head += ["requests, near", "requests, far", "goal"]
    return f"""## Growth

Pages: at start 0 and 25 beside start {deep:,} (unpaid: 0 beside {deep // UNPAID_EVERY:,}) of an
account of {size:,} invoices, of which every fourth is unpaid (issued in {filling:.0f} s). Writes:
in an account of 10 beside that one.

{table(head, grown)}"""


def _fill(invoices: Worker, org_id: str, account_id: str, size: int) -> None:
    """Issue invoices, most of which come to nothing and so are settled at once."""
    line = {"description": "Nada", "quantity": 1, "unit_price": 0}
    for number, request in zip(range(size), new_invoices(org_id, account_id, "fill"), strict=False):
        unpaid = number % UNPAID_EVERY == 0
        invoices(request if unpaid else with_body(request, lines=[line]), expect=201)


def _wait_for_pdfs(bucket: str) -> None:
    """Wait until no more PDFs are made of what was issued, as that keeps a processor busy."""
    pages, before = boto3.client("s3").get_paginator("list_objects_v2"), -1
    while (now := sum(page["KeyCount"] for page in pages.paginate(Bucket=bucket))) > before:
        before = now
        time.sleep(2)
