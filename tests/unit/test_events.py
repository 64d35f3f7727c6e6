"""The events of events/: one for all that calls a function, each as AWS would send it."""

import json
import re
from base64 import b64decode
from hashlib import md5
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    APIGatewayProxyEventV2Model,
    DynamoDBStreamModel,
    SqsModel,
)
from pydantic import BaseModel

from billing.domain.tokens import is_well_formed
from local.stack import ROOT
from tests import template

EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted(ROOT.glob("events/*.json"))}
EXAMPLE = "bil_000000000000000000000000000000002wjyrI"
REQUESTS = {
    name: event for name, event in EVENTS.items() if "http" in event.get("requestContext", {})
}
MODELS: dict[str, type[BaseModel]] = {"aws:dynamodb": DynamoDBStreamModel, "aws:sqs": SqsModel}


@pytest.mark.parametrize(
    "source", template.sources(), ids=lambda source: f"{source.function} {source.type}"
)
def test_all_that_calls_a_function_has_an_event(source: template.Source) -> None:
    events = [event for name, event in EVENTS.items() if name.startswith(f"{source.function}_")]

    if source.type == "HttpApi":
        assert source.route in [event.get("routeKey") for event in events]
    elif source.type in {"DynamoDB", "SQS"}:
        name = source.properties["EventSourceArn"].split(".")[0]
        assert [event for event in events if re.search(rf"[:/]{name}\b", _source_arn(event))]
    else:
        assert source.type == "Schedule", f"say in this test what {source.type} sends"
        bodies = [record.get("body") for event in events for record in event.get("Records", [])]
        assert source.properties["Target"]["Input"] in bodies


@pytest.mark.parametrize("name", EVENTS)
def test_powertools_models_take_it(name: str) -> None:
    event = EVENTS[name]
    if name in REQUESTS:
        APIGatewayProxyEventV2Model.model_validate(event)
    elif "Records" in event:
        MODELS[event["Records"][0]["eventSource"]].model_validate(event)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_says_the_same_everywhere(name: str) -> None:
    event = REQUESTS[name]
    context, parameters = event["requestContext"], event.get("pathParameters", {})
    method, _, path = event["routeKey"].partition(" ")

    assert event["routeKey"] in template.routes()
    assert context["routeKey"] == event["routeKey"]
    assert context["http"]["path"] == event["rawPath"]
    if path:
        assert context["http"]["method"] == method
        assert re.sub(r"\{(\w+)\}", lambda found: parameters[found[1]], path) == event["rawPath"]
        assert len(parameters) == path.count("{")
    query = dict(parse_qsl(event["rawQueryString"]))
    assert query == event.get("queryStringParameters", {})
    assert [each for each in event["headers"] if each != each.lower()] == []
    if event.get("isBase64Encoded"):
        assert event["headers"]["content-type"].startswith("image/")
        assert int(event["headers"]["content-length"]) == len(b64decode(event["body"]))
    elif "body" in event:
        assert event["headers"]["content-type"] == "application/json"
        assert int(event["headers"]["content-length"]) == len(event["body"].encode())
        json.loads(event["body"])


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_has_all_that_payload_2_0_has(name: str) -> None:
    event = REQUESTS[name]

    assert event["version"] == "2.0"
    assert set(event["requestContext"]["http"]) == {
        "method", "path", "protocol", "sourceIp", "userAgent",
    }  # fmt: skip
    assert set(event["requestContext"]) == {
        "accountId", "apiId", "authentication", "domainName", "domainPrefix", "http", "requestId",
        "routeKey", "stage", "time", "timeEpoch",
    }  # fmt: skip


def test_the_token_of_a_request_is_plainly_an_example_and_well_formed() -> None:
    tokens = {event["headers"].get("private-token") for event in REQUESTS.values()}

    assert tokens == {EXAMPLE, None}
    assert is_well_formed(EXAMPLE)


def test_a_message_has_the_digest_of_its_body() -> None:
    messages = [
        record
        for event in EVENTS.values()
        for record in event.get("Records", [])
        if record["eventSource"] == "aws:sqs"
    ]

    assert [
        each["body"]
        for each in messages
        if each["md5OfBody"] != md5(each["body"].encode(), usedforsecurity=False).hexdigest()
    ] == []


def test_integration_tests_use_every_event() -> None:
    """Requests are all sent by test_answers."""
    tests = "".join(path.read_text() for path in Path(ROOT / "tests/integration").glob("*.py"))

    others = EVENTS.keys() - REQUESTS.keys()
    assert [name for name in others if not re.search(rf'"{name}(\.json)?"', tests)] == []


def _source_arn(event: dict[str, Any]) -> str:
    return str(event["Records"][0]["eventSourceARN"]) if "Records" in event else ""
