"""Calls of functions as the gateway makes them, with the events of events/."""

import base64
import importlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.retries.quota import RetryQuota

from billing.api.access import ALL_ACCOUNTS_SCOPE
from billing.api.app import BillingApp
from tests.integration import aws_model, callers, roles
from tests.integration.billing import runs  # noqa: F401 - a fixture
from tools import openapi
from tools.failures import EXAMPLES

EVENTS = Path(__file__).parents[2] / "events"

type Json = dict[str, Any]

HAND_OUT_ACCESS = {"share", "tokens", "webhooks"}
"""Functions that read the token of a call anew."""


class _InHand(threading.local):
    """The event that a thread handles, and what each application notes of it."""

    def __init__(self) -> None:
        self.event: Any = None
        self.notes: dict[BillingApp, Json] = {}


def _handle_events_side_by_side() -> None:
    """
    Have each thread handle an event of its own, as each process does on Lambda.

    Powertools keeps what is in hand in one place of the process.
    """
    in_hand, worded = _InHand(), BillingApp._to_proxy_event

    def take(app: BillingApp, event: Json) -> Any:
        in_hand.event = worded(app, event)
        return in_hand.event

    for name, value in {
        "_to_proxy_event": take,
        "current_event": property(lambda _: in_hand.event),
        "context": property(lambda app: in_hand.notes.setdefault(app, {}), lambda *_: None),
    }.items():
        setattr(BillingApp, name, value)


_handle_events_side_by_side()


class Context(LambdaContext):
    """What Lambda tells a function about its invocation."""

    def __init__(self, remaining_ms: int = 20_000) -> None:
        self._remaining_ms = remaining_ms
        self._function_name = "function"
        self._memory_limit_in_mb = 1024
        self._invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
        self._aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]
        return self._remaining_ms


@dataclass
class Answer:
    """What a function answered."""

    status: int
    headers: dict[str, str]
    text: str
    content: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def texts(self) -> set[str]:
        """All texts in it, in whatever dialect: the code of a failure, its message and details."""
        return set(_texts(self.json))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


class Invoker:
    """
    Calls functions in the name of one org.

    With `written` its tokens are in the table, for processes and tests that read them. Tokens are
    those of a `sandbox` where the org is one, and for routes that only sandboxes have.
    """

    def __init__(self, org_id: str, *, written: bool = False, sandbox: bool = False) -> None:
        self.org_id = org_id
        self._written = written
        self._sandbox = sandbox

    def event(self, name: str, caller: Any = None, **path: str | int) -> Json:
        """Read an event, for this org and other path parameters, with the token of a caller."""
        event: Json = json.loads((EVENTS / f"{name}.json").read_text().replace("demo", self.org_id))
        parameters = {**event.get("pathParameters", {}), **{k: str(v) for k, v in path.items()}}
        url = event.get("routeKey", "").split(" ")[-1]
        for parameter, value in parameters.items():
            url = url.replace(f"{{{parameter}}}", value)
        if parameters:
            event["pathParameters"] = parameters
            event["rawPath"] = event["requestContext"]["http"]["path"] = url
        if "private-token" in event.get("headers", {}):
            asked = _asked(function_of(name), event["routeKey"])
            sandbox = self._sandbox or function_of(name) == "sandbox_clock"
            known = {"org_id": self.org_id, "sandbox": sandbox}
            token = callers.token_of(**{**known, **asked, **(caller or {})})
            event["headers"]["private-token"] = token
            if self._written or function_of(name) in HAND_OUT_ACCESS:
                callers.write(event)
        return event

    def __call__(  # one argument for each thing that a call can vary
        self,
        name: str,
        body: Any = None,
        *,
        caller: Json | None = None,
        headers: Json | None = None,
        query: Json | None = None,
        remaining_ms: int = 20_000,
        **path: str | int,
    ) -> Answer:
        """Call the function that an event is for; `body` merges into the event's own."""
        event = self.event(name, caller, **path)
        if isinstance(body, dict):
            event["body"] = json.dumps({**json.loads(event["body"]), **body})
        elif body is not None:
            event["body"] = body
        if query is not None:
            event["queryStringParameters"] = query
        event["headers"] = {**event["headers"], **(headers or {})}
        return self.call(function_of(name), event, remaining_ms)

    def call(self, function: str, event: Json, remaining_ms: int = 20_000) -> Answer:
        """Call a function with a whole event."""
        module = importlib.import_module(f"functions.{function}.app")
        callers.know(event)
        answer = module.lambda_handler(event, Context(remaining_ms))
        body = answer.get("body") or ""
        aws_model.measure("answer", len(json.dumps(answer).encode()))
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        answered = Answer(int(answer["statusCode"]), headers, body, content)
        _check_code(event.get("routeKey", ""), answered)
        return answered


