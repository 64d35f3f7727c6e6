"""
The answers of events/answers/ are what the functions answer to the events.

The OpenAPI document shows them as examples. RECORD=1 pytest tests/integration/test_answers.py
writes them anew.
"""

import json
import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from billing import clock
from tests import template
from tests.integration.conftest import EVENTS, Answer, Invoker

ANSWERS = EVENTS / "answers"
RECORD = bool(os.environ.get("RECORD"))

type Json = dict[str, Any]

REQUESTS: dict[str, Json] = {
    path.stem: event
    for path in sorted(EVENTS.glob("*.json"))
    if "/v" in (event := json.loads(path.read_text())).get("routeKey", "") and "type" not in event
}
GIVEN_OUT = {
    parameter: route
    for route in template.routes()
    if route.startswith("POST ")
    for other in template.routes()
    for parameter in re.findall(rf" {re.escape(route[5:])}/\{{(\w+)\}}", other)
}
"""Path parameters whose values we give out, and the route that does."""
SHOWN = {
    "token": "bil_000000000000000000000000000000002wjyrI",
    "url": "https://documents.s3.eu-west-1.amazonaws.com/demo/100001/1/F2026-000001.pdf?X-Amz-…",
}
"""What stands in for secrets."""
LAST = ("invoices_credit", "billing_run_")
"""They leave nothing to pay, and close the cycles that all the others write to."""


@pytest.fixture(scope="module")
def told(aws: None) -> dict[str, Json]:
    """Send all events in an order in which each finds what it is about."""
    invoke = Invoker(f"org-{uuid4().hex}")
    known = {"invoiceNumber": f"F{clock.now().year}-000001"}
    answers: dict[str, Json] = {}
    while left := [name for name in REQUESTS if name not in answers]:
        ready = [name for name in left if _parameters(name).keys() & GIVEN_OUT <= known.keys()]
        assert ready, f"nothing gives out what {left} are about"
        name = min(ready, key=_turn)
        path: Any = {each: known[each] for each in _parameters(name) if each in known}
        answer = invoke(name, **path)
        answers[name] = json.loads(json.dumps(_shown(answer)).replace(invoke.org_id, "demo"))
        for parameter, route in GIVEN_OUT.items():
            if REQUESTS[name]["routeKey"] == route and answer.status == 201:
                known.setdefault(parameter, answer.json["id"])
    return answers


def test_every_event_is_answered(told: dict[str, Json]) -> None:
    refused = {name: answer for name, answer in told.items() if not 200 <= answer["status"] < 300}

    assert refused == {}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_the_recorded_one(told: dict[str, Json], name: str) -> None:
    if RECORD:
        text = json.dumps(told[name], indent=2, ensure_ascii=False)
        _file(name).write_text(text + "\n")

    recorded = json.loads(_file(name).read_text())
    assert recorded["status"] == told[name]["status"]
    assert recorded["headers"].keys() == told[name]["headers"].keys()
    assert _shape(recorded.get("body")) == _shape(told[name].get("body"))


def test_nothing_else_is_recorded() -> None:
    assert {path.stem for path in ANSWERS.glob("*.json")} <= REQUESTS.keys()


def _file(name: str) -> Path:
    return ANSWERS / f"{name}.json"


def _parameters(name: str) -> Json:
    return dict(REQUESTS[name].get("pathParameters", {}))


def _turn(name: str) -> tuple[bool, int, int, bool]:
    """Make, then read, then settle and remove."""
    method, path = REQUESTS[name]["routeKey"].split()
    gives_out = f"{method} {path}" in GIVEN_OUT.values()
    makes = gives_out or f"GET {path}" in template.routes()
    kinds = ["PUT", "POST" if makes else "", "GET", "POST", "DELETE"]
    return name.startswith(LAST), kinds.index(method), path.count("/"), not gives_out


def _shown(answer: Answer) -> Json:
    """Keep what a reader wants to see of an answer."""
    shown: Json = {"status": answer.status, "headers": answer.headers}
    if answer.headers.get("content-type") == "application/json":
        shown["body"] = _harmless(answer.json)
    elif answer.headers.get("content-type", "").endswith("xml"):
        shown["body"] = answer.text
    return shown


def _harmless(body: Any) -> Any:
    if isinstance(body, dict):
        return {**body, **{name: SHOWN[name] for name in SHOWN if name in body}}
    return body


def _shape(value: Any) -> Any:
    """Leave out what differs from time to time."""
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shape(each) for each in value[:1]]
    return "number" if type(value) in (int, float) else type(value).__name__
