"""
Malformed requests by the thousand: all are refused, none fails or is slow, and nothing is stored.

schemathesis makes some of the OpenAPI document, the others are known tricks on the document's own
examples. A new route joins both by itself.
"""

import base64
import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from gzip import compress
from itertools import islice, product
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from billing import clock
from billing.aws import dynamodb
from billing.domain.invoices import InvoiceKey
from billing.domain.tokens import EVERY_ACCOUNT, Role
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token
from tests.e2e.conftest import TIMEOUT_SECONDS, Client
from tools.openapi import FILE, operations

type Json = dict[str, Any]
type Where = tuple[str | int, ...]

DOCUMENT: Json = json.loads(FILE.read_text())
AT_ONCE = 4
MOST_SECONDS = 1.0
MOST_BYTES = 1_000_000
"""Far less than the 6 MB that a function can answer."""

# ------------------------------------------------------------------------- the tricks

NUMBERS = {
    "a huge exponent": "1E+999990",
    "an exponent": "1e3",
    "an exponent to infinity": "1E400",
    "not a number": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "underscores": "1_000",
    "a plus": "+1",
    "a leading zero": "01",
    "no digit behind the point": "1.",
    "no digit before the point": ".5",
    "hex": "0x1F",
    "Arabic digits": "١٢",
    "400 digits": "9" * 400,
    "5,000 digits": "9" * 5_000,
    "400 decimals": "1." + "0" * 400,
    "a string of a number": '"12"',
    "a string of Arabic digits": '"١٢"',
    "a truth": "true",
    "a list": "[1]",
    "an object": "{}",
}
"""What stands where a JSON number should."""
TEXTS = {
    "NUL": r'"a\u0000b"',
    "DEL": r'"a\u007fb"',
    "a C1 control": r'"a\u0085b"',
    "what XML cannot hold": r'"a\uffffb"',
    "a lone surrogate": r'"a\ud800b"',
    "surrogates the wrong way round": r'"\udc00\ud800"',
    "a raw line feed": '"a\nb"',
    "an unknown escape": r'"a\xb"',
    "nothing": '""',
    "100,000 characters": json.dumps("x" * 100_000),
    "a number": "1",
    "a truth": "true",
    "a list": '["a"]',
    "an object": '{"a": "b"}',
    "a deep list": "[" * 100_000 + "]" * 100_000,
    "single quotes": "'a'",
}
"""What stands where a JSON string should."""
IN_PATHS = {
    "a slash": "a%2Fb",
    "only a slash": "%2F",
    "the folder above": "..",
    "the folder above, encoded": "%2e%2e",
    "the folder above, in between": "a%2F..%2Fb",
    "a backslash": "..%5c..",
    "a separator of keys": "a%23b",
    "NUL": "1%00",
    "a line feed behind": "1%0a",
    "a blank before": "%201",
    "a letter that is not ASCII": "%C3%A9",
    "Arabic digits": "%D9%A1%D9%A2",
    "full-width digits": "%EF%BC%91",
    "no UTF-8": "%FF",
    "a surrogate": "%ED%A0%80",
    "an encoded per cent": "%2525",
    "no encoding": "%zz",
    "braces": "%7B%7D",
    "nothing": "",
    "65 characters": "x" * 65,
    "10,000 characters": "9" * 10_000,
}
IN_QUERIES = {
    "nothing": "",
    "NUL": "%00",
    "no UTF-8": "%FF",
    "underscores": "1_0",
    "an exponent": "1e1",
    "a fraction": "5.0",
    "a blank before": "%205",
    "Arabic digits": "%D9%A3",
    "minus one": "-1",
    "a huge number": "9" * 5_000,
    "a day that is not": "2026-02-30",
    "a year before all": "0000-01-01",
    "a short date": "2026-1-1",
    "a line feed behind a date": "2026-01-01%0A",
    "base64 of nothing of ours": base64.urlsafe_b64encode(b"x" * 40).decode(),
    "201 characters": "%C3%A9" * 201,
    "8,000 characters": "x" * 8_000,
}
IN_HEADERS: dict[str, list[str]] = {
    "RANGED-DATA": [
        "", ",", "x", "start", "start=", "start=-1", "start=+1", "start=1e3", "start=0x1",
        "start=1_0", "start=٣", "start=1.0", "start=99999999999", "start=" + "9" * 9_000,
        "results=0", "results=101", "start=0;results=5", "start=0,results=5,", "start=0,start=0",
        "start=0,results=5,total=9", "bytes=0-5", "START=0", "start=0" + "," * 9_000, "x" * 10_000,
    ],
    "If-Match": [
        "", '""', '"0"', '"999999999"', '"9999999999999"', 'W/"1"', "1", "'1'", '"1', '"٣"',
        '"-1"', '"1e0"', ",", ";", "x" * 10_000, ",".join(['"999999999"'] * 800),
    ],
}  # fmt: skip
TOKENS = {
    "a letter": "x",
    "a letter that is not ASCII": "é",
    "an asterisk": "*",
    "a character more": "{token}x",
    "a character before": "x{token}",
    "a character less": "{short}",
    "another one behind": "{token},{short}",
    "of another scheme": "Bearer {token}",
    "in the wrong case": "{swapped}",
    "a wrong checksum": "bil_" + "0" * 38,
    "a long one": "bil_" + "0" * 10_000,
    "a folder above": "../{token}",
    "a NUL behind": "{token}%00",
    "quoted": '"{token}"',
}
CONTENT_TYPES = [
    "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "application/octet-stream", "application/jsonx",
    "application/json-patch+json", "application", "x" * 10_000,
]  # fmt: skip
TEN_MEGABYTES = b'{"x": "' + b"x" * 10_000_000 + b'"}'
"""As much as the gateway lets through."""
FREE_TEXT = {"filter", "name"}
"""Parameters of a query that may be nearly anything."""


