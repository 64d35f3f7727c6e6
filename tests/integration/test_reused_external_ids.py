"""A 409 for a reused external id names what it made, to callers who may see that."""

import json
import re
from typing import Any
from uuid import uuid4

import boto3
import pytest

from billing import config
from billing.persistence.dynamodb import Key, key_of
from billing.persistence.idempotency import external_key
from tests.integration.billing import charge
from tests.integration.conftest import Answer, Invoker
from tests.integration.story import REQUESTS, Story, in_order
from tools import openapi

type Json = dict[str, Any]

DOCUMENT = json.loads(openapi.FILE.read_text())
EVERYONES = {"accounts": "*"}
"""A caller who reaches all accounts."""
OTHERS = {"accounts": "100002"}
"""A caller who reaches another account alone."""


def _takes_external_id(schema: Json) -> bool:
    """Return whether a body of this schema has an external id, on its own or in a list."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    fields = schema.get("properties", {})
    return any(
        openapi.EXTERNAL_ID.fullmatch(name) or _takes_external_id(field.get("items", {}))
        for name, field in fields.items()
    )


def _says_more(schema: Json) -> bool:
    """Return whether a body of this schema has more than an external id, to be another one by."""
    named = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return len(named["properties"]) > 1 or "records" in named["properties"]


CREATES = {
    f"POST {path}"
    for path, verb, operation in openapi.operations(DOCUMENT)
    if verb == "post" and "requestBody" in operation
    for content in operation["requestBody"]["content"].values()
    if _takes_external_id(content["schema"]) and _says_more(content["schema"])
}
"""Every route that creates something with an external id, as the OpenAPI document has them."""


def _otherwise(body: Json) -> Json:
    """Return a body that says something else with the same external ids."""
    if "records" in body:
        first, *others = body["records"]
        return {"records": [first | {"units": first["units"] + 1}, *others]}
    for name, other in (
        ("description", "Something else"),
        ("reason", "Something else"),
        ("method", "cash"),
        ("buyer_id_type", "passport"),
    ):
        if name in body:
            return {name: other}
    if "external_billing_run_unique_id" in body:
        return {"until": "2026-01-31"}
    raise AssertionError(f"say how to send something else than {body}")


def _read(invoke: Invoker, path: str) -> Answer:
    """GET a path that an answer named, by the event of its route."""
    for name, request in REQUESTS.items():
        verb, template = request["routeKey"].split()
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), path)
        if verb == "GET" and found:
            parameters: Any = found.groupdict()
            return invoke(name, caller=EVERYONES, **parameters)
    raise AssertionError(f"no route reads {path}")


@pytest.fixture(scope="module")
def told(aws: None) -> dict[str, tuple[Answer, Answer, Answer]]:
    """
    Send all events, and what creates something again with another body; read what is named then.

    Return by route the first answer, the second one, and what was read.
    """
    story = Story(Invoker(f"org-{uuid4().hex}"))
    answers = {}
    for name in in_order():
        first = story.tell(name)
        if REQUESTS[name]["routeKey"] in CREATES:
            refused = story.tell(name, _otherwise(json.loads(REQUESTS[name]["body"])))
            seen = _read(story.invoke, refused.headers.get("location", "nowhere"))
            answers[REQUESTS[name]["routeKey"]] = (first, refused, seen)
    return answers


@pytest.mark.parametrize("route", sorted(CREATES))
def test_it_has_the_location_that_the_first_answer_had(
    told: dict[str, tuple[Answer, Answer, Answer]], route: str
) -> None:
    first, refused, seen = told[route]

    assert (first.status, refused.status) == (201, 409)
    assert refused.json["code"] == "EXTERNAL_ID_REUSED"
    assert refused.headers["location"] == first.headers["location"]
    assert seen.status == 200


def test_it_names_what_another_account_has_only_to_who_reaches_that(billed: Invoker) -> None:
    first = billed("movements_create")
    path: Any = {"accountId": 100002, "subscriptionId": "s-2"}
    assert billed("billing_info_put_account", caller=OTHERS, accountId=100002).status == 204
    assert billed("billing_info_put_subscription", caller=EVERYONES, **path).status == 204

    def reuse(caller: Json) -> Answer:
        body = {"account_id": "100002"}
        return billed("movements_create", body, caller=caller, subscriptionId="s-2")

    hidden, shown = reuse(OTHERS), reuse(EVERYONES)

    assert {each.json["code"] for each in (hidden, shown)} == {"EXTERNAL_ID_REUSED"}
    assert "location" not in hidden.headers
    assert shown.headers["location"] == first.headers["location"]


def test_it_does_not_name_what_is_gone(billed: Invoker) -> None:
    path = {"movementId": billed("movements_create").json["id"]}
    refund_id = billed("refunds_create", **path).json["id"]
    other_id = charge(billed)
    assert billed("refunds_delete", **path, refundId=refund_id).status == 204
    assert billed("movements_delete", **path).status == 204

    refused = [
        billed("movements_create"),
        billed("movements_create", {"description": "Something else"}),
        billed("refunds_create", {"description": "Something else"}, movementId=other_id),
    ]

    told = [(each.json["code"], each.headers.get("location")) for each in refused]
    assert told == [
        ("MOVEMENT_DELETED", None),
        ("EXTERNAL_ID_REUSED", None),
        ("EXTERNAL_ID_REUSED", None),
    ]


def test_it_names_a_refund_of_another_movement(billed: Invoker) -> None:
    path = {"movementId": billed("movements_create").json["id"]}
    first = billed("refunds_create", **path)

    refused = billed("refunds_create", movementId=charge(billed))

    assert (refused.status, refused.headers["location"]) == (409, first.headers["location"])


def test_a_reversed_payment_is_named_too(billed: Invoker) -> None:
    assert billed("invoices_create").status == 201
    first = billed("invoices_pay")
    assert billed("invoices_reverse_payment", paymentId=first.json["id"]).status == 201

    refused = billed("invoices_pay")

    assert refused.json["code"] == "PAYMENT_REVERSED"
    assert refused.headers["location"] == first.headers["location"]


def test_what_version_1_0_kept_is_replayed_and_not_named(billed: Invoker) -> None:
    path = {"movementId": billed("movements_create").json["id"]}
    refund_id = billed("refunds_create", **path).json["id"]
    for kind, table, value in (
        ("movement", config.movements_table(), "movement-1"),
        ("refund", config.refunds_table(), "refund-1"),
    ):
        _forget_name(table, external_key(billed.org_id, kind, value))

    assert billed("movements_create").json["id"] == path["movementId"]
    assert billed("refunds_create", **path).json["id"] == refund_id
    for event in ("movements_create", "refunds_create"):
        refused = billed(event, {"description": "Something else"}, **path)
        assert (refused.status, refused.headers.get("location")) == (409, None)


def _forget_name(table: str, key: Key) -> None:
    """Leave of an idempotency record what version 1.0 kept."""
    client: Any = boto3.client("dynamodb")
    item = client.get_item(TableName=table, Key=key_of(key))["Item"]
    kept = {name: item[name] for name in ("pk", "sk", "id", "fingerprint")}
    client.put_item(TableName=table, Item=kept)
