"""Warm calls: what the processor has to do for each, ours and the twin's side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, repeat

from benchmarks.accounts import event, page, with_body
from benchmarks.figures import Figure
from benchmarks.workers import Json, Worker, in_turns


@dataclass(frozen=True)
class Beside:
    """One operation: our milliseconds and the twin's, botocore's share of ours, and the ratio."""

    name: str
    ours: Figure
    botocore: Figure
    twin: Figure
    ratio: Figure


def reads(ours: Worker, twin: Worker, org_id: str, rounds: int) -> list[Beside]:
    """Measure all reads that the twin has; the answers must be the same, byte for byte."""
    unpaid = event("invoices_list_unpaid", org_id)
    operations = {
        "invoice by id": event("invoices_get", org_id),
        "invoice by number": event(
            "invoices_get_by_number", org_id, invoiceNumber=_number(ours, org_id)
        ),
        "page of 25, start 0": page(org_id, 0, 25),
        "page of 25, start 25": page(org_id, 25, 25),
        "page of 100, start 0": page(org_id, 0, 100),
        "page of 25 unpaid": unpaid,
        "by part of the description": event("invoices_list_filtered", org_id),
        "v2, a year": event("invoices_list_of_period", org_id),
    }
    return [_beside(name, ours, twin, request, rounds) for name, request in operations.items()]


def _beside(name: str, ours: Worker, twin: Worker, request: Json, rounds: int) -> Beside:
    our_answer, twins_answer = ours(request).answer, twin(request).answer
    if our_answer["body"] != twins_answer["body"]:
        raise RuntimeError(
            f"{name}: the twin answers otherwise:\n{our_answer['body']}\n{twins_answer['body']}"
        )
    ranges = [answer["headers"].get("RANGED-DATA") or answer["headers"].get("ranged-data")
              for answer in (our_answer, twins_answer)]  # fmt: skip
    if ranges[0] != ranges[1]:
        raise RuntimeError(f"{name}: the twin counts otherwise: {ranges}")
    mine, others = in_turns([(ours, repeat(request)), (twin, repeat(request))], rounds)
    our_cpu, twins_cpu = [call.cpu for call in mine], [call.cpu for call in others]
    return Beside(
        name,
        Figure.of(our_cpu),
        Figure.of([call.botocore / call.cpu for call in mine]),
        Figure.of(twins_cpu),
        Figure.ratio(our_cpu, twins_cpu),
    )


def _number(ours: Worker, org_id: str) -> str:
    return str(ours(event("invoices_get", org_id)).json[0]["invoiceNumber"])


def new_movement(movements: Worker, org_id: str, account_id: str, name: str) -> str:
    """Record a movement with room for many refunds, and tell its id."""
    amount = {
        "value_with_taxes": 1_210_000,
        "value_without_taxes": 1_000_000,
        "tax": {"type": "IVA", "percentage": 21},
    }
    made = event("movements_create", org_id, account_id)
    request = with_body(made, external_movement_unique_id=name, amount=amount)
    return str(movements(request, expect=201).json["id"])


def new_refunds(org_id: str, account_id: str, movement_id: str) -> Iterator[Json]:
    """Make requests for refunds without end."""
    made = event("refunds_create", org_id, account_id, movementId=movement_id)
    for number in count():
        yield with_body(made, external_refund_unique_id=f"{account_id}-{movement_id}-{number}")