@dataclass(frozen=True)
class Request:
    """A request as it goes over the line."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Trick:
    """A malformed request, and how it may be refused."""

    name: str
    request: Request
    refusals: frozenset[int]


@dataclass(frozen=True)
class Sent:
    """A request, and what came of it; the status is 0 where nothing did."""

    request: Request
    status: int
    seconds: float
    size: int


@dataclass(frozen=True)
class Operation:
    """One operation of the document, in an org that has what it is about."""

    method: str
    path: str
    token: str
    known: dict[str, str]
    parameters: list[Json]
    example: Json | None

    def request(
        self,
        *,
        path: dict[str, str] | None = None,
        query: str = "",
        body: bytes | None = None,
        **headers: str,
    ) -> Request:
        """Make a request, with all in order but what is given; `If_Match` becomes If-Match."""
        examples = {each["name"]: str(each.get("example")) for each in self.parameters}
        values = examples | self.known | (path or {})
        target = re.sub(r"\{(\w+)\}", lambda match: values[match[1]], self.path)
        if body is None and self.example is not None:
            body = json.dumps(self.example).encode()
        sent = {"PRIVATE-TOKEN": self.token} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if body is not None:
            sent = {"Content-Type": "application/json"} | sent
        return Request(self.method, target + (f"?{query}" if query else ""), sent, body)

    def names(self, place: Literal["path", "query", "header"]) -> list[str]:
        return [each["name"] for each in self.parameters if each["in"] == place]

    def tricks(self) -> Iterator[Trick]:
        """Try every trick on every part of a request that it is for."""
        if self.example is not None:
            for name, body in _bodies(self.example):
                refusal = 413 if body is TEN_MEGABYTES else 400
                yield self._trick(f"body: {name}", {refusal}, body=body)
            for content_type in CONTENT_TYPES:
                name = f"content type {content_type[:40]}"
                yield self._trick(name, {400}, Content_Type=content_type)
            packed = compress(json.dumps(self.example).encode())
            yield self._trick("body: gzip", {400}, body=packed, Content_Encoding="gzip")
        for turn, parameter in enumerate(self.names("path"), len(self.path)):
            for name, text in _some(IN_PATHS, turn):
                refusals = {400, 403, 404}
                yield self._trick(f"{parameter}: {name}", refusals, path={parameter: text})
        for parameter, (name, text) in product(self.names("query"), IN_QUERIES.items()):
            may_be = {200, 400} if parameter in FREE_TEXT else {400}
            yield self._trick(f"{parameter}: {name}", may_be, query=f"{parameter}={text}")
        for header in self.names("header"):
            status = 412 if header == "If-Match" else 400
            for text in IN_HEADERS[header]:
                yield self._trick(f"{header}: {text[:40]}", {status}, **{header: text})
        for name, text in _some(TOKENS, len(self.path)):
            token = text.format(
                token=self.token, swapped=self.token.swapcase(), short=self.token[:-1]
            )
            yield self._trick(f"token: {name}", {401}, PRIVATE_TOKEN=token)

    def _trick(self, name: str, refusals: set[int], **given: Any) -> Trick:
        request = self.request(**given)
        return Trick(f"{self.method} {self.path} {name}", request, frozenset(refusals))


def _some(tricks: dict[str, str], turn: int) -> Iterator[tuple[str, str]]:
    """Take every third trick; places that take turns have them all."""
    return islice(tricks.items(), turn % 3, None, 3)


def _bodies(example: Json) -> Iterator[tuple[str, bytes]]:
    """Spoil a body in every way we know: as a whole, then number by number and text by text."""
    text = json.dumps(example)
    sound = text.encode()
    first, *_ = example
    spoilt_name = f"\\u{ord(first[0]):04x}{first[1:]}"
    fields = {f"f{number}": 0 for number in range(100_000)}
    yield from {
        "nothing": b"",
        "null": b"null",
        "a truth": b"true",
        "a number": b"1",
        "a text of itself": json.dumps(text).encode(),
        "a list of itself": b"[" + sound + b"]",
        "itself twice": sound + sound,
        "the half of it": sound[: len(sound) // 2],
        "a NUL behind it": sound + b"\0",
        "a comma too many": sound[:-1] + b",}",
        "a comment": b"/* */" + sound,
        "a byte order mark": b"\xef\xbb\xbf" + sound,
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32"),
        "no UTF-8": sound[:-1] + b', "x": "\xc3\x28"}',
        "a surrogate in UTF-8": sound[:-1] + b', "x": "\xed\xa0\x80"}',
        "base64": base64.b64encode(sound),
        "a form": b"a=1&b=2",
        "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a/>',
        "an unknown field": sound[:-1] + b', "x": 1}',
        "an unknown field of Python's": sound[:-1] + b', "__class__": 1}',
        "an unknown field of a lone surrogate": sound[:-1] + rb', "\ud800": 1}',
        "a field twice": sound[:-1] + f', "{first}": 1}}'.encode(),
        "a field twice, once in disguise": sound[:-1] + f', "{spoilt_name}": 1}}'.encode(),
        "100,000 fields": json.dumps(example | fields).encode(),
        "100,000 fields, one of them twice": json.dumps(fields).encode()[:-1] + b', "f99999": 0}',
        "100,000 lists in one another": b"[" * 100_000,
        "100,000 objects in one another": b'{"a":' * 100_000,
        "100,000 lists side by side": b'{"x": [' + b"[]," * 100_000 + b"[]]}",
        "100,000 numbers": b'{"x": [' + b"0.1," * 100_000 + b"0.1]}",
        "10 MB of text": TEN_MEGABYTES,
    }.items()
    for turn, (where, value) in enumerate(_values(example)):
        name = ".".join(map(str, where))
        if isinstance(value, list):
            yield f"{name}: 1,001 of them", _with(example, where, json.dumps(value * 1_001))
            yield f"{name}: none", _with(example, where, "[]")
        if isinstance(value, list) and isinstance(value[0], dict):
            wrong = value[0] | {f"f{number}": 0 for number in range(30)}
            yield f"{name}: 30,000 wrong fields", _with(example, where, json.dumps([wrong] * 1_000))
        tricks = TEXTS if isinstance(value, str) else NUMBERS if type(value) in (int, float) else {}
        for trick, literal in _some(tricks, turn):
            yield f"{name}: {trick}", _with(example, where, literal)


def _values(value: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Go through all values inside a value, of lists only the first."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:1])
    for key, each in inside:
        yield (*where, key), each
        if isinstance(each, dict | list):
            yield from _values(each, (*where, key))


def _with(example: Json, where: Where, literal: str) -> bytes:
    """Write a body with a literal of JSON, or of what is none, at one place."""
    mark = uuid4().hex
    copy = deepcopy(example)
    parent: Any = copy
    for key in where[:-1]:
        parent = parent[key]
    parent[where[-1]] = mark
    return json.dumps(copy, ensure_ascii=False).replace(f'"{mark}"', literal).encode()


# ------------------------------------------------------------------------- the target


@dataclass(frozen=True)
class Target:
    """An org with one of everything, and what of it is known."""

    base_url: str
    org_id: str
    admin: str
    reader: str
    account: str
    known: dict[str, str]

    def operations(self) -> Iterator[Operation]:
        for path, method, operation in operations(DOCUMENT):
            yield Operation(
                method.upper(),
                path,
                self.account if path.startswith("/v3/") else self.admin,
                self.known,
                operation.get("parameters", []),
                _example(operation),
            )

    def send(self, request: Request) -> Sent:
        """Send a request byte for byte, which no ordinary client would."""
        connection = http.client.HTTPConnection(
            urlsplit(self.base_url).netloc, timeout=TIMEOUT_SECONDS
        )
        began, status, size = time.perf_counter(), 0, 0
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.putrequest(request.method, request.target, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value.encode())
            if request.body is not None:
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            status, size = answer.status, len(answer.read())
        return Sent(request, status, time.perf_counter() - began, size)

    def stored(self) -> dict[tuple[str, ...], Any]:
        """Read whatever all tables have of this org."""
        return {
            (table, item["pk"]["S"], item["sk"]["S"]): item
            for name, table in os.environ.items()
            if name.endswith("_TABLE")
            for page in dynamodb().get_paginator("scan").paginate(TableName=table)
            for item in page["Items"]
            if self.org_id in json.dumps(item, default=str)
        }


def _example(operation: Json) -> Json | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return next(iter(content["examples"].values()))["value"] if content else None


@pytest.fixture(scope="module")
def target(stack: dict[str, Any], aws: None) -> Target:
    """Make an org that has whatever the document's paths name, by the document's own examples."""
    org_id, now = f"org-{uuid4().hex}", clock.now()
    _, admin = issue_token(
        org_id, "admin", Role.ADMIN, EVERY_ACCOUNT, None, now=now, tokens=TokenRepository()
    )
    known = {
        "orgId": org_id,
        "accountId": "100001",
        "subscriptionId": "600123456",
        "stateId": "35",  # in the Canaries, as in the example
        "invoiceNumber": f"F{now.year}-000001",
    }
    client = Client(stack["base_url"], admin, org_id, known["accountId"])
    found = {
        operation["operationId"]: (method.upper(), path, _example(operation))
        for path, method, operation in operations(DOCUMENT)
    }

    def ask(operation: str, **changes: Any) -> Json:
        method, path, example = found[operation]
        url = re.sub(r"\{(\w+)\}", lambda match: known[match[1]], path)
        answer = client.send(method, url, (example or {}) | changes if example else None)
        assert answer.status < 300, (operation, answer)
        return answer.json if answer.content else {}

    # Null or a colour: black is what the generator sends as neither, and would change it.
    ask("put_billing_info", accent="#000000")
    ask("put_billing_details")
    known["invoiceId"] = ask("create_invoice")["id"]
    known["linkId"] = ask("create_share_link")["id"]
    known["adjustmentId"] = ask("create_adjustment")["id"]
    known["paymentId"] = ask("create_payment")["id"]
    known["movementId"] = ask("create_movement")["id"]
    known["refundId"] = ask("create_refund")["id"]
    known["runId"] = ask("create_billing_run")["id"]
    known["tokenId"] = ask("create_token")["id"]
    # Of what does not happen here, so that nothing is delivered meanwhile.
    quiet = ["webhook_endpoint.disabled"]
    known["endpointId"] = ask("create_webhook_endpoint", types=quiet)["id"]
    account = ask("create_token", accounts=[known["accountId"]])["token"]
    reader = ask("create_token", role="reader", accounts="all")["token"]

    key = InvoiceKey(org_id, known["accountId"], int(known["invoiceId"]))
    give_up = time.monotonic() + TIMEOUT_SECONDS
    while (
        InvoiceRepository().find_pdf(key) is None or ask("get_billing_run")["status"] == "running"
    ):
        assert time.monotonic() < give_up, "the invoice has no PDF, or the run does not end"
        time.sleep(0.2)
    return Target(stack["base_url"], org_id, admin, reader, account, known)


# ------------------------------------------------------------------------- the attack


@dataclass(frozen=True)
class Run:
    """A run of schemathesis: what it found wrong, and what it sent."""

    passed: bool
    said: str = field(repr=False)
    sent: list[Sent] = field(repr=False)


def schemathesis(
    target: Target, mode: str, phases: str, folder: Path, known: dict[str, str]
) -> Run:
    """Have requests made of the document, the known parts of its paths filled in."""
    document = deepcopy(DOCUMENT)
    document["paths"] = {
        re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], match[0]), path): methods
        for path, methods in document["paths"].items()
    }
    for _, _, operation in operations(document):
        parameters = operation.get("parameters", [])
        operation["parameters"] = [each for each in parameters if each["name"] not in known]
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "schemathesis.toml").write_text(
        CONFIGURATION.format(admin=target.admin, account=target.account)
    )
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", "openapi.json",
            "--url", target.base_url, "--mode", mode, "--continue-on-failure",
            "--phases", phases, "--generation-deterministic",
            "--workers", str(AT_ONCE), "--output-sanitize", "false",
            "--report", "ndjson", "--report-ndjson-path", "report.ndjson",
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    events = [json.loads(line) for line in (folder / "report.ndjson").read_text().splitlines()]
    sent = [
        _sent(exchange["request"], exchange["response"], target.base_url)
        for event in events
        if "ScenarioFinished" in event
        for exchange in event["ScenarioFinished"]["recorder"].get("interactions", {}).values()
    ]
    return Run(ran.returncode == 0, ran.stdout + ran.stderr, sent)


CONFIGURATION = """
# All checks there are, but where it says why not.
headers = {{ PRIVATE-TOKEN = "{admin}" }}

