"""The headers that all answers share, and where what was made is found."""

import json
import re
from typing import Any

import pytest

from tests import template
from tests.integration.conftest import Answer, Invoker
from tests.integration.story import REQUESTS, Story, in_order, method

pytestmark = pytest.mark.moto


@pytest.fixture(scope="module")
def told(aws: None) -> dict[str, Answer]:
    """Send all events, in one org."""
    story = Story(Invoker("org-of-headers"))
    return {name: story.tell(name) for name in in_order()}


@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_kept_by_nobody_and_is_what_it_says(
    told: dict[str, Answer], name: str
) -> None:
    headers = told[name].headers

    assert headers["x-content-type-options"] == "nosniff"
    kept_by_client = name in ("invoices_get_pdf", "billing_info_get_logo")
    assert headers["cache-control"] == ("private, no-cache" if kept_by_client else "no-store")


@pytest.mark.parametrize("path", ["/v1/orgs", "/v2/orgs", "/v3/account", "/"])
@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_so_is_a_failure(invoke: Invoker, verb: str, path: str) -> None:
    event = invoke.event("front_unrouted")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = verb

    _is_kept_by_nobody(invoke.call("front", event))


@pytest.mark.parametrize("fails", [ValueError, KeyError])
def test_so_is_a_surprise_and_a_refusal(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch, fails: type[Exception]
) -> None:
    def fail(*_: Any) -> None:
        raise fails

    refused = invoke("location_tax_put", caller={"role": "reader"})
    malformed = invoke("location_tax_put", "{")
    monkeypatch.setattr("functions.location_tax.app.OwnRatesRepository", fail)
    failed = invoke("location_tax_get")

    assert [refused.status, malformed.status, failed.status] == [403, 400, 500]
    for answer in (refused, malformed, failed):
        _is_kept_by_nobody(answer)


MAKES_NOTHING = "webhooks_replay"
FOUND_ELSEWHERE = {"invoices_deliver": "/deliveries", "verifactu_correct": "/fiscal_record"}
"""What these make is read in the list of its kind, or with what it is about, not by itself."""


@pytest.mark.parametrize(
    "name", [name for name in REQUESTS if method(name) == "POST" and name != MAKES_NOTHING]
)
def test_what_was_made_is_found_where_the_answer_says(told: dict[str, Answer], name: str) -> None:
    answer = told[name]

    assert answer.status == 201
    location = answer.headers["location"]
    assert [route for route in template.routes() if re.fullmatch(_pattern(route), location)]
    if name in FOUND_ELSEWHERE:
        assert location.endswith(FOUND_ELSEWHERE[name])
    elif "id" in answer.json:
        assert location.endswith(f"/{answer.json['id']}")


def test_a_replay_says_the_same(billed: Invoker) -> None:
    first, again = billed("invoices_create"), billed("invoices_create")

    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]


def test_a_pdf_is_not_sent_again_to_who_has_it(billed: Invoker, aws_calls: Any) -> None:
    invoice_id = billed("invoices_create").json["id"]
    first = billed("invoices_get_pdf", invoiceId=invoice_id)
    aws_calls()

    again = billed(
        "invoices_get_pdf", invoiceId=invoice_id, headers={"if-none-match": first.headers["etag"]}
    )

    assert (again.status, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert aws_calls() == ["BatchGetItem"]


@pytest.mark.parametrize(
    "content_type", ["APPLICATION/JSON", "Application/Json; charset=utf-8", "application/json"]
)
def test_json_is_declared_in_any_case(billed: Invoker, content_type: str) -> None:
    answer = billed("invoices_create", headers={"content-type": content_type})

    assert answer.status == 201, answer.text


def _pattern(route: str) -> str:
    path = route.partition(" ")[2]
    return re.sub(r"\{\w+\}", "[^/]+", path)


def _is_kept_by_nobody(answer: Answer) -> None:
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text == "" or json.loads(answer.text)
