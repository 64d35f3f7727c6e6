"""What belongs to no function: 404, 405, the OpenAPI document and its page."""

import json
import re
from typing import Any

import pytest

from tests.integration.conftest import Invoker

pytestmark = pytest.mark.moto


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v3/account/invoice", "GET"),
        ("POST", "/v3/account/invoice/7/pdf", "GET"),
        ("PATCH", "/v1/orgs/demo/accounts/1/billing_details", "GET, PUT"),
        ("GET", "/v1/orgs/demo/accounts/1/invoices", "POST"),
        ("POST", "/v2/orgs/demo/accounts/1/invoices", "GET"),
    ],
)
def test_405_tells_what_the_path_takes(invoke: Invoker, method: str, path: str, allow: str) -> None:
    answer = _unrouted(invoke, method, path)

    assert (answer.status, answer.headers["allow"]) == (405, allow)
    assert (answer.text == "") == path.startswith("/v2/")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/orgs", {"code", "message", "details", "trace_id"}),
        ("/v2/orgs", {"code", "status", "message", "detailMsg"}),
        ("/v3/account", {"errorCode", "errorMessage", "errors"}),
        ("/v4", {"code", "message", "details", "trace_id"}),
        ("/", {"code", "message", "details", "trace_id"}),
        ("/v3/account/invoice/", {"errorCode", "errorMessage", "errors"}),
    ],
)
def test_404_in_the_dialect_of_the_path(invoke: Invoker, path: str, fields: set[str]) -> None:
    answer = _unrouted(invoke, "GET", path)

    assert (answer.status, set(answer.json)) == (404, fields)


def test_serves_the_openapi_document_to_everybody(invoke: Invoker) -> None:
    answer = invoke("front_openapi")

    assert answer.status == 200
    assert json.loads(answer.text)["openapi"] == "3.1.0"


def test_serves_its_page_without_any_other_host(invoke: Invoker) -> None:
    answer = invoke("front_docs")

    assert answer.status == 200
    assert 'url: "openapi.json"' in answer.text
    assert "default-src 'none'; connect-src 'self'" in answer.text
    assert not re.search(r"<[^>]* (src|href)=[\"']?(https?:)?//", answer.text)


def _unrouted(invoke: Invoker, method: str, path: str) -> Any:
    event = invoke.event("front_unrouted")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    return invoke.call("front", event)
