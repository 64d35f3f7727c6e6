"""
Ids of others: answered as ids that nobody has, wherever a request can name something.

Places are those of the OpenAPI document, so a new route joins by its event; a new parameter, or a
field that names something, must be known here as a tenant's own or as nobody's.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from billing.api import cursors
from billing.api.access import ALL_ACCOUNTS_SCOPE
from billing.aws import sqs
from billing.domain.parties import FiscalRegime
from tests.integration import story
from tests.integration.conftest import Answer, Invoker
from tests.integration.story import REQUESTS, method, parameters
from tools import openapi

DOCUMENT = json.loads(openapi.FILE.read_text())
NAMES_NOTHING = set(
    "stateId RANGED-DATA format type country limit date fromDate toDate start_date end_date "
    "state_id tax_id currency transaction_type_id external_invoice_id lines.order_id name "
    "status valid_from region state".split()
)
"""Parameters and fields that no tenant has for itself."""
SHARED = {"another org": set[str](), "another account": {"orgId", "runId"}}
"""Whose ids are tried, and what they share with us."""
NEW_EACH_TIME = {"invoices_public_link", "webhooks_list_events"}
"""A link expires at another second, and the end of a feed says when it was read."""
ID = r"\w{32,}"
"""An id that we give out, or a token."""

type Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a request names something: `part` is path, query, header or body."""

    part: str
    name: str


def _digits() -> str:
    return str(random.randrange(10**11, 10**12))


def _hex() -> str:
    return uuid4().hex


NOBODYS: Mapping[str, Callable[[], Any]] = {
    "orgId": lambda: f"org-{_hex()}",
    "accountId": _digits,
    "account_id": _digits,
    "accounts": lambda: [_digits()],
    "subscriptionId": _digits,
    "movementId": _hex,
    "refundId": _hex,
    "invoiceId": lambda: "99",
    "invoiceNumber": lambda: "F2026-000099",
    "paymentId": _hex,
    "payoutId": _hex,
    "adjustmentId": _hex,
    "runId": _hex,
    "tokenId": _hex,
    "endpointId": _hex,
    "deliveryId": lambda: "000000000099",
    "linkId": _hex,
    "filter": _hex,
    "cursor": lambda: cursors.encode(_hex(), _hex()),
    "after": lambda: cursors.encode(_hex(), _hex()),
    "If-Match": lambda: '"99"',
}
"""What nobody has, by the names of parameters and fields; a tenant has one of each."""


def _places(event: str, whose: str) -> list[Place]:
    """List where a request names something that a neighbour has of its own."""
    verb, path = REQUESTS[event]["routeKey"].split()
    operation = DOCUMENT["paths"][path][verb.lower()]
    found = [Place(each["in"], each["name"]) for each in operation.get("parameters", [])]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    fields = _fields(body.get("schema", {}))
    found += [Place("body", name) for name in fields if re.search(r"(_id|accounts)$", name)]
    return [place for place in found if place.name not in NAMES_NOTHING | SHARED[whose]]


def _ways(event: str, whose: str) -> list[tuple[Place, ...]]:
    """
    List what to name: each thing among our own, a whole path in our org, and all there is.

    To who reaches all accounts, those of an org are all their own.
    """
    if whose == "another account" and ALL_ACCOUNTS_SCOPE in _scopes(REQUESTS[event]):
        return []
    places = _places(event, whose)
    here = tuple(place for place in places if place.name != "orgId")
    path = tuple(place for place in here if place.part == "path")
    ways = dict.fromkeys([*((place,) for place in places), path, here, tuple(places)])
    return [way for way in ways if way]


def _scopes(request: Json) -> list[str]:
    """Read what a route asks of a token."""
    verb, path = request["routeKey"].split()
    [scopes] = DOCUMENT["paths"][path][verb.lower()]["security"][0].values()
    return list(scopes)


def _named(way: tuple[Place, ...]) -> str:
    return " ".join(place.name for place in way)


