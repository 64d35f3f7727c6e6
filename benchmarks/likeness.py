"""
Checks that the twin does what the product does: else the two cannot be compared.

The same request gets the same answer, byte for byte, refusals included. Equal requests, to each in
an org of its own, leave the same items but for ids, instants and the hashes of them. And what one
has done the other knows: sent there again, the request is a replay.
"""

import json
import re
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

from benchmarks.accounts import event, with_body
from benchmarks.workers import Call, Json, Worker
from billing import config
from billing.aws import dynamodb
from billing.domain.invoices import InvoiceKey
from billing.persistence.dynamodb import SEPARATOR
from billing.persistence.invoices import InvoiceRepository
from billing.services.audit import audit_invoices

HEADERS = (
    "content-disposition", "content-type", "etag", "idempotent-replayed", "location", "ranged-data",
)  # fmt: skip
"""What of the headers is part of an answer."""
MADE = {
    r"[0-9a-f]{64}": "<hash>",
    r"[0-9a-f]{32}": "<id>",
    r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z": "<now>",
}
"""What is another each time: nothing that is sent has an instant with microseconds."""


class UnlikeError(Exception):
    """The twin does something else than the product."""


def check_answers(name: str, ours: Worker, twin: Worker, request: Json, expect: int = 200) -> None:
    """Ask both the same; a signed link tells the second, so that a second try is fair."""
    for _ in range(3):
        our_answer, twins_answer = _answer(ours(request, expect)), _answer(twin(request, expect))
        if our_answer == twins_answer:
            return
    raise UnlikeError(f"{name}: the twin answers otherwise:\n{our_answer}\n{twins_answer}")


def check_refusals(ours: Worker, twin: Worker, org_id: str) -> None:
    """Ask both what neither does, in an org whose first invoice is paid and credited."""
    pay, get = event("invoices_pay", org_id), event("invoices_get", org_id)
    refused = {
        "no token": (_without_token(get), 401),
        "token of another org": (_with_token(pay, event("invoices_pay", "another")), 403),
        "unknown invoice": (event("invoices_get", org_id, invoiceId=10**9), 404),
        "payment of an unknown invoice": (event("invoices_pay", org_id, invoiceId=10**9), 404),
        "malformed range": (_malformed_range(org_id), 400),
        "period that ends before it starts": (_backwards(org_id), 400),
        "unknown field": (with_body(pay, tip=1), 400),
        "missing field": ({**pay, "body": '{"amount": 1}'}, 400),
        "more than remains": (with_body(pay, amount=10**6), 409),
        "external id used before": (
            with_body(pay, external_payment_unique_id="payment-1", amount=1),
            409,
        ),
    }
    for name, (request, status) in refused.items():
        check_answers(name, ours, twin, request, status)


def check_writes(
    name: str, orgs: tuple[str, str], ours: Sequence[Call], twins: Sequence[Call]
) -> None:
    """Compare what was answered to requests that were alike, each in an org of its own."""
    for pair in zip(ours, twins, strict=True):
        our_answer, twins_answer = (
            _masked(str(_answer(call)), org_id) for call, org_id in zip(pair, orgs, strict=True)
        )
        if our_answer != twins_answer:
            raise UnlikeError(f"{name}: the twin answers otherwise:\n{our_answer}\n{twins_answer}")


def check_replay(name: str, done: Call, request: Json, elsewhere: Worker) -> None:
    """Send a request where it was not done: the answer is the same, but says that it was."""
    status, headers, body = _answer(done)
    expected = status, {**headers, "idempotent-replayed": "true"}, body
    if (replayed := _answer(elsewhere(request, status))) != expected:
        raise UnlikeError(f"{name}: a replay answers otherwise:\n{expected}\n{replayed}")


def check_items(orgs: tuple[str, str]) -> None:
    """Compare all items that the orgs have, and verify the chains of their invoices."""
    ours, twins = (Counter(_items(org_id)) for org_id in orgs)
    if ours != twins:
        only_ours, only_twins = ((ours - twins).elements(), (twins - ours).elements())
        raise UnlikeError(f"Unlike items: {next(only_ours, None)}\n{next(only_twins, None)}")
    for org_id in orgs:
        for number, faults in audit_invoices(org_id, invoices=InvoiceRepository()):
            if faults:
                raise UnlikeError(f"{org_id}, {number}: {'; '.join(faults)}")


def wait_for_pdf(org_id: str, account_id: str, ordinal: int) -> None:
    """Wait until the stream has come to an invoice, as that keeps a processor busy."""
    for _ in range(600):
        if InvoiceRepository().find_pdf(InvoiceKey(org_id, account_id, ordinal)):
            return
        time.sleep(0.1)
    raise TimeoutError(f"No PDF of invoice {ordinal}")


def _answer(call: Call) -> tuple[int, dict[str, str], str]:
    headers = {name.lower(): str(value) for name, value in call.answer["headers"].items()}
    told = {name: headers[name] for name in HEADERS if name in headers}
    return call.status, told, call.answer["body"]


def _items(org_id: str) -> Iterator[str]:
    """List all that the tables have of an org, but for where PDFs are, which is the stream's."""
    tables = (
        config.accounts_table(),
        config.invoices_table(),
        config.movements_table(),
        config.refunds_table(),
    )
    for table in tables:
        for page in dynamodb().get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                if org_id in item["pk"]["S"].split(SEPARATOR) and item["sk"]["S"] != "pdf":
                    text = json.dumps(item, default=_unzipped, sort_keys=True)
                    yield _masked(text, org_id)


def _unzipped(record: bytes) -> str:
    return zlib.decompress(record).decode()


def _masked(text: str, org_id: str) -> str:
    for pattern, word in {**MADE, re.escape(org_id): "<org>"}.items():
        text = re.sub(pattern, word, text)
    return text


def _with_token(request: Json, other: Json) -> Json:
    """Call with the token of another request."""
    token = {"private-token": other["headers"]["private-token"]}
    authorizer = {"authorizer": other["requestContext"]["authorizer"]}
    return {
        **request,
        "headers": request["headers"] | token,
        "requestContext": request["requestContext"] | authorizer,
    }


def _without_token(request: Json) -> Json:
    headers = {
        name: request["headers"][name] for name in request["headers"].keys() - {"private-token"}
    }
    return {
        **request,
        "headers": headers,
        "requestContext": request["requestContext"] | {"authorizer": {}},
    }


def _malformed_range(org_id: str) -> Json:
    request = event("invoices_list", org_id)
    return {**request, "headers": {**request["headers"], "ranged-data": "start=x"}}


def _backwards(org_id: str) -> Json:
    dates = {"start_date": "2026-02-01", "end_date": "2026-01-01"}
    request = event("invoices_list_of_period", org_id)
    return {**request, "queryStringParameters": dates, "rawQueryString": urlencode(dates)}
