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

EVENT_BY_NAME = {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}
ROUTED = [
    name
    for name, event in EVENT_BY_NAME.items()
    if "authorizer" in event.get("requestContext", {}) and event["routeKey"] != "$default"
]


def _too_little() -> Iterator[Any]:
    """Name, for every route, the callers that must not reach it."""
    for name in ROUTED:
        url, writes = EVENT_BY_NAME[name]["routeKey"], "body" in EVENT_BY_NAME[name]
        if "{orgId}" in url:
            yield pytest.param(name, {"org_id": "another"}, id=f"{name}: another org")
        if "{accountId}" in url:
            yield pytest.param(name, {"accounts": "100002"}, id=f"{name}: another account")
        if "/v3/" in url:
            yield pytest.param(name, {"accounts": "*"}, id=f"{name}: all accounts")
            yield pytest.param(name, {"accounts": "100001,2"}, id=f"{name}: two accounts")
        if writes:
            yield pytest.param(name, {"role": "reader"}, id=f"{name}: only a reader")
    yield pytest.param("billing_info_put_org", {"role": "writer"}, id="org profile: only a writer")


@pytest.mark.parametrize(("name", "caller"), list(_too_little()))
def test_403_decided_before_any_call(
    invoke: Invoker, aws_calls: Any, name: str, caller: dict[str, str]
) -> None:
    answer = invoke(name, caller=caller)

    assert answer.status == 403
    assert _code(name, answer.json) == "ACCESS_DENIED"
    assert aws_calls() == []


@pytest.mark.parametrize("name", [*ROUTED, "front_unrouted"])
@pytest.mark.parametrize(
    "caller",
    [
        pytest.param({"refused": "The token is unknown."}, id="refused"),
        pytest.param({"expires_at": "2026-01-01T00:00:00+00:00"}, id="expired while cached"),
    ],
)
def test_401_for_a_token_that_is_no_good(
    invoke: Invoker, aws_calls: Any, name: str, caller: dict[str, str]
) -> None:
    answer = invoke(name, caller=caller)

    assert answer.status == 401
    assert _code(name, answer.json) == "UNAUTHENTICATED"
    assert aws_calls() == []


@pytest.mark.parametrize("name", ROUTED)
def test_401_where_no_authorizer_was_asked(invoke: Invoker, name: str) -> None:
    event = invoke.event(name)
    del event["requestContext"]["authorizer"]
    event["headers"]["x-auth-roles"] = "API_KEY, admin"

    assert invoke.call(function_of(name), event).status == 401


@pytest.mark.parametrize("name", ROUTED)
def test_a_slash_in_a_path_parameter_reaches_no_route(invoke: Invoker, name: str) -> None:
    event = invoke.event(name)
    if "pathParameters" not in event:
        pytest.skip("the path has no parameters")
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
    assert token not in str(list(TokenRepository().list_grants(org_id)))
    assert list(TokenRepository().list_grants(org_id)) == [grant]


def test_a_revoked_token_is_unknown(aws: None, org_id: str) -> None:
    grant, token = issue_token(
        org_id, "test", Role.ADMIN, None, None, now=clock.now(), tokens=TokenRepository()
    )
    assert _authorize(token)["context"]["accounts"] == "*"

    TokenRepository().revoke(org_id, grant.id)

    assert _authorize(token)["context"] == {"refused": "The token is unknown or was revoked."}
    assert list(TokenRepository().list_grants(org_id)) == []


def test_an_expired_token_is_refused(aws: None, org_id: str) -> None:
    now = clock.now()
    _, token = issue_token(
        org_id, "test", Role.READER, None, now, now=now, tokens=TokenRepository()
    )

    assert _authorize(token)["context"] == {"refused": "The token has expired."}


@pytest.mark.parametrize("token", ["", "x", "bil_", new_token()[:-1] + "!", "é" * 42])
def test_a_wrong_checksum_is_refused_without_a_read(aws: None, aws_calls: Any, token: str) -> None:
    assert _authorize(token)["context"] == {"refused": "The token is not well-formed."}
    assert aws_calls() == []


def test_a_token_costs_one_read(aws: None, aws_calls: Any) -> None:
    _authorize(new_token())

    assert aws_calls() == ["GetItem"]


def _authorize(token: str) -> Any:
    event = {**EVENT_BY_NAME["authorizer_request"], "identitySource": [token]}
    return authorize(event, Context())


def _code(name: str, body: dict[str, Any]) -> str:
    """Read the stable code of a failure, which must be worded in the dialect of the path."""
    dialect = EVENT_BY_NAME[name]["rawPath"].split("/")[1]
    fields = {
        "v1": ({"code", "message", "details", "trace_id"}, "code"),
        "v2": ({"code", "status", "message", "detailMsg"}, "detailMsg"),
        "v3": ({"errorCode", "errorMessage", "errors"}, "errorCode"),
    }
    expected, code = fields[dialect]
    assert set(body) == expected
    return str(body[code])
