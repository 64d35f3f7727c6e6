"""What belongs to no function: 404, 405, the OpenAPI document and its page."""

import gzip
import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from tests.integration import callers
from tests.integration.conftest import Invoker

pytestmark = pytest.mark.moto


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v3/account/invoice", "GET"),
        ("POST", "/v3/account/invoice/7/pdf", "GET"),
        ("PATCH", "/v1/orgs/demo/accounts/1/billing_details", "GET, PUT"),
        ("PUT", "/v1/orgs/demo/accounts/1/invoices", "GET, POST"),
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
        ("/v0", {"code", "message", "details", "trace_id"}),
        ("/v3/account/invoice/", {"errorCode", "errorMessage", "errors"}),
    ],
)
def test_404_in_the_dialect_of_the_path(invoke: Invoker, path: str, fields: set[str]) -> None:
    answer = _unrouted(invoke, "GET", path)

    assert (answer.status, set(answer.json)) == (404, fields)


@pytest.mark.parametrize("content_type", ["image/png", "application/json", "text/plain; charset=x"])
def test_405_whatever_was_sent(invoke: Invoker, content_type: str) -> None:
    event = invoke.event("front_unrouted")
    event |= {"body": b64encode(b"\xff\x00").decode(), "isBase64Encoded": True}
    event["headers"]["content-type"] = content_type

    assert invoke.call("front", event).status == 405


def test_sam_local_has_other_events_for_the_same_requests(invoke: Invoker) -> None:
    """It leaves the names of headers as they were sent, and has a parameter for the whole path."""
    event = invoke.event("front_unrouted")
    callers.know(event)
    event["headers"]["Private-Token"] = event["headers"].pop("private-token")
    event["pathParameters"] = {"any_path": event["rawPath"].removeprefix("/")}

    assert invoke.call("front", event).status == 405


def test_serves_the_openapi_document_to_everybody(invoke: Invoker) -> None:
    answer = invoke("front_openapi")

    assert answer.status == 200
    assert json.loads(answer.text)["openapi"] == "3.1.0"


def test_serves_its_page_without_any_other_host(invoke: Invoker) -> None:
    answer = invoke("front_docs")

    assert answer.status == 200
    assert 'fetch("openapi.json")' in answer.text
    page = re.sub(r"<script>.*?</script>", "", answer.text, flags=re.DOTALL)
    assert not re.search(r"<[^>]* (src|href)=[\"']?(https?:)?//", page)


def test_the_address_of_the_api_leads_to_its_reference(invoke: Invoker) -> None:
    answer = invoke("front_root")

    assert (answer.status, answer.headers["location"]) == (302, "docs")


@pytest.mark.parametrize("page", ["front_docs", "front_console"])
def test_its_page_runs_its_own_scripts_only_and_stands_in_no_frame(
    invoke: Invoker, page: str
) -> None:
    answer = invoke(page)

    policy = dict(
        rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; ")
    )
    scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    assert policy["script-src"].split() == [
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts
    ]
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy["script-src"]
    # The viewer makes its styles as it runs. They can fetch nothing: no image, no font.
    assert (policy["style-src"] == "'unsafe-inline'") == (page == "front_docs")
    assert ("unsafe" in policy["style-src"]) == (page == "front_docs")
    assert "font-src" not in policy
    assert policy["img-src"] == "data:"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("event", ["front_openapi", "front_docs", "front_console"])
@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("br", False),
        ("", False),
    ],
)
def test_is_compressed_where_that_is_accepted(
    invoke: Invoker, event: str, accepted: str, is_compressed: bool
) -> None:
    plain = invoke(event, headers={"accept-encoding": ""})

    answer = invoke(event, headers={"accept-encoding": accepted})

    assert answer.headers.get("content-encoding") == ("gzip" if is_compressed else None)
    content = gzip.decompress(answer.content) if is_compressed else answer.content
    assert content == plain.content
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("event", ["front_openapi", "front_docs", "front_console"])
def test_is_not_sent_again_to_who_has_it(invoke: Invoker, event: str) -> None:
    first = invoke(event)

    again = invoke(event, headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    other = invoke(event, headers={"if-none-match": '"other"'})

    assert first.headers["cache-control"] == "public, max-age=300"
    assert (again.status, again.content) == (304, b"")
    for name in ("cache-control", "etag", "vary"):
        assert again.headers[name] == first.headers[name]
    assert (other.status, other.content) == (200, first.content)


def _unrouted(invoke: Invoker, method: str, path: str) -> Any:
    event = invoke.event("front_unrouted")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    return invoke.call("front", event)
