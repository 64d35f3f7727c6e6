"""Warm calls: what the processor has to do for each, ours and the twin's side by side."""

from collections.abc import Callable, Iterator
from itertools import count, islice, repeat
from urllib.parse import unquote, urlsplit

from benchmarks import artifacts, likeness
from benchmarks.accounts import (
    event,
    issue,
    new_invoices,
    new_movement,
    new_refunds,
    page,
    seed,
    set_up,
    with_body,
)
from benchmarks.figures import Figure, figure, ratio, table
from benchmarks.workers import WARM_UP, Call, Json, Worker, Workers, in_turns

GOALS = {"invoice by id": 0.7, "page of 25, start 0": 0.4}


def measure(workers: Workers, run: str, rounds: int) -> str:
    """Write the section about warm calls."""
    billing_info = workers.start("BillingInfoFunction")
    twins_seed = workers.start(artifacts.TWIN_SEED)
    pair = workers.start("InvoicesFunction"), workers.start(artifacts.TWIN)
    refunds = workers.start("RefundsFunction"), workers.start(artifacts.TWIN_OF_REFUNDS)
    movements = workers.start("MovementsFunction")

    read, *orgs = (f"bench-{name}-{run}" for name in ("warm", "ours", "twin"))
    for org_id in (read, *orgs):
        set_up(billing_info, org_id)
        seed(twins_seed, org_id)
    for invoices in pair:
        issue(invoices, read, 100)
    seed(twins_seed, read, **_documents(pair[0], read))
    rows = []
    for name, request in _reads(pair[0], read).items():
        turns = [(worker, repeat(request)) for worker in pair]
        ours, twins = in_turns(turns, rounds)
        likeness.check(name, ours[0].answer, twins[0].answer)
        rows.append(_row(name, ours, twins))

    made = {org_id: new_movement(movements, org_id) for org_id in orgs}
    for org_id in orgs:
        movement = movements(event("movements_get", org_id, movementId=made[org_id])).json
        seed(twins_seed, org_id, movements=[movement])
    operations: dict[str, tuple[tuple[Worker, Worker], Callable[[str], Iterator[Json]]]] = {
        "issue invoice": (pair, new_invoices),
        "payment": (pair, _payments),
        "credit note": (pair, _credit_notes),
        "refund": (refunds, lambda org_id: new_refunds(org_id, made[org_id])),
    }
    for name, (both, requests_in) in operations.items():
        requests = [list(islice(requests_in(org_id), WARM_UP + rounds)) for org_id in orgs]
        sent_by = [(worker, iter(each)) for worker, each in zip(both, requests, strict=True)]
        ours, twins = in_turns(sent_by, rounds, expect=201)
        for our_call, twins_call in zip(ours, twins, strict=True):
            likeness.check(name, our_call.answer, twins_call.answer, *orgs)
        for worker, done, sent in zip(both, (ours, twins), requests, strict=True):
            likeness.check_replay(name, done[-1], sent[-1], worker)
        rows.append(_row(name, ours, twins))
    likeness.check_reads(pair, orgs)
    likeness.check_refusals(pair, orgs)

    head = ["CPU of one call", "ours", "botocore's part of it", "twin", "ours / twin", "goal"]
    return f"## Warm: one call, AWS included\n\n{table(head, rows)}"


def _row(name: str, ours: list[Call], twins: list[Call]) -> list[str]:
    part = Figure.of([call.botocore / call.cpu for call in ours])
    beside = ratio(ours, twins, "cpu")
    return [
        name,
        figure(ours, "cpu").text(2, " ms"),
        f"{part.median:.0%}",
        figure(twins, "cpu").text(2, " ms"),
        beside.text(2),
        beside.verdict(GOALS[name]) if name in GOALS else "",
    ]


def _reads(invoices: Worker, org_id: str) -> dict[str, Json]:
    """Name all that is read."""
    number = invoices(event("invoices_get", org_id)).json[0]["invoiceNumber"]
    return {
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


def _documents(invoices: Worker, org_id: str) -> Json:
    """Read where the documents of the first invoice are, as the twin makes none of its own."""
    link, pdf, xml = (
        invoices(event(f"invoices_{name}", org_id))
        for name in ("public_link", "get_pdf", "e_invoice")
    )
    path = unquote(urlsplit(link.json["url"]).path)
    headers = pdf.answer["headers"]
    stored = {
        "object_key": path[path.index(org_id) :],
        "disposition": headers["Content-Disposition"],
        "etag": headers["ETag"],
    }
    return {"pdfs": {"1": stored}, "e_invoices": {"1": xml.answer["body"]}}


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
