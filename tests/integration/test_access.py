"""Who may do what: decided from the authorizer's context, before anything is looked up."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from billing import clock
from billing.domain.tokens import Role, new_token
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token
from functions.authorizer.app import lambda_handler as authorize
from tests.integration.conftest import EVENTS, Context, Invoker, function_of

pytestmark = pytest.mark.moto

EVENT_BY_NAME = {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}
ROUTED = [
    name
    for name, event in EVENT_BY_NAME.items()
    if "authorizer" in event.get("requestContext", {}) and event["routeKey"] != "$default"
]


def _strangers(route: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Say who must not reach a route, and how each is refused."""
    yield 401, {"refused": "The token is unknown."}
    yield 401, {"expires_at": "2026-01-01T00:00:00+00:00"}
    if "{orgId}" in route:
        yield 403, {"org_id": "another"}
    if "{accountId}" in route:
        yield 403, {"accounts": "100002"}
    if "/v3/" in route:
        yield 403, {"accounts": "*"}
        yield 403, {"accounts": "100001,2"}
    if not route.startswith(("GET ", "$")):
        yield 403, {"role": "reader"}


@pytest.mark.parametrize("name", [*ROUTED, "front_unrouted"])
def test_strangers_are_refused_before_anything_is_looked_up(
    invoke: Invoker, aws_calls: Any, name: str
) -> None:
    strangers = list(_strangers(EVENT_BY_NAME[name]["routeKey"]))

    answers = [invoke(name, caller=caller) for _, caller in strangers]

    assert [answer.status for answer in answers] == [status for status, _ in strangers]
    assert aws_calls() == []


@pytest.mark.parametrize("name", ROUTED)
def test_401_where_no_authorizer_was_asked(invoke: Invoker, name: str) -> None:
    event = invoke.event(name)
    del event["requestContext"]["authorizer"]
    event["headers"]["x-auth-roles"] = "API_KEY, admin"

    assert invoke.call(function_of(name), event).status == 401


@pytest.mark.parametrize(
    "name", [name for name in ROUTED if "pathParameters" in EVENT_BY_NAME[name]]
)
def test_a_slash_in_a_path_parameter_reaches_no_route(invoke: Invoker, name: str) -> None:
    event = invoke.event(name)
    parameter = list(event["pathParameters"])[-1]
    event["pathParameters"][parameter] += "/payments"
    event["rawPath"] += "/payments"

    assert invoke.call(function_of(name), event).status == 404


def test_the_authorizer_tells_who_is_calling(aws: None, org_id: str) -> None:
    expires_at = clock.now() + timedelta(hours=1)
    accounts = frozenset({"2", "1"})
    grant, token = issue_token(
        org_id,
        "test",
        Role.WRITER,
        accounts,
        expires_at,
        now=clock.now(),
        tokens=TokenRepository(),
    )

    answer = _authorize(token)

    assert answer == {
        "isAuthorized": True,
        "context": {
            "token_id": grant.id,
            "org_id": org_id,
            "role": "writer",
            "accounts": "1,2",
            "expires_at": expires_at.isoformat(),
        },
    }


@pytest.mark.parametrize(
    "token",
    ["", "x", "bil_", new_token()[:-1] + "!", "é" * 42],
    ids=["nothing", "a letter", "a beginning", "a wrong end", "not ASCII"],
)
def test_a_wrong_checksum_is_refused_without_a_read(aws: None, aws_calls: Any, token: str) -> None:
    assert _authorize(token)["context"] == {"refused": "The token is not well-formed."}
    assert aws_calls() == []


def test_a_token_costs_one_read(aws: None, aws_calls: Any) -> None:
    _authorize(new_token())

    assert aws_calls() == ["GetItem"]


def _authorize(token: str) -> Any:
    event = {**EVENT_BY_NAME["authorizer_request"], "identitySource": [token]}
    return authorize(event, Context())