def _fields(schema: Json, *parents: str) -> Iterator[str]:
    """Name the fields of a body, but for its own external ids and what is ignored in it."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in [*schema.get("anyOf", []), *filter(None, [schema.get("items")])]:
        yield from _fields(choice, *parents)
    for name, field in schema.get("properties", {}).items():
        if not (openapi.EXTERNAL_ID.fullmatch(name) or field.get("readOnly")):
            yield ".".join([*parents, name])
            yield from _fields(field, *parents, name)


def _external_ids(body: Json) -> Json:
    """Write those fields of a body anew that have external ids, in lists too."""
    new: Json = {}
    for name, value in body.items():
        if openapi.EXTERNAL_ID.fullmatch(name):
            new[name] = _hex()
        elif isinstance(value, list) and isinstance(value[0], dict):
            new[name] = [each | _external_ids(each) for each in value]
    return new


@dataclass(frozen=True)
class Tenant:
    """An account, and what it has by the names of parameters and fields."""

    invoke: Invoker
    accounts: str
    """What its token reaches; in v3, that is the account."""
    token_id: str
    ids: dict[str, Any]

    @classmethod
    def settle(cls, invoke: Invoker, count: int) -> "Tenant":
        """Open an account, and make `count` of everything: the ids are those of the last."""
        account_id = _digits()
        ids: dict[str, Any] = {
            "orgId": invoke.org_id,
            "accountId": account_id,
            "account_id": account_id,
            "accounts": [account_id],
            "filter": _hex(),
            "If-Match": f'"{count + 3}"',
        }
        tenant = cls(invoke, account_id, _hex(), ids)
        assert tenant("billing_info_put_account").status == 204
        assert tenant("location_tax_put_exchange_rate").status == 204
        assert tenant("billing_info_put_logo").status == 204
        for _ in range(count - 1):
            assert tenant("billing_info_put_org").status == 204
        for _ in range(count):
            ids["subscriptionId"] = _digits()
            assert tenant("billing_info_put_subscription").status == 204
        for _ in range(count):
            ids["movementId"] = tenant.make("movements_create")
            ids["adjustmentId"] = tenant.make("movements_adjust")
        if count > 1:  # only who is looked at has fiscal records, too
            story.switch(invoke.org_id, FiscalRegime.VERIFACTU)
        for _ in range(count):
            external = {"external_refund_unique_id": _hex()}
            ids |= {"refundId": tenant.make("refunds_create", **external), **external}
            # More invoices than the other has documents, its credit note among them.
            for _ in range(count):
                ids["invoiceId"] = tenant.make("invoices_create", description=ids["filter"])
            ids["paymentId"] = tenant.make("invoices_pay")
            tenant.make("consumptions_create")
        if count > 1:
            story.switch(invoke.org_id, FiscalRegime.NONE)
            story.reject(invoke.org_id)
        for _ in range(count):
            assert tenant("refunds_put", description=_hex()).status == 204
        for _ in range(count - 1):
            ids["paymentId"] = tenant.make("invoices_pay")
        tenant.make("invoices_credit")
        for _ in range(count):
            ids["payoutId"] = tenant.make("invoices_pay_out")
            ids["linkId"] = tenant.make("share_create")
        [details] = tenant("invoices_get").json
        ids["invoiceNumber"] = details["invoiceNumber"]
        for _ in range(count):
            tenant.make("invoices_deliver")
        for _ in range(count):
            ids["tokenId"] = tenant.make("tokens_create")
        for _ in range(count):
            ids["runId"] = tenant.make("billing_run_create")
        for _ in range(count - 1):
            everywhere = {"accounts": "*"}
            another = invoke("billing_info_put_account", caller=everywhere, accountId=_digits())
            assert another.status == 204
        # An org has few of them: those that share it share one.
        [*endpoints] = tenant("webhooks_list_endpoints").json["webhook_endpoints"]
        if not endpoints:
            story.deliver(invoke.org_id, tenant.make("webhooks_create_endpoint"), count)
            endpoints = tenant("webhooks_list_endpoints").json["webhook_endpoints"]
        ids |= {"endpointId": endpoints[0]["id"], "deliveryId": f"{count:012}"}
        return tenant

    def declare(self) -> None:
        """Issue an invoice that is declared to the tax agency, which rejects it."""
        story.switch(self.invoke.org_id, FiscalRegime.VERIFACTU)
        self.ids["invoiceId"] = self.make("invoices_create")
        story.switch(self.invoke.org_id, FiscalRegime.NONE)
        story.reject(self.invoke.org_id)

    def make(self, event: str, **body: Any) -> Any:
        """Send a request that makes something; tell the id of that."""
        answer = self(event, **body)
        assert answer.status == 201, answer
        return answer.json.get("id")

    def __call__(self, event: str, named: Mapping[Place, Any] | None = None, **body: Any) -> Answer:
        """Send a request about its own things, but for what is `named` otherwise."""
        request = REQUESTS[event]
        sent: dict[str, Json] = {
            "path": {name: self.ids[name] for name in parameters(event) & self.ids.keys()},
            "query": dict(request.get("queryStringParameters", {})),
            "header": {},
            "body": {},
        }
        if "body" in request and not request.get("isBase64Encoded"):
            example = json.loads(request["body"])
            own = {name: self.ids[name] for name in example.keys() & self.ids.keys()}
            new = _external_ids(example) if method(event) == "POST" else {}
            sent["body"] = example | own | new | body
        for place, value in (named or {}).items():
            sent[place.part][place.name.lower() if place.part == "header" else place.name] = value
        return self.invoke(
            event,
            sent["body"] or None,
            caller={"accounts": self._reach(request), "token_id": self.token_id},
            query=sent["query"],
            headers=sent["header"],
            **sent["path"],
        )

    def _reach(self, request: Json) -> str:
        """Tell the accounts of its token, or of another one where a route asks for that."""
        if ALL_ACCOUNTS_SCOPE in _scopes(request):
            return "*"
        _, path = request["routeKey"].split()
        return str(self.ids["accountId"]) if path.startswith("/v3/") else self.accounts

    def has(self, event: str, place: Place) -> Any:
        """Tell what it has for a place; a cursor is one of its own list."""
        if place.name == "after":
            return self(event).json["next_after"]
        if place.name != "cursor":
            return self.ids[place.name]
        page = self(event, {Place("query", "limit"): "1"})
        cursor = page.headers.get("next-cursor") or page.json["next_cursor"]
        assert cursor
        return cursor

    def sees(self, *, alone: bool) -> dict[str, Answer]:
        """Read everything that it has; who is not alone in an org shares its lists."""
        answers = {
            event: self(event)
            for event in REQUESTS
            if method(event) == "GET"
            and event not in NEW_EACH_TIME
            and (alone or ALL_ACCOUNTS_SCOPE not in _scopes(REQUESTS[event]))
        }
        assert {answer.status for answer in answers.values()} == {200}
        return answers


@dataclass(frozen=True)
class Neighbours:
    """A tenant with two of everything, what it sees, and a neighbour with one of everything."""

    org: Invoker | None
    """Where they live together; else each has an org of its own."""
    theirs: Tenant
    seen: Mapping[str, Answer]
    ours: Tenant

    @classmethod
    def settle(cls, *, in_one_org: bool) -> "Neighbours":
        org = _new_org()
        theirs = Tenant.settle(org, 2)
        shared = org if in_one_org else None
        return cls(shared, theirs, theirs.sees(alone=not in_one_org), _neighbour(shared))

    def more(self) -> Tenant:
        """Settle one more neighbour."""
        return _neighbour(self.org)


def _neighbour(org: Invoker | None) -> Tenant:
    """Settle a tenant whose token reaches its account in a shared org, else all accounts."""
    tenant = Tenant.settle(org or _new_org(), 1)
    return tenant if org else replace(tenant, accounts="*")


@pytest.fixture(scope="module")
def settled(aws: None) -> Iterator[Mapping[str, Neighbours]]:
    """
    Settle a tenant in an org of its own, and one in an org that it shares.

    Billing runs have a queue that nobody reads, so that nothing changes by itself.
    """
    queue = sqs().create_queue(QueueName=f"test-{_hex()}")["QueueUrl"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RUNS_QUEUE", queue)
        yield {whose: Neighbours.settle(in_one_org="orgId" in SHARED[whose]) for whose in SHARED}
    sqs().delete_queue(QueueUrl=queue)


@pytest.mark.parametrize(
    ("whose", "event"),
    [(whose, event) for whose in SHARED for event in REQUESTS if _ways(event, whose)],
)
def test_an_id_of_another_is_as_one_that_nobody_has(
    settled: Mapping[str, Neighbours], whose: str, event: str
) -> None:
    neighbours = settled[whose]
    theirs, only_reads = neighbours.theirs, method(event) == "GET"
    ours = neighbours.ours if only_reads else neighbours.more()

    told, expected = {}, {}
    for way in _ways(event, whose):
        foreign = {place: theirs.has(event, place) for place in way}
        nobodys = {place: NOBODYS[place.name]() for place in way}
        told[_named(way)] = _told(ours(event, foreign), foreign)
        expected[_named(way)] = _told(ours(event, nobodys), nobodys)

    assert told == expected
    alone = neighbours.org is None
    assert only_reads or theirs.sees(alone=alone) == neighbours.seen


@pytest.mark.parametrize(
    ("whose", "event"),
    [
        (whose, event)
        for whose in SHARED
        for event, request in REQUESTS.items()
        if method(event) == "POST"
        and _external_ids(json.loads(request.get("body", "{}")))
        and _ways(event, whose)
    ],
)
def test_an_external_id_is_taken_within_one_org(
    settled: Mapping[str, Neighbours], whose: str, event: str
) -> None:
    theirs, ours = settled[whose].more(), settled[whose].more()
    if event in {"invoices_credit", "invoices_pay"}:  # of what they have, all is credited
        for each in (theirs, ours):
            each.ids["invoiceId"] = each.make("invoices_create")
    if event == "verifactu_correct":
        for each in (theirs, ours):
            each.declare()
    external = _external_ids(json.loads(REQUESTS[event]["body"]))
    first = theirs(event, **external)
    assert first.status == 201

    answer = ours(event, **external)

    if whose == "another org":
        assert _told(answer, {})[:2] == _told(first, {})[:2]
        assert "idempotent-replayed" not in answer.headers
    else:
        assert (answer.status, answer.json["code"]) == (409, "EXTERNAL_ID_REUSED")
        known = [theirs.ids["accountId"], *re.findall(ID, first.text)]
        assert [each for each in known if each in answer.text] == []
        assert "location" not in answer.headers


def _told(answer: Answer, named: Mapping[Place, Any]) -> tuple[int, str, str]:
    """Tell an answer byte for byte; but what was made has an id, and a path, of its own."""
    text, headers = answer.text, str(answer.headers)
    if answer.status == 201:
        for value in [*map(str, named.values()), *re.findall(ID, text)]:
            text, headers = text.replace(value, "…"), headers.replace(value, "…")
    return answer.status, text, headers


def _new_org() -> Invoker:
    invoke = Invoker(f"org-{_hex()}")
    assert invoke("billing_info_put_org").status == 204
    return invoke
