"""
Checks that the twin does what the product does: else the two cannot be compared.

The same request gets the same answer, and after the same writes the same reads, but for ids,
instants and hashes. What either refuses, the other refuses with the same status. A request that is
sent again is a replay to both.
"""

import json
import re
from collections.abc import Iterable, Sequence
from difflib import unified_diff
from itertools import count
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from benchmarks.accounts import event, page, with_body
from benchmarks.workers import Call, Json, Worker

HEADERS = (
    "content-disposition", "content-type", "etag", "idempotent-replayed", "location", "ranged-data",
)  # fmt: skip
"""What of the headers is part of an answer."""
MADE = {
    r"\?X-Amz-[^\"]*": "<signed>",
    r"[0-9a-f]{64}": "<hash>",
    r"[0-9a-f]{32}": "<id>",
    r'("creationDate|paymentDate)": [1-9][0-9]{9}': r'\1": <now>',
    r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z": "<now>",
    r"(expires_at[\\\": ]+)[0-9-]{10}T[0-9:]{8}Z": r"\1<soon>",
}
"""What is another each time."""
PAGE = 100


class UnlikeError(Exception):
    """The twin does something else than the product."""


def check(name: str, ours: Json, twins: Json, *orgs: str) -> None:
    """Compare two answers."""
    our_answer, twins_answer = _answer(ours, orgs), _answer(twins, orgs)
    if our_answer != twins_answer:
        shown = unified_diff(our_answer.splitlines(), twins_answer.splitlines(), lineterm="")
        raise UnlikeError("\n".join([f"{name}: the twin answers otherwise:", *shown]))


def check_replay(name: str, done: Call, request: Json, worker: Worker) -> None:
    """Send a request again: the answer is the same, but says that it was done before."""
    again = worker(request, expect=201)
    if "idempotent-replayed" not in again.answer["headers"] or again.json != done.json:
        raise UnlikeError(f"{name}: a replay answers otherwise: {again.answer}")


def check_reads(pair: tuple[Worker, Worker], orgs: Sequence[str]) -> None:
    """Compare all that two orgs show of their documents, after the same writes in each."""

    def read(name: str, requests: Iterable[Json]) -> Any:
        ours, twins = (call(request) for call, request in zip(pair, requests, strict=True))
        check(name, ours.answer, twins.answer, *orgs)
        return ours.json

    for name in ("invoices_list", "invoices_list_unpaid"):
        for start in count(0, PAGE):
            rows = read(name, [page(org_id, start, PAGE, name=name) for org_id in orgs])
            for row in rows:
                invoice = {"invoiceId": row["id"]}
                read("invoice", [event("invoices_get", org_id, **invoice) for org_id in orgs])
            if len(rows) < PAGE:
                break
    read("v2", [event("invoices_list_of_period", org_id) for org_id in orgs])


def check_refusals(pair: tuple[Worker, Worker], orgs: Sequence[str]) -> None:
    """Ask both what neither does, in orgs whose first invoice is paid in part and credited."""
    for worker, org_id, another in zip(pair, orgs, orgs[::-1], strict=True):
        for request, status in _refused(org_id, another):
            worker(request, status)


def _refused(org_id: str, another: str) -> list[tuple[Json, int]]:
    get, pay = event("invoices_get", org_id), event("invoices_pay", org_id)
    rows, period = event("invoices_list", org_id), event("invoices_list_of_period", org_id)
    elsewhere = event("invoices_pay", another)
    elsewhere["requestContext"]["http"] = pay["requestContext"]["http"]
    paths = {name: pay[name] for name in ("rawPath", "pathParameters")}
    dates = "start_date=2026-02-01&end_date=2026-01-01"
    known = {"external_payment_unique_id": "1-1", "amount": 1}
    return [
        ({**get, "headers": {}}, 401),
        (elsewhere | paths, 403),
        (event("invoices_get", org_id, invoiceId=10**9), 404),
        (event("invoices_pay", org_id, invoiceId=10**9), 404),
        ({**rows, "headers": rows["headers"] | {"ranged-data": "start=x"}}, 400),
        ({**period, "queryStringParameters": dict(parse_qsl(dates)), "rawQueryString": dates}, 400),
        (with_body(pay, tip=1), 400),
        ({**pay, "body": '{"amount": 1}'}, 400),
        (with_body(pay, amount=10**6), 409),
        (with_body(pay, **known), 409),
    ]


def _answer(answer: Json, orgs: Sequence[str]) -> str:
    """Write down an answer, without what is another each time."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    told = {name: headers[name] for name in HEADERS if name in headers}
    body = answer["body"]
    if told["content-type"] == "application/json":
        body = json.loads(body)
    elif told["content-type"].startswith("application/xml"):
        told["content-type"] = "application/xml"
        body = ElementTree.canonicalize(body, rewrite_prefixes=True)
    text = json.dumps([told, body], sort_keys=True, indent=1)
    for pattern, word in {**MADE, "|".join(map(re.escape, orgs)): "<org>"}.items():
        text = re.sub(pattern, word, text)
    return text
