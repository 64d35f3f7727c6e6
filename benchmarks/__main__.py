"""
Measures cold starts, warm calls, growth and billing runs, and writes RESULTS.md.

    make bench                     everything, against a fresh local stack
    make bench BENCH="warm growth" some of it

Whatever is compared is measured in turns, in one run, on one machine; ratios are taken round by
round. Times are of this machine and say little; ratios say more.
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from uuid import uuid4

from benchmarks import artifacts, billing_runs, cold, growth, likeness, warm
from benchmarks.accounts import event, fill, issue, new_invoices, page, set_up, with_body
from benchmarks.accounts import rows as rows_of_account
from benchmarks.artifacts import WEASYPRINT
from benchmarks.figures import Figure, Goal, table
from benchmarks.large_table import LargeTable, served
from benchmarks.workers import Worker, worker
from local import deploy
from local.stack import ROOT, Stack, from_environment, step

RESULTS = Path(__file__).with_name("RESULTS.md")
SECTIONS = ("cold", "warm", "growth", "runs", "documents")
COLD_ROUNDS = int(os.environ.get("COLD_ROUNDS", "11"))
EACH_FUNCTION_ROUNDS = int(os.environ.get("EACH_FUNCTION_ROUNDS", "3"))
WARM_ROUNDS = int(os.environ.get("WARM_ROUNDS", "60"))
LARGE = int(os.environ.get("LARGE", "120000"))
RUN_ACCOUNTS = int(os.environ.get("RUN_ACCOUNTS", "100"))

STARTS = ["CPU", "wall", "CPU, no page cache", "wall, no page cache"]
"""What is measured of a cold start."""

RUN = uuid4().hex[:8]
"""Names the orgs of this run, so that a stack can be measured twice."""

SMALL_ACCOUNT, LARGE_ACCOUNT = "100001", "120000"
FIRST_EVENTS = {
    "AuditFunction": "audit_lane",
    "BillAccountsFunction": "bill_accounts_batch",
    "BillingInfoFunction": "billing_info_get_account",
    "BillingRunFunction": "billing_run_get",
    "ConsumptionsFunction": "consumptions_list",
    "DispatchBillingFunction": "dispatch_billing_daily",
    "DocumentsFunction": "documents_make",
    "FrontFunction": "front_openapi",
    "InvoicesFunction": "invoices_get",
    "LocationTaxFunction": "location_tax_list",
    "MovementsFunction": "movements_list",
    "RefundsFunction": "refunds_get",
    "TokensFunction": "tokens_list",
}
"""What each function is first asked for: a read, where it has one."""


def main() -> int:
    wanted = sys.argv[1:] or list(SECTIONS)
    began = time.monotonic()
    stack = from_environment()
    settings = _point_at(stack)
    with step("bench", "the runtime, the twin, the bare handler"):
        artifacts.prepare()
    sections = {
        "cold": _cold,
        "warm": _warm,
        "growth": _growth,
        "runs": _runs,
        "documents": _documents,
    }
    parts = [_introduction()]
    for name in wanted:
        with step("bench", name):
            parts.append(sections[name](settings))
    parts.append(f"Taken in {(time.monotonic() - began) / 60:.0f} minutes.\n")
    text = "\n".join(parts)
    print(f"\n{text}")
    if not sys.argv[1:]:
        RESULTS.write_text(text)
    return 0


def _introduction() -> str:
    return f"""# Results

