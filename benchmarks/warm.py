"""Warm calls: what the processor has to do for each, ours and the twin's side by side."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice, repeat

from benchmarks import likeness
from benchmarks.accounts import event, new_invoices, page, with_body
from benchmarks.figures import Figure
from benchmarks.workers import WARM_UP, Call, Json, Worker, in_turns


@dataclass(frozen=True)
class Pair:
    """A function of ours, and its twin."""

    ours: Worker
    twin: Worker


@dataclass(frozen=True)
class Beside:
    """One operation: our milliseconds and the twin's, botocore's share of ours, and the ratio."""

    name: str
    ours: Figure
    botocore: Figure
    twin: Figure
    ratio: Figure

    @classmethod
    def of(cls, name: str, ours: list[Call], twins: list[Call]) -> "Beside":
        our_cpu, twins_cpu = [call.cpu for call in ours], [call.cpu for call in twins]
        return cls(
            name,
            Figure.of(our_cpu),
            Figure.of([call.botocore / call.cpu for call in ours]),
            Figure.of(twins_cpu),
            Figure.ratio(our_cpu, twins_cpu),
        )


def reads(invoices: Pair, org_id: str, rounds: int) -> list[Beside]:
    """Measure all that is read; the answers must be the same, byte for byte."""
    number = invoices.ours(event("invoices_get", org_id)).json[0]["invoiceNumber"]
    operations = {
        "invoice by id": event("invoices_get", org_id),
        "invoice by number": event("invoices_get_by_number", org_id, invoiceNumber=number),
        "page of 25, start 0": page(org_id, 0, 25),
        "page of 25, start 25": page(org_id, 25, 25),
        "page of 100, start 0": page(org_id, 0, 100),
        "page of 25 unpaid": event("invoices_list_unpaid", org_id),
        "by part of the description": event("invoices_list_filtered", org_id),
        "v2, a year": event("invoices_list_of_period", org_id),
        "public link": event("invoices_public_link", org_id),
        "PDF, from the bucket": event("invoices_get_pdf", org_id),
        "e-invoice": event("invoices_e_invoice", org_id),
    }
    measured = []
    for name, request in operations.items():
        likeness.check_answers(name, invoices.ours, invoices.twin, request)
        turns = [(invoices.ours, repeat(request)), (invoices.twin, repeat(request))]
        measured.append(Beside.of(name, *in_turns(turns, rounds)))
    return measured


def writes(
    invoices: Pair, refunds: Pair, movements: Worker, orgs: tuple[str, str], rounds: int
) -> list[Beside]:
    """Measure all that is written, ours and the twin's in orgs that are the same in the end."""
    account_id = "100001"
    movement_ids = {org: new_movement(movements, org, account_id, "warm") for org in orgs}

    def refunds_of(org_id: str) -> Iterator[Json]:
        return new_refunds(org_id, account_id, movement_ids[org_id])

    operations: dict[str, tuple[Pair, Callable[[str], Iterator[Json]]]] = {
        "issue invoice": (invoices, new_invoices),
        "payment": (invoices, _payments),
        "credit note": (invoices, _credit_notes),
        "refund": (refunds, refunds_of),
    }
    measured = []
    for name, (pair, requests_in) in operations.items():
        our_requests, twins_requests = (
            list(islice(requests_in(org_id), WARM_UP + rounds)) for org_id in orgs
        )
        turns = [(pair.ours, iter(our_requests)), (pair.twin, iter(twins_requests))]
        ours, twins = in_turns(turns, rounds, expect=201)
        likeness.check_writes(name, orgs, ours, twins)
        likeness.check_replay(name, ours[-1], our_requests[-1], pair.twin)
        likeness.check_replay(name, twins[-1], twins_requests[-1], pair.ours)
        measured.append(Beside.of(name, ours, twins))
    likeness.check_refusals(invoices.ours, invoices.twin, orgs[0])
    likeness.check_items(orgs)
    return measured


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


def _payments(org_id: str) -> Iterator[Json]:
    """Pay a part of one invoice after the other."""
    for ordinal in count(1):
        made = event("invoices_pay", org_id, invoiceId=ordinal)
        yield with_body(made, external_payment_unique_id=f"payment-{ordinal}")


def _credit_notes(org_id: str) -> Iterator[Json]:
    """Credit one invoice after the other as a whole, which leaves nothing to pay."""
    for ordinal in count(1):
        made = event("invoices_credit", org_id, invoiceId=ordinal)
        yield with_body(made, external_credit_note_unique_id=f"credit-{ordinal}")
