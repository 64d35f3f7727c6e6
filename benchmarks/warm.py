"""Warm calls: what the processor has to do for each, ours and the twin's side by side."""

from itertools import islice, repeat
from statistics import median
from urllib.parse import unquote, urlsplit

from benchmarks import likeness
from benchmarks.accounts import (
    event,
    issue,
    many,
    many_of_invoices,
    new_refunds,
    page,
    seed,
    set_up,
)
from benchmarks.artifacts import TWIN, TWIN_OF_REFUNDS
from benchmarks.figures import how_many, milliseconds, ratio, table
from benchmarks.workers import WARM_UP, Call, Json, Worker, Workers, called_in_turns

GOALS = {"invoice by id": 0.65, "page of 25, start 0": 0.5}


def measure(workers: Workers, run: str) -> str:
    """Write the section about warm calls."""
    rounds, of = how_many("WARM_ROUNDS", 60), workers.of
    pair, refunds = (of("Invoices"), of(TWIN)), (of("Refunds"), of(TWIN_OF_REFUNDS))
    read, *orgs = (f"bench-{name}-{run}" for name in ("warm", "ours", "twin"))
    for org_id in (read, *orgs):
        set_up(workers, org_id)
        seed(workers, org_id)
    for invoices in pair:
        issue(invoices, read, 100)
    seed(workers, read, **_documents(pair[0], read))
    rows = []
    for name, request in _reads(pair[0], read).items():
        ours, twins = called_in_turns([(worker, repeat(request)) for worker in pair], rounds)
        likeness.check(name, ours[0].answer, twins[0].answer)
        rows.append(_row(name, ours, twins))

    refunded = [new_refunds(workers, org_id) for org_id in orgs]
    for org_id, requests in zip(orgs, refunded, strict=True):
        path = next(requests)["pathParameters"]
        movement = of("Movements")(event("movements_get", org_id, **path)).json
        seed(workers, org_id, movements=[movement])
    operations = {
        "issue invoice": (pair, [many("invoices_create", org_id) for org_id in orgs]),
        "payment": (pair, [many_of_invoices("invoices_pay", org_id) for org_id in orgs]),
        "credit note": (pair, [many_of_invoices("invoices_credit", org_id) for org_id in orgs]),
        "refund": (refunds, refunded),
    }
    for name, (both, requests_of) in operations.items():
        sent = [list(islice(each, WARM_UP + rounds)) for each in requests_of]
        turns = [(worker, iter(each)) for worker, each in zip(both, sent, strict=True)]
        ours, twins = called_in_turns(turns, rounds, expect=201)
        for our_call, twins_call in zip(ours, twins, strict=True):
            likeness.check(name, our_call.answer, twins_call.answer, *orgs)
        for worker, done, all_sent in zip(both, (ours, twins), sent, strict=True):
            likeness.check_replay(name, done[-1], all_sent[-1], worker)
        rows.append(_row(name, ours, twins))
    likeness.check_reads(pair, orgs)
    likeness.check_refusals(pair, orgs)

    head = ["CPU of one call", "ours", "botocore's part of it", "twin", "ours / twin", "goal"]
    return f"## Warm: one call, AWS included\n\n{table(head, rows)}"


def _row(name: str, ours: list[Call], twins: list[Call]) -> list[str]:
    part, beside = median(call.botocore / call.cpu for call in ours), ratio(ours, twins, "cpu")
    goal = beside.verdict(GOALS[name]) if name in GOALS else ""
    return [name, milliseconds(ours), f"{part:.0%}", milliseconds(twins), beside.text(), goal]


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
    asked = ("public_link", "get_pdf", "e_invoice")
    link, pdf, xml = (invoices(event(f"invoices_{name}", org_id)) for name in asked)
    path = unquote(urlsplit(link.json["url"]).path)
    headers = pdf.answer["headers"]
    stored = {
        "object_key": path[path.index(org_id) :],
        "disposition": headers["Content-Disposition"],
        "etag": headers["ETag"],
    }
    return {"pdfs": {"1": stored}, "e_invoices": {"1": xml.answer["body"]}}