Written by `make bench`. Medians, quartiles in brackets; ratios are taken round by round, of what
was measured in turns. The twin is FastAPI, Mangum and boto3's resource on the same tables, with the
same answers byte for byte and the same items written (`benchmarks/twin`); AWS is the local
emulator, at the other end of loopback. CPU is that of the function's process alone. The twin counts
before it reads a page, as we do but for the first page, which we read in one request: start 25
compares the same requests.

Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} \
processors.
"""


# ---------------------------------------------------------------- cold


def _cold(settings: Mapping[str, str]) -> str:
    org_id = f"bench-cold-{RUN}"
    with worker(artifacts.function("BillingInfoFunction"), settings) as billing_info:
        set_up(billing_info, org_id)
    with worker(artifacts.function("InvoicesFunction"), settings) as invoices:
        issue(invoices, org_id, 1)

    ours, twin, bare = artifacts.function("InvoicesFunction"), artifacts.twin(), artifacts.bare()
    get = event("invoices_get", org_id)
    compared = [ours, twin, bare, artifacts.without_byte_code(ours), artifacts.twin_as_sources()]
    cached = cold.in_turns([(each, get) for each in compared], settings, COLD_ROUNDS)
    if cached[0][0].answer["body"] != cached[1][0].answer["body"]:
        raise RuntimeError("The twin answers otherwise")
    uncached = cold.in_turns(
        [(each, get) for each in compared], settings, max(2, COLD_ROUNDS // 2), page_cache=False
    )
    rows = [
        [
            each.name,
            Figure.of([start.cpu for start in starts]).text(0, " ms"),
            Figure.of([start.wall for start in starts]).text(0, " ms"),
            Figure.of([start.cpu for start in no_cache]).text(0, " ms"),
            Figure.of([start.wall for start in no_cache]).text(0, " ms"),
        ]
        for each, starts, no_cache in zip(compared, cached, uncached, strict=True)
    ]

    def against(place: int, limit: float) -> list[str]:
        cpu = Figure.ratio([s.cpu for s in cached[0]], [s.cpu for s in cached[place]])
        wall = Figure.ratio([s.wall for s in cached[0]], [s.wall for s in cached[place]])
        disk = Figure.ratio([s.wall for s in uncached[0]], [s.wall for s in uncached[place]])
        goal = Goal(limit)
        return [cpu.text(2), wall.text(2), disk.text(2), goal.verdict(cpu)]

    ratios = [
        ["of the bare handler", *against(2, 1.25)],
        ["of the twin, compiled as ours", *against(1, 0.5)],
        ["of the twin as stock `sam build` leaves it", *against(4, 0.5)],
        ["of ourselves without byte code", *against(3, 0.5)[:3], ""],
    ]
    profile = cold.profile(ours, settings, COLD_ROUNDS)
    parts = [[part, Figure.of(times).text(0, " ms")] for part, times in profile.items()]

    names = [name for name in artifacts.functions() if name in FIRST_EVENTS]
    each = [(artifacts.function(name), event(FIRST_EVENTS[name], org_id)) for name in names]
    beside = [*each, (bare, get), (twin, get)]
    starts = cold.in_turns(beside, settings, EACH_FUNCTION_ROUNDS)
    no_caches = cold.in_turns(each, settings, EACH_FUNCTION_ROUNDS, page_cache=False)
    *of_functions, of_bare, of_twin = starts
    functions = [
        [
            name,
            Figure.of([start.cpu for start in of_function]).text(0, " ms"),
            Figure.of([start.wall for start in of_function]).text(0, " ms"),
            Figure.of([start.cpu for start in no_cache]).text(0, " ms"),
            Figure.of([start.wall for start in no_cache]).text(0, " ms"),
            Figure.ratio([s.cpu for s in of_function], [s.cpu for s in of_bare]).text(2),
            Figure.ratio([s.cpu for s in of_function], [s.cpu for s in of_twin]).text(2),
        ]
        for name, of_function, no_cache in zip(names, of_functions, no_caches, strict=True)
    ]
    return f"""## Cold: from the start of the runtime client to the first answered GET of an invoice

{table(["", *STARTS], rows)}
{table(["ours as a part", "CPU", "wall", "wall, no page cache", "goal"], ratios)}
Where the processor's time goes, each part on top of those before it:

{table(["", "CPU"], parts)}
Botocore and its client alone are what the bare handler is; pydantic and Powertools come before the
first line of ours. Each function, with its first request:

{table(["", *STARTS, "CPU, of bare", "of the twin"], functions)}"""


# ---------------------------------------------------------------- warm


def _warm(settings: Mapping[str, str]) -> str:
    org_id = f"bench-warm-{RUN}"
    orgs = f"bench-ours-{RUN}", f"bench-twin-{RUN}"
    with ExitStack() as open_workers:
        start = partial(_start, open_workers, settings)
        billing_info, invoices = start("BillingInfoFunction"), start("InvoicesFunction")
        for each in (org_id, *orgs):
            set_up(billing_info, each)
        issue(invoices, org_id, 100)
        twin, twin_of_refunds = (
            open_workers.enter_context(worker(each, settings))
            for each in (artifacts.twin(), artifacts.twin_of_refunds())
        )
        pair = warm.Pair(invoices, twin)
        refunds = warm.Pair(start("RefundsFunction"), twin_of_refunds)
        likeness.wait_for_pdf(org_id, SMALL_ACCOUNT, 100)
        compared = warm.reads(pair, org_id, WARM_ROUNDS)
        compared += warm.writes(pair, refunds, start("MovementsFunction"), orgs, WARM_ROUNDS)
    goals = {"invoice by id": Goal(0.7), "page of 25, start 0": Goal(0.4)}
    rows = [
        [
            each.name,
            each.ours.text(2, " ms"),
            f"{each.botocore.median:.0%}",
            each.twin.text(2, " ms"),
            each.ratio.text(2),
            goals[each.name].verdict(each.ratio) if each.name in goals else "",
        ]
        for each in compared
    ]
    head = ["CPU of one call", "ours", "botocore's part of it", "twin", "ours / twin", "goal"]
    return f"""## Warm: one call, AWS included

{table(head, rows)}"""


# ---------------------------------------------------------------- growth

LIMITS = {
    "invoice by id": ("1 read", 1),
    "invoice by number": ("2 reads", 2),
    "list page": ("2 reads", 2),
    "unpaid page": ("2 reads", 2),
    "v2 range": ("1 read + 1 a MB", 2),
    "create movement": ("1 read + 1 transaction", 2),
    "create refund": ("1 read + 1 transaction", 2),
    "issue invoice": ("2 reads + 1 transaction", 3),
    "a token not read before": ("1 read", 1),
}
"""What operations may ask of AWS: in words, and how many requests that is."""


def _growth(settings: Mapping[str, str]) -> str:
    small, large = (f"bench-small-{RUN}", SMALL_ACCOUNT), (f"bench-large-{RUN}", LARGE_ACCOUNT)
    with ExitStack() as open_workers:
        start = partial(_start, open_workers, settings)
        billing_info, invoices = start("BillingInfoFunction"), start("InvoicesFunction")
        movements, refunds = start("MovementsFunction"), start("RefundsFunction")
        for org_id, account_id in (small, large):
            set_up(billing_info, org_id, account_id)
        issue(invoices, *_with_count(small, 10))
        issue(invoices, *_with_count(large, 1))
        began = time.monotonic()
        fill(*large, LARGE)
        filling = time.monotonic() - began
        deep = LARGE * 5 // 6
        address = open_workers.enter_context(served(LargeTable(rows_of_account(*large, LARGE))))
        paging = start("InvoicesFunction", AWS_ENDPOINT_URL=address)
        compared = growth.pages(paging, *large, deep, WARM_ROUNDS)
        compared += growth.writes(invoices, movements, refunds, small, large, WARM_ROUNDS)
        asked = _asked(invoices, movements, refunds, start("FrontFunction"), small[0])
    grown = [
        [
            each.name,
            each.first.text(2, " ms"),
            each.second.text(2, " ms"),
            each.ratio.text(2),
            each.wall.text(2),
            each.first_requests,
            each.second_requests if each.second_requests != each.first_requests else "the same",
            Goal(1.1).verdict(each.ratio) if "page" in each.name else "",
        ]
        for each in compared
    ]
    limits = [
        [
            name,
            LIMITS[name][0],
            names,
            "met" if requests <= LIMITS[name][1] else "**missed**",
        ]
        for name, (names, requests) in asked.items()
    ]
    head = [
        "", "near", "far", "CPU, far / near", "wall, far / near",
        "requests, near", "requests, far", "goal",
    ]  # fmt: skip
    return f"""## Growth