[generation]
# An unknown parameter of a query, or an unknown header, is nobody's business.
allow-extra-parameters = false

[phases.coverage]
# What was answered depends on who was first; two runs shall be alike.
extra-data-sources.responses = false
# No schema can say that an IBAN's check digits fit, or that a cursor was given out; examples fit.
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "^/v3/"
headers = {{ PRIVATE-TOKEN = "{account}" }}

[[operations]]
# Its path is one of /refund/{{refundId}} too, which takes PUT and DELETE.
include-operation-id = "create_refund_of_non_subscribable_products"
checks.unsupported_method.enabled = false
"""


def _sent(request: Json, response: Json | None, base_url: str) -> Sent:
    body = request.get("body")
    as_sent = Request(
        request["method"],
        request["uri"].removeprefix(base_url),
        {name: values[0] for name, values in request["headers"].items()},
        base64.b64decode(body["$base64"]) if body else None,
    )
    if response is None:
        return Sent(as_sent, 0, TIMEOUT_SECONDS, 0)
    size = len((response.get("content") or {}).get("$base64", ""))
    return Sent(as_sent, response["status_code"], response["elapsed"], size)


@dataclass(frozen=True)
class Attack:
    """All malformed requests, and what the org had stored before and after."""

    target: Target
    generated: Run
    tricks: list[tuple[Trick, Sent]] = field(repr=False)
    before: dict[tuple[str, ...], Any] = field(repr=False)
    after: dict[tuple[str, ...], Any] = field(repr=False)

    @property
    def sent(self) -> list[Sent]:
        return [*self.generated.sent, *(sent for _, sent in self.tricks)]


@pytest.fixture(scope="module")
def attack(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Attack:
    """Send everything malformed."""
    before = target.stored()
    # A path is all that it takes to delete, whatever else a request says.
    deleted = {
        path.rpartition("{")[2][:-1]
        for path, method, _ in operations(DOCUMENT)
        if method == "delete"
    }
    kept = {name: known for name, known in target.known.items() if name not in deleted}
    generated = schemathesis(
        target, "negative", "coverage", tmp_path_factory.mktemp("negative"), kept
    )
    tricks = [trick for operation in target.operations() for trick in operation.tricks()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = list(pool.map(target.send, [trick.request for trick in tricks]))
    return Attack(target, generated, list(zip(tricks, sent, strict=True)), before, target.stored())


def test_it_is_an_attack(attack: Attack) -> None:
    refused = [each for each in attack.sent if 400 <= each.status < 500]

    assert len(attack.generated.sent) > 1_000
    assert len(attack.tricks) > 1_000
    assert len(refused) > 0.98 * len(attack.sent)


def test_what_the_document_rules_out_is_refused_as_it_says(attack: Attack) -> None:
    assert attack.generated.passed, attack.generated.said


def test_no_trick_is_taken(attack: Attack) -> None:
    taken = [
        f"{sent.status} {trick.name}"
        for trick, sent in attack.tricks
        if sent.status not in trick.refusals
    ]

    assert not taken, "\n".join(taken)


def test_none_fails(attack: Attack) -> None:
    assert [each for each in attack.sent if each.status == 0 or each.status >= 500] == []


def test_none_takes_over_a_second(attack: Attack) -> None:
    slow = [each.request for each in attack.sent if each.seconds > MOST_SECONDS]

    def alone(request: Request) -> float:
        """Measure again what may have waited for others."""
        return min(attack.target.send(request).seconds for _ in range(3))

    assert [request for request in slow if alone(request) > MOST_SECONDS] == []


def test_no_answer_grows_with_what_is_wrong(attack: Attack) -> None:
    assert [each for each in attack.sent if each.size > MOST_BYTES] == []


def test_nothing_is_stored(attack: Attack) -> None:
    assert attack.before
    assert attack.after == attack.before


def test_a_role_that_the_client_claims_counts_for_nothing(target: Target) -> None:
    claims = [
        operation.request(PRIVATE_TOKEN=target.reader, x_auth_roles="admin,writer")
        for operation in target.operations()
        if operation.method != "GET"
    ]

    assert {target.send(claim).status for claim in claims} == {403}


def test_a_header_of_ten_thousand_characters_changes_nothing(target: Target) -> None:
    reads = [
        (operation.request(), operation.request(x_long="x" * 10_000))
        for operation in target.operations()
        if operation.method == "GET"
    ]

    assert all(target.send(a).status == target.send(b).status for a, b in reads)


def test_what_the_document_allows_is_answered_as_it_says(
    target: Target, attack: Attack, tmp_path: Path
) -> None:
    run = schemathesis(target, "positive", "examples,coverage", tmp_path, target.known)

    assert run.passed, run.said
