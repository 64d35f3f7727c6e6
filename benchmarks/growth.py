"""Growth: what operations cost in a large account and in a small one, and what they ask of AWS."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from benchmarks.accounts import UNPAID_EVERY, event, new_invoices, page
from benchmarks.figures import Figure
from benchmarks.warm import new_movement, new_refunds
from benchmarks.workers import Call, Json, Worker, in_turns


@dataclass(frozen=True)
class Compared:
    """The same operation twice: milliseconds of each, and how often the second is the first."""

    name: str
    first: Figure
    second: Figure
    ratio: Figure
    wall: Figure
    first_requests: str
    second_requests: str


def pages(invoices: Worker, org_id: str, account_id: str, deep: int, rounds: int) -> list[Compared]:
    """Compare the first pages of a large account with one far behind them."""
    first, second, far = (page(org_id, start, 25, account_id) for start in (0, 25, deep))
    operations = {
        "page of 25, start 0": (first, far),
        "page of 25, start 25": (second, far),
        "page of 25 unpaid, start 0": (
            _unpaid(first),
            _unpaid(page(org_id, deep // UNPAID_EVERY, 25, account_id)),
        ),
    }
    return [
        _compare(name, invoices, repeat(first), repeat(second), rounds)
        for name, (first, second) in operations.items()
    ]


def writes(
    invoices: Worker,
    movements: Worker,
    refunds: Worker,
    small: tuple[str, str],
    large: tuple[str, str],
    rounds: int,
) -> list[Compared]:
    """Compare issuing and refunding in a small account and in a large one."""
    refundable = [
        new_refunds(org_id, account_id, new_movement(movements, org_id, account_id, "growth"))
        for org_id, account_id in (small, large)
    ]
    issued = [new_invoices(org_id, account_id, "growth") for org_id, account_id in (small, large)]
    return [
        _compare("issue invoice", invoices, issued[0], issued[1], rounds, expect=201),
        _compare("create refund", refunds, refundable[0], refundable[1], rounds, expect=201),
    ]


def _compare(
    name: str,
    worker: Worker,
    first: Iterator[Json],
    second: Iterator[Json],
    rounds: int,
    expect: int = 200,
) -> Compared:
    some, others = in_turns([(worker, first), (worker, second)], rounds, expect)
    return Compared(
        name,
        Figure.of([call.cpu for call in some]),
        Figure.of([call.cpu for call in others]),
        Figure.ratio([call.cpu for call in others], [call.cpu for call in some]),
        Figure.ratio([call.wall for call in others], [call.wall for call in some]),
        requests(some[:1]),
        requests(others[:1]),
    )


def requests(calls: Sequence[Call]) -> str:
    """Name what calls asked of AWS."""
    counted = Counter(name for call in calls for name in call.calls)
    return " + ".join(f"{times} {name}" for name, times in counted.items()) or "none"


def _unpaid(request: Json) -> Json:
    path = "/v3/account/invoice/unpaid"
    unpaid = event("invoices_list_unpaid", "demo")
    context = {**request["requestContext"], "routeKey": unpaid["routeKey"]}
    context["http"] = {**context["http"], "path": path}
    return {**request, "routeKey": unpaid["routeKey"], "rawPath": path, "requestContext": context}