Pages: at start 0 and 25 beside start {deep:,} (unpaid: 0 beside {deep // 4:,}) of an account of
{LARGE:,} invoices, of which every fourth is unpaid. They are read from a sorted table in memory
(`benchmarks/large_table.py`), as the emulator looks at each item of an account for each query.
Writes: in an account of 10 beside that one, on the emulator (filled in {filling:.0f} s).

{table(head, grown)}
What one operation asks of AWS:

{table(["", "at most", "asked", ""], limits)}"""


def _with_count(account: tuple[str, str], count: int) -> tuple[str, int, str]:
    return account[0], count, account[1]


def _asked(
    invoices: Worker, movements: Worker, refunds: Worker, front: Worker, org_id: str
) -> dict[str, tuple[str, int]]:
    get = event("invoices_get", org_id)
    number = invoices(get).json[0]["invoiceNumber"]
    movement = warm.new_movement(movements, org_id, SMALL_ACCOUNT, "asked")
    another = with_body(event("movements_create", org_id), external_movement_unique_id="another")
    calls = {
        "a token not read before": front(event("front_unrouted", org_id), expect=405),
        "invoice by id": invoices(get),
        "invoice by number": invoices(
            event("invoices_get_by_number", org_id, invoiceNumber=number)
        ),
        "list page": invoices(page(org_id, 1, 25)),
        "unpaid page": invoices(event("invoices_list_unpaid", org_id)),
        "v2 range": invoices(event("invoices_list_of_period", org_id)),
        "create movement": movements(another, expect=201),
        "create refund": refunds(
            next(warm.new_refunds(org_id, SMALL_ACCOUNT, movement)), expect=201
        ),
        "issue invoice": invoices(next(new_invoices(org_id, SMALL_ACCOUNT, "asked")), expect=201),
    }
    return {name: (growth.requests([call]), len(call.calls)) for name, call in calls.items()}


# ---------------------------------------------------------------- billing runs


def _runs(settings: Mapping[str, str]) -> str:
    with ExitStack() as open_workers:
        start = partial(_start, open_workers, settings)
        measured = billing_runs.measure(
            start("BillingInfoFunction"),
            start("MovementsFunction"),
            start("InvoicesFunction"),
            start("BillAccountsFunction"),
            f"bench-run-{RUN}",
            RUN_ACCOUNTS,
        )
    over_http = billing_runs.over_http(from_environment(), min(RUN_ACCOUNTS, 50))
    goal = Goal(5, at_least=True)
    rows = [
        [
            "CPU",
            measured.in_run_cpu.text(2, " ms"),
            measured.alone_cpu.text(2, " ms"),
            measured.times_cpu.text(1),
            goal.verdict(measured.times_cpu),
        ],
        [
            "wall",
            measured.in_run_wall.text(1, " ms"),
            measured.alone_wall.text(1, " ms"),
            measured.times_wall.text(1),
            goal.verdict(measured.times_wall),
        ],
        [
            "requests to AWS",
            f"{measured.requests_in_run:.1f}",
            f"{measured.requests_alone:.1f}",
            f"{measured.requests_alone / measured.requests_in_run:.1f}",
            "",
        ],
    ]
    head = ["one document", "in a run", "issued alone", "times fewer", "goal"]
    return f"""## Billing run

{RUN_ACCOUNTS} accounts with a movement each, against as many invoices issued one by one. The \
function that bills them came to {measured.memory:.0f} MB. A batch of ten asks for \
{measured.requests_of_a_batch}. Over HTTP, through the emulator's gateway, an \
invoice takes {over_http.text(1, " ms")} of the wall's time, \
{over_http.median / measured.in_run_wall.median:.1f} times that of one in a run.

{table(head, rows)}"""


# ---------------------------------------------------------------- documents


def _documents(_: Mapping[str, str]) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.documents"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*_python_path(), str(WEASYPRINT)])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return f"## Documents\n\n```\n{told.strip()}\n```\n"


def _python_path() -> list[str]:
    return [str(ROOT), str(ROOT / "layers" / "billing")]


# ---------------------------------------------------------------- beneath


def _start(
    open_workers: ExitStack, settings: Mapping[str, str], logical_id: str, **more: str
) -> Worker:
    made = worker(artifacts.function(logical_id), {**settings, **more})
    return open_workers.enter_context(made)


def _point_at(stack: Stack) -> dict[str, str]:
    """Name the settings that functions have, and point this process at the stack's AWS too."""
    outputs = deploy.outputs(stack).items()
    settings = {
        **stack.aws_environment(),
        "POWERTOOLS_SERVICE_NAME": "billing",
        **{re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): value for name, value in outputs},
    }
    os.environ.update(settings)
    return settings


if __name__ == "__main__":
    sys.exit(main())
