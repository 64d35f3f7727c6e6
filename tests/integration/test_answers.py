"""
The answers of events/answers/ are what the functions answer to the events.

The OpenAPI document shows them as examples. RECORD=1 pytest tests/integration/test_answers.py
writes them anew.
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.conftest import EVENTS, Answer, Invoker
from tests.integration.story import REQUESTS, Story, in_order

pytestmark = pytest.mark.moto

ANSWERS = EVENTS / "answers"
RECORD = bool(os.environ.get("RECORD"))

type Json = dict[str, Any]

SHOWN = {
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "token": "bil_000000000000000000000000000000002wjyrI",
    "url": "https://documents.s3.eu-west-1.amazonaws.com/demo/100001/1/F2026-000001.pdf?X-Amz-…",
}
SHOWN_PAGE = "https://api.example.com/p/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
"""What stands in for secrets."""


@pytest.fixture(scope="module")
def told(aws: None) -> dict[str, Json]:
    """Send all events."""
    story = Story(Invoker(f"org-{uuid4().hex}"))
    return {
        name: json.loads(json.dumps(_shown(story.tell(name))).replace(story.invoke.org_id, "demo"))
        for name in in_order()
    }


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


def _shown(answer: Answer) -> Json:
    """Keep what a reader wants to see of an answer."""
    shown: Json = {"status": answer.status, "headers": answer.headers}
    if answer.headers.get("content-type") == "application/json":
        shown["body"] = _harmless(answer.json)
    elif answer.headers.get("content-type", "").endswith("xml"):
        shown["body"] = answer.text
    return shown


def _harmless(body: Any) -> Any:
    if isinstance(body, dict) and "/p/" in body.get("url", ""):
        return {**body, "url": SHOWN_PAGE}
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