CODES: dict[str, list[str]] = {
    f"{verb.upper()} {path}": operation["x-error-codes"]
    for path, verb, operation in openapi.operations(json.loads(openapi.FILE.read_text()))
}
"""The codes of errors that routes have, as the OpenAPI document lists them."""


def _check_code(route: str, answer: Answer) -> None:
    """Check that the OpenAPI document lists the code of a failure for its route."""
    if answer.status < HTTPStatus.BAD_REQUEST or route not in CODES:
        return
    body = answer.json
    first = body["errors"][0]["message"] if "errors" in body else body.get("detailMsg")
    code = body["code"] if isinstance(body.get("code"), str) else first
    assert code in CODES[route] or code not in EXAMPLES, (
        f"say in the docstring of {route} that it answers `{code}`"
    )


FUNCTIONS = sorted(
    (path.parent.name for path in EVENTS.parent.glob("functions/*/app.py")), key=len, reverse=True
)


def function_of(event_name: str) -> str:
    return next(name for name in FUNCTIONS if event_name.startswith(f"{name}_"))


def _asked(function: str, route: str) -> Json:
    """Tell what a route asks of its caller, who reaches no more than the account of the events."""
    if route == "$default":
        return {"role": "reader", "accounts": "100001"}
    app = importlib.import_module(f"functions.{function}.app").app
    role, *reach = app.required_scopes(route)
    return {"role": role, "accounts": "*" if ALL_ACCOUNTS_SCOPE in reach else "100001"}


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Note which calls there were so far, for the last test of all processes."""
    roles.note(folder_of_this_run(item.config))


def folder_of_this_run(config: pytest.Config) -> Path:
    """Find the folder that all processes of this run share."""
    folder: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(autouse=True)
def _no_deadline() -> Iterator[None]:
    """Leave the deadline of a function's call to nobody."""
    from billing import deadline

    yield
    deadline.clear()


@pytest.fixture
def invoke(aws: None, org_id: str) -> Invoker:
    """Call functions in the name of an org of its own, without any data."""
    return Invoker(org_id)


@pytest.fixture
def lanes() -> int:
    """The number of lanes of the org; tests marked with `in_lanes` run with one and with three."""
    return 1


@pytest.fixture
def billed(invoke: Invoker, lanes: int) -> Invoker:
    """Call functions in the name of an org with an account 100001 that has a subscription."""
    body = {"lanes": lanes} if lanes > 1 else {}
    assert invoke("billing_info_put_org", body).status == 204
    assert invoke("billing_info_put_account").status == 204
    assert invoke("billing_info_put_subscription").status == 204
    return invoke


@pytest.fixture
def aws_calls() -> Iterator[Callable[[], list[str]]]:
    """Record what is asked of AWS: answers the names of the operations since the last time."""
    from billing import aws

    names: list[str] = []

    def record(model: Any, **_: Any) -> None:
        names.append(model.name)

    def since_last_time() -> list[str]:
        recorded = names.copy()
        names.clear()
        return recorded

    clients = [aws.dynamodb(), aws.s3(), aws.lambda_()]
    for client in clients:
        client.meta.events.register("before-call", record, unique_id="aws_calls")
    yield since_last_time
    for client in clients:
        client.meta.events.unregister("before-call", record, unique_id="aws_calls")


@pytest.fixture
def dynamodb(aws: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the client, without the quota of retries that one test would leave spent to the next."""
    from billing import aws as clients

    monkeypatch.setattr(RetryQuota, "acquire", lambda *_: True)
    return clients.dynamodb()
