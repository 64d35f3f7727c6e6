"""Who may do what: decided by the token of a call, before anything else is looked up."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from billing import clock
from billing.api import authentication
from billing.domain.errors import UpstreamFailedError
from billing.domain.tokens import Grant, new_token
from billing.persistence.tokens import TokenRepository
from functions.location_tax.app import app
from tests.integration.callers import issue
from tests.integration.conftest import EVENTS, HAND_OUT_ACCESS, Invoker, function_of
from tests.template import routes

pytestmark = pytest.mark.moto

EVENT_BY_NAME = {path.stem: json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))}
ROUTED = [
    name
    for name, event in EVENT_BY_NAME.items()
    if "private-token" in event.get("headers", {}) and event["routeKey"] != "$default"
]
UNKNOWN = new_token()
OTHER = new_token()
READ = ["BatchGetItem"]

type Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "_kept", {})


def _strangers(route: str) -> Iterator[tuple[int, Json]]:
    """Say who must not reach a route, and how each is refused."""
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
    assert aws_calls() == (READ * len(strangers) if function_of(name) in HAND_OUT_ACCESS else [])


@pytest.mark.parametrize("name", [*ROUTED, "front_unrouted"])
@pytest.mark.parametrize(
    ("token", "calls"),
    [
        pytest.param(None, [], id="none"),
        pytest.param("", [], id="empty"),
        pytest.param("nonsense", [], id="malformed"),
        pytest.param(UNKNOWN[:-1] + "!", [], id="wrong checksum"),
        pytest.param(UNKNOWN, READ, id="unknown"),
    ],
)
def test_without_a_good_token_it_is_401_whatever_the_client_says_of_its_roles(
    invoke: Invoker, aws_calls: Any, name: str, token: str | None, calls: list[str]
) -> None:
    event = invoke.event(name)
    del event["headers"]["private-token"]
    event["headers"] |= {"x-auth-roles": "API_KEY, admin"}
    event["headers"] |= {} if token is None else {"private-token": token}
    aws_calls()

    answer = invoke.call(function_of(name), event)

    assert answer.status == 401
    assert "UNAUTHENTICATED" in answer.texts
    assert answer.headers["x-request-id"] == event["requestContext"]["requestId"]
    assert aws_calls() == calls


def test_every_route_is_tried() -> None:
    tried = {EVENT_BY_NAME[name]["routeKey"] for name in [*ROUTED, "front_unrouted"]}

    is_open = {"GET /", "GET /openapi.json", "GET /docs", "GET /console"}
    assert {each for each in routes() - tried if " /p/{token}" not in each} == is_open


def _ends_in_a_parameter_of_its_own(name: str) -> bool:
    """Return whether no longer route begins with that of an event and takes one parameter more."""
    return not any(each.startswith(f"{EVENT_BY_NAME[name]['routeKey']}/{{") for each in routes())


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ROUTED
        if "pathParameters" in EVENT_BY_NAME[name] and _ends_in_a_parameter_of_its_own(name)
    ],
)
def test_a_slash_in_a_path_parameter_reaches_no_route(invoke: Invoker, name: str) -> None:
    event = invoke.event(name)
    parameter = list(event["pathParameters"])[-1]
    event["pathParameters"][parameter] += "/payments"
    event["rawPath"] += "/payments"

    assert invoke.call(function_of(name), event).status == 404


def test_no_account_is_called_all(invoke: Invoker) -> None:
    answer = invoke("billing_info_put_account", accountId="all", caller={"accounts": "*"})

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == ["accountId"]
    answer = invoke("movements_create", {"account_id": "all"}, caller={"accounts": "*"})
    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == ["account_id"]


# ---------------------------------------------------------------- how a token is carried

GOOD = "<good>"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"private-token": GOOD}, 200, id="one"),
        pytest.param({"authorization": f"Bearer {GOOD}"}, 200, id="the other"),
        pytest.param({"authorization": f"bearer {GOOD}"}, 200, id="lower case"),
        pytest.param({"authorization": f"BEARER  {GOOD}"}, 200, id="upper case, two spaces"),
        pytest.param(
            {"private-token": GOOD, "authorization": f"Bearer {GOOD}"}, 200, id="both the same"
        ),
        pytest.param(
            {"private-token": GOOD, "authorization": f"Bearer {OTHER}"}, 401, id="another in one"
        ),
        pytest.param(
            {"private-token": OTHER, "authorization": f"Bearer {GOOD}"}, 401, id="in the other"
        ),
        pytest.param(
            {"private-token": GOOD, "authorization": "Basic dTpw"}, 401, id="another scheme beside"
        ),
        pytest.param({"authorization": "Basic dTpw"}, 401, id="another scheme"),
        pytest.param({"authorization": f"{GOOD}"}, 401, id="no scheme"),
        pytest.param({"authorization": "Bearer"}, 401, id="no token"),
        pytest.param({"private-token": f"Bearer {GOOD}"}, 401, id="a scheme in the wrong header"),
        pytest.param({"private-token": f"{GOOD},{GOOD}"}, 200, id="twice the same"),
        pytest.param({"private-token": f"{GOOD}, {OTHER}"}, 401, id="twice, different"),
        pytest.param({"private-token": f"{OTHER},{GOOD}"}, 401, id="twice, the other way round"),
        pytest.param(
            {"authorization": f"Bearer {GOOD},Bearer {GOOD}"}, 200, id="bearer twice the same"
        ),
        pytest.param(
            {"authorization": f"Bearer {GOOD},Bearer {OTHER}"}, 401, id="bearer twice, different"
        ),
        pytest.param({"authorization": f"Bearer {GOOD},Basic dTpw"}, 401, id="two schemes"),
        pytest.param({"private-token": ""}, 401, id="empty"),
        pytest.param({"authorization": ""}, 401, id="empty authorization"),
        pytest.param({"private-token": " , "}, 401, id="empty twice"),
        pytest.param(
            {"private-token": "", "authorization": f"Bearer {GOOD}"}, 200, id="empty beside one"
        ),
        pytest.param({}, 401, id="none"),
    ],
)
def test_a_token_comes_in_one_header_or_the_other_and_both_must_agree(
    invoke: Invoker, headers: Json, status: int
) -> None:
    _, good = issue(invoke.org_id)

    assert _send(invoke, headers={k: v.replace(GOOD, good) for k, v in headers.items()}) == status


def test_who_sends_no_token_is_told_how_to_send_it(invoke: Invoker) -> None:
    event = invoke.event("location_tax_get")
    del event["headers"]["private-token"]

    answer = invoke.call("location_tax", event)

    assert answer.json["message"] == (
        "The request has no token. Send it in PRIVATE-TOKEN or as `Authorization: Bearer <token>`."
    )


# ---------------------------------------------------------------- how long a grant is kept


def test_a_token_costs_one_read_in_a_minute(
    invoke: Invoker, aws_calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = issue(invoke.org_id)
    began = clock.now()
    aws_calls()

    reads = []
    for seconds in (0, 59.9, 60, 119.9, 30):  # the last one: a clock that was set back
        now = (began + timedelta(seconds=seconds)).timestamp()
        monkeypatch.setattr("billing.clock.now", partial(datetime.fromtimestamp, now, UTC))
        assert _send(invoke, token) == 200
        reads.append(aws_calls().count("BatchGetItem"))

    assert reads == [1, 0, 1, 0, 1]


def test_a_revoked_token_is_refused_when_the_minute_is_over(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant, token = issue(invoke.org_id)
    began = clock.now()
    monkeypatch.setattr("billing.clock.now", lambda: began)
    assert _send(invoke, token) == 200

    TokenRepository().revoke(invoke.org_id, grant.id)

    assert _send(invoke, token) == 200
    monkeypatch.setattr("billing.clock.now", lambda: began + timedelta(seconds=60))
    assert _send(invoke, token) == 401


def test_a_token_expires_while_it_is_kept(invoke: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = clock.now() + timedelta(seconds=30)
    _, token = issue(invoke.org_id, expires_at=ends)
    assert _send(invoke, token) == 200

    monkeypatch.setattr("billing.clock.now", lambda: ends)

    assert _send(invoke, token) == 401
    assert token  # it is kept still
    assert len(authentication._kept) == 1


def test_an_unknown_token_is_not_kept(invoke: Invoker, aws_calls: Any) -> None:
    assert [_send(invoke, UNKNOWN), _send(invoke, UNKNOWN)] == [401, 401]

    assert aws_calls() == READ * 2
    assert authentication._kept == {}


def test_no_more_grants_are_kept_than_there_is_room_for(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MAX_KEPT", 2)
    made = [issue(invoke.org_id) for _ in range(3)]

    assert [_send(invoke, token) for _, token in made] == [200] * 3

    assert list(authentication._kept) == [grant.token_hash for grant, _ in made[1:]]


def test_a_token_that_cannot_be_read_lets_nobody_in_and_nobody_remembers_it(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = issue(invoke.org_id)

    def fail(*_: Any) -> None:
        raise UpstreamFailedError

    with monkeypatch.context() as patched:
        patched.setattr(TokenRepository, "find_all", fail)
        assert _send(invoke, token) == 502

    assert _send(invoke, token) == 200


# ---------------------------------------------------------------- whom a token comes from


@pytest.mark.parametrize("generations", range(1, 5))
def test_a_token_is_read_with_all_that_it_comes_from(
    invoke: Invoker, aws_calls: Any, generations: int
) -> None:
    line = _line(invoke.org_id, generations)
    aws_calls()

    assert _send(invoke, line[-1][1]) == 200

    assert aws_calls()[:2] == READ * 2


@pytest.mark.parametrize("ended", range(4))
def test_a_token_ends_with_each_that_it_comes_from(invoke: Invoker, ended: int) -> None:
    line = _line(invoke.org_id, 4)

    TokenRepository().revoke(invoke.org_id, line[ended][0].id)

    answers = [_send(invoke, token) for _, token in line]
    assert answers == [200] * ended + [401] * (5 - ended)


def test_a_token_ends_with_one_that_it_comes_from_when_that_expires(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = clock.now() + timedelta(minutes=5)
    maker, _ = issue(invoke.org_id, expires_at=soon)
    grant, token = issue(invoke.org_id, maker=maker)
    assert grant.expires_at == soon
    assert _send(invoke, token) == 200

    monkeypatch.setattr("billing.clock.now", lambda: soon)

    assert _send(invoke, token) == 401


# ---------------------------------------------------------------- what is known of a caller


@pytest.mark.parametrize("fails", [ValueError, UpstreamFailedError, KeyboardInterrupt])
def test_nothing_is_known_of_a_caller_when_the_call_is_over(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch, fails: type[BaseException]
) -> None:
    known = []

    def fail(*_: Any) -> None:
        known.append(app.caller.org_id)
        raise fails

    assert invoke("location_tax_get").status == 200
    with pytest.raises(LookupError):
        _ = app.caller

    monkeypatch.setattr("functions.location_tax.app.OwnRatesRepository", fail)
    with suppress(KeyboardInterrupt):
        invoke("location_tax_get")

    assert known == [invoke.org_id]
    with pytest.raises(LookupError):
        _ = app.caller


def _line(org_id: str, generations: int) -> list[tuple[Grant, str]]:
    """Make a token, one with that, and so on."""
    line = [issue(org_id)]
    for _ in range(generations):
        line.append(issue(org_id, maker=line[-1][0]))
    return line


def _send(invoke: Invoker, token: str = "", headers: Json | None = None) -> int:
    """Ask for the rates of a place, which everybody in the org may."""
    event = invoke.event("location_tax_get")
    del event["headers"]["private-token"]
    event["headers"] |= {"private-token": token} if headers is None else headers
    return invoke.call("location_tax", event).status
