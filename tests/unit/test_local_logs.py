"""What `make run` and `make logs` print of the functions' log."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from botocore.exceptions import EndpointConnectionError

from local import deploy
from local.logs import Log, to_line
from local.stack import Stack

NOON = 1_795_694_400_000


def _line(message: str) -> str | None:
    line = to_line(NOON, message)
    return line and line.split("  ", 2)[2]


def test_a_request_is_one_line() -> None:
    logged = {
        "level": "INFO",
        "message": "request",
        "method": "GET",
        "route": "GET /v3/account/invoice",
        "status": 200,
        "ms": 12,
        "trace_id": "JKJaXmPLvHcESHA=",
        "org_id": "demo",
    }

    assert _line(json.dumps(logged)) == "GET    /v3/account/invoice  200  12 ms  JKJaXmPLvHcESHA="


def test_a_request_that_failed_says_why() -> None:
    logged = {
        "level": "INFO",
        "message": "request",
        "method": "POST",
        "route": "$default",
        "status": 404,
        "ms": 1,
        "trace_id": "id",
        "code": "NOT_FOUND",
    }

    assert _line(json.dumps(logged)) == "POST   $default  404  1 ms  id  NOT_FOUND"


def test_what_went_wrong_is_told_with_what_is_known_of_it() -> None:
    logged = {
        "level": "ERROR",
        "location": "report:33",
        "message": "unforeseen",
        "service": "billing",
        "error": "KeyError",
        "function_name": "billing-InvoicesFunction",
    }

    assert _line(json.dumps(logged)) == "ERROR  unforeseen  error=KeyError"


@pytest.mark.parametrize("message", ["START RequestId: 1", "END RequestId: 1", "REPORT …", "\n"])
def test_what_lambda_says_of_each_call_is_left_out(message: str) -> None:
    assert _line(message) is None


def test_any_other_text_stays_as_it_is() -> None:
    assert _line("Traceback (most recent call last):\n") == "Traceback (most recent call last):"


def test_a_stack_that_is_being_stopped_ends_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"logStreamName": "a", "timestamp": NOON, "message": "Task timed out"}
    cloudwatch = Mock()
    cloudwatch.get_paginator.return_value.paginate.side_effect = [
        EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"),
        [{"events": [event]}],
    ]
    monkeypatch.setattr(deploy, "client", lambda *_: cloudwatch)
    monkeypatch.setattr(deploy, "physical_id", lambda *_: "group")
    log = Log(Stack(4566, Path()), since=0)

    assert list(log.lines()) == []
    assert [line.split("  ")[-1] for line in log.lines()] == ["Task timed out"]
