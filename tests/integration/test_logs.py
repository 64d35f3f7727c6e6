"""Whatever goes wrong, nobody is told by what text: not the caller, not the log, not Lambda."""

import importlib
import json
import logging
import time
from typing import Any, NoReturn

import pytest
from botocore.client import BaseClient

from billing import aws
from billing.api.logger import logger
from tests.integration import callers
from tests.integration.conftest import EVENTS, Context, Invoker, Json, function_of
from tests.integration.faults import Faulty, reset
from tests.integration.story import seconds_of
from tests.logs import secrets_in

pytestmark = pytest.mark.moto

SECRET = "Ana García López, Calle Mayor 12, ES91 2100 0418 4502 0005 1332, 12345678Z"

ASKS_NOTHING = {"verifactu_get_declaration"}
"""It says what the stack's parameters say."""
CALLS = [
    path.stem
    for path in sorted(EVENTS.glob("*.json"))
    if function_of(path.stem) != "front" and path.stem not in ASKS_NOTHING
]
"""The events of every function that needs AWS."""


def fail(*_: Any, **__: Any) -> NoReturn:
    raise ValueError(SECRET)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", CALLS)
def test_an_unforeseen_error_is_reported_and_its_text_is_not(
    name: str, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log itself is searched, like that of every test."""
    event = Invoker("demo").event(name)
    monkeypatch.setenv("EXCHANGE_RATES_URL", "http://127.0.0.1:9/")
    monkeypatch.setattr(BaseClient, "_make_api_call", fail)

    told = _call(function_of(name), event)

    assert secrets_in([told]) == []
    reports = [json.loads(line) for line in logged]
    errors = [each["error"] for each in reports if each["level"] == "ERROR"]
    assert set(errors) == {"ValueError"}


def _call(function: str, event: Json) -> str:
    """Call a function; tell what Lambda gets from it, which logs an error with its text."""
    module = importlib.import_module(f"functions.{function}.app")
    callers.know(event)
    try:
        return repr(module.lambda_handler(event, Context(1_000 * seconds_of(function))))
    except Exception as error:
        return repr(error)


def test_each_request_is_a_line_without_any_value(
    billed: Invoker, requests_logged: list[str]
) -> None:
    requests_logged.clear()

    answers = [
        billed("billing_info_get_account"),
        billed("billing_info_get_account", caller={"accounts": "100002"}),
        billed("invoices_get", headers={"private-token": SECRET}),
    ]

    lines = list(map(json.loads, requests_logged))
    assert [each["status"] for each in lines] == [answer.status for answer in answers]
    assert [each["status"] for each in lines] == [200, 403, 401]
    found, refused, unknown = lines
    assert (found["method"], found["route"]) == (
        "GET",
        "GET /v1/orgs/{orgId}/accounts/{accountId}/billing_details",
    )
    assert (found["org_id"], found["trace_id"]) == (
        billed.org_id,
        answers[0].headers["x-request-id"],
    )
    assert found["correlation_id"] == found["trace_id"]
    assert found["token_id"]
    assert refused["token_id"]
    assert 0 <= found["ms"] < 20_000
    assert "org_id" not in unknown
    ours = {"method", "route", "status", "ms", "trace_id", "org_id", "token_id"}
    assert set(found) - set(_plain_line()) == ours


def test_a_path_that_nobody_routes_is_not_logged(
    billed: Invoker, requests_logged: list[str]
) -> None:
    event = billed.event("front_unrouted")
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"/v1/{SECRET}"
    requests_logged.clear()

    assert billed.call("front", event).status == 404

    [line] = map(json.loads, requests_logged)
    assert line["route"] == "$default"


@pytest.mark.usefixtures("aws")
def test_a_slow_call_of_aws_is_logged(
    billed: Invoker, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert billed("billing_info_get_org").status == 200
    assert logged == []
    monkeypatch.setattr(aws, "SLOW_SECONDS", 0)

    assert billed("billing_info_get_org").status == 200

    lines = [json.loads(line) for line in logged]
    assert {(each["level"], each["message"]) for each in lines} == {("WARNING", "slow call")}
    assert ("dynamodb", "GetItem") in {(each["service_id"], each["operation"]) for each in lines}
    assert all(each["ms"] >= 0 and each["retries"] == 0 for each in lines)


def test_a_call_of_aws_that_was_tried_again_is_logged(
    billed: Invoker, dynamodb: Any, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between tries

    with Faulty(dynamodb, 1, reset, times=1):
        assert billed("billing_info_get_org").status == 200

    [line] = map(json.loads, logged)
    assert (line["message"], line["retries"]) == ("slow call", 1)


def _plain_line() -> Json:
    """Read what every line has."""
    record = logging.LogRecord("", logging.INFO, "", 0, "", None, None)
    line: Json = json.loads(logger.registered_formatter.format(record))
    return line
