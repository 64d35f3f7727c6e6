"""A cursor fits the list that gave it, of the same thing, for the same caller and query alone."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from billing.api import cursors
from tests.integration.callers import TOKEN_ID
from tests.integration.conftest import Invoker
from tests.integration.story import REQUESTS, Story, in_order, parameters
from tools import openapi

pytestmark = pytest.mark.moto

type Scope = tuple[str, ...]

ASKED = {
    f"{method.upper()} {path}": {
        each["name"] for each in operation.get("parameters", []) if each["in"] == "query"
    }
    for path, method, operation in openapi.operations(json.loads(openapi.FILE.read_text()))
}
FEED = "webhooks_list_events"
"""
The feed of events goes on from a place that it calls `after`. It is a place for months and outlives
the token that read it, so it is bound to the org alone.
"""
LISTS = [
    name for name in in_order() if "cursor" in ASKED[REQUESTS[name]["routeKey"]] or name == FEED
]
OTHERWISE = {
    "name": "an",
    "status": "unpaid",
    "state": "accepted",
    "type": "sms",
    "fromDate": "2026-11-02",
    "toDate": "2026-11-29",
}
"""Another query than that of the events, by its parameter."""


@pytest.fixture(scope="module")
def story(aws: None) -> Story:
    """Make all that can be listed."""
    told = Story(Invoker(f"org-{uuid4().hex}"))
    for name in in_order():
        if REQUESTS[name]["routeKey"].startswith(("PUT ", "POST ")):
            told.tell(name)
        told.prepare(name)
    return told


@pytest.fixture
def scope_of(story: Story, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scope]:
    """Call a list; return what its cursors are bound to."""
    bound: list[Scope] = []
    decode = cursors.decode

    def note(cursor: str | None, *scope: str, **more: Any) -> str | None:
        bound.append(scope)
        return decode(cursor, *scope, **more)

    def call(name: str, query: dict[str, str] | None = None, **caller: str) -> Scope:
        path: Any = {each: story.known[each] for each in parameters(name) & story.known.keys()}
        answer = story.invoke(name, query=query, caller=caller, **path)
        assert answer.status == 200, answer
        return bound.pop()

    monkeypatch.setattr(cursors, "decode", note)
    return call


def test_every_list_is_here() -> None:
    paged = {route for route, query in ASKED.items() if query & {"cursor", "after"}}

    assert {REQUESTS[name]["routeKey"] for name in LISTS} == paged


def test_no_two_lists_have_cursors_that_fit_each_other(scope_of: Callable[..., Scope]) -> None:
    scopes = [scope_of(name) for name in LISTS]

    assert len(set(scopes)) == len(LISTS) > 12


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_is_bound_to_its_caller_and_to_what_is_listed(
    story: Story, scope_of: Callable[..., Scope], name: str
) -> None:
    event = story.invoke.event(name)
    known = {each: story.known.get(each, value) for each, value in event["pathParameters"].items()}

    scope, of_another = scope_of(name), scope_of(name, token_id="0" * 32)

    bound_to = set(known.values()) if name == FEED else {TOKEN_ID, *known.values()}
    assert bound_to <= set(scope)
    assert (scope == of_another) == (name == FEED)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (name, parameter)
        for name in LISTS
        for parameter in sorted(ASKED[REQUESTS[name]["routeKey"]] - {"cursor", "after", "limit"})
    ],
)
def test_a_cursor_is_bound_to_the_query(
    scope_of: Callable[..., Scope], name: str, parameter: str
) -> None:
    asked = REQUESTS[name].get("queryStringParameters", {})
    other = "overdue" if name == "invoices_list_of_org" else OTHERWISE[parameter]

    assert scope_of(name) != scope_of(name, {**asked, parameter: other})


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_of_something_else_is_refused(story: Story, name: str) -> None:
    path: Any = {each: story.known[each] for each in parameters(name) & story.known.keys()}
    field = "after" if name == FEED else "cursor"

    for wrong in (cursors.encode("1", "another list"), "x", ""):
        answer = story.invoke(name, query={field: wrong}, **path)

        assert answer.status == 400
        assert [each["field"] for each in answer.json["details"]] == [field]
