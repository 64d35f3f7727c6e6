"""Tokens through the function's handler, on real tables: made, listed and revoked by admins."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from unittest.mock import ANY

import pytest
from click.testing import CliRunner

from billing import clock, config
from billing.api import authentication
from billing.aws import dynamodb
from billing.domain.errors import UnauthenticatedError
from billing.domain.tokens import Grant, Reach, Role
from billing.persistence.tokens import TokenRepository
from billing_cli.__main__ import cli
from tests.integration.callers import issue
from tests.integration.conftest import Invoker

pytestmark = pytest.mark.moto

EVERYWHERE = {"accounts": "*"}


def test_a_new_token_reaches_what_was_asked_for(invoke: Invoker) -> None:
    answer = invoke("tokens_create")

    assert answer.status == 201
    assert set(answer.json) == {"id", "token"}
    assert answer.headers["cache-control"] == "no-store"
    grant = _grant(answer.json["token"])
    assert (grant.id, grant.org_id) == (answer.json["id"], invoke.org_id)
    assert (grant.role, grant.reach) == (Role.WRITER, Reach.of(["100001"]))
    assert grant.expires_at == datetime(2027, 12, 31, 23, tzinfo=UTC)
    assert len(grant.ancestors) == 1


def test_lists_tokens_without_their_secrets_newest_first(invoke: Invoker) -> None:
    first = invoke("tokens_create").json
    more = {"name": "Back office", "role": "admin", "accounts": "all", "expires_at": None}
    second = invoke("tokens_create", more, caller=EVERYWHERE).json

    answer = invoke("tokens_list", caller=EVERYWHERE)

    assert answer.status == 200
    newest, oldest = answer.json["tokens"]
    assert answer.json["next_cursor"] is None
    assert newest == {
        "id": second["id"],
        "name": "Back office",
        "role": "admin",
        "accounts": "all",
        "last_four": second["token"][-4:],
        "created_at": newest["created_at"],
        "expires_at": None,
    }
    assert oldest == {
        "id": first["id"],
        "name": "Web shop",
        "role": "writer",
        "accounts": ["100001"],
        "last_four": first["token"][-4:],
        "created_at": oldest["created_at"],
        "expires_at": "2027-12-31T23:00:00Z",
    }
    assert first["token"] not in answer.text
    assert second["token"] not in answer.text


def test_keeps_the_hash_of_a_token_and_nothing_else_of_it(invoke: Invoker) -> None:
    token = invoke("tokens_create").json["token"]

    pages = dynamodb().get_paginator("scan").paginate(TableName=config.tokens_table())
    kept = str([page["Items"] for page in pages])

    assert sha256(token.encode()).hexdigest() in kept
    assert token[4:36] not in kept


def test_rotates_a_token_by_making_another_and_revoking_the_first(invoke: Invoker) -> None:
    first = invoke("tokens_create").json
    [told] = _listed(invoke)
    asked = {name: told[name] for name in ("name", "role", "accounts", "expires_at")}

    second = invoke("tokens_create", asked).json
    while_both = [_grant(each["token"]).id for each in (first, second)]
    revoked = invoke("tokens_delete", tokenId=first["id"])

    assert revoked.status == 204
    assert while_both == [first["id"], second["id"]]
    assert _refused(first["token"])
    assert _grant(second["token"]).id == second["id"]
    assert _listed(invoke) == [
        {**told, "id": second["id"], "last_four": second["token"][-4:], "created_at": ANY}
    ]


def test_a_revoked_token_is_refused_and_gone(invoke: Invoker) -> None:
    created = invoke("tokens_create").json

    revoked = invoke("tokens_delete", tokenId=created["id"])
    again = invoke("tokens_delete", tokenId=created["id"])

    assert (revoked.status, revoked.text) == (204, "")
    assert (again.status, again.json["code"]) == (404, "NOT_FOUND")
    assert _refused(created["token"])
    assert _listed(invoke) == []


@pytest.mark.parametrize("event", ["tokens_create", "tokens_list", "tokens_delete"])
@pytest.mark.parametrize("role", ["reader", "writer"])
def test_only_admins_have_to_do_with_tokens(
    invoke: Invoker, aws_calls: Any, event: str, role: str
) -> None:
    answer = invoke(event, caller={"role": role})

    assert (answer.status, answer.json["code"]) == (403, "ACCESS_DENIED")
    assert aws_calls() == ["BatchGetItem"]


@pytest.mark.parametrize(
    ("own", "asked", "status"),
    [
        ("*", "all", 201),
        ("*", ["1", "2"], 201),
        ("1,2", ["1", "2"], 201),
        ("1,2", ["2"], 201),
        ("1,2", ["2", "3"], 403),
        ("1,2", "all", 403),
        ("1,2", ["all"], 400),
        ("*", ["all"], 400),
        ("*", ["1", "all"], 400),
    ],
)
def test_no_token_reaches_further_than_that_of_its_maker(
    invoke: Invoker, own: str, asked: Any, status: int
) -> None:
    answer = invoke("tokens_create", {"accounts": asked}, caller={"accounts": own})

    assert answer.status == status
    assert len(_listed(invoke, EVERYWHERE)) == (status == 201)


def test_tokens_that_reach_further_are_out_of_sight(invoke: Invoker) -> None:
    wider = invoke("tokens_create", {"accounts": "all"}, caller=EVERYWHERE).json
    other = invoke("tokens_create", {"accounts": ["2"]}, caller=EVERYWHERE).json
    own = invoke("tokens_create").json
    limited = {"accounts": "100001"}

    listed = _listed(invoke, limited)
    refused = [invoke("tokens_delete", tokenId=each["id"]) for each in (wider, other)]
    missing = invoke("tokens_delete", tokenId="0" * 32)
    foreign = Invoker(f"{invoke.org_id[:60]}-b")("tokens_delete", tokenId=own["id"])

    assert [each["id"] for each in listed] == [own["id"]]
    assert {(answer.status, answer.text) for answer in [*refused, foreign]} == {(404, missing.text)}
    assert len(_listed(invoke, EVERYWHERE)) == 3
    assert [_grant(each["token"]).id for each in (wider, other, own)]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({"name": "", "role": "owner"}, ["name", "role"], id="every wrong field"),
        pytest.param({"accounts": None}, ["accounts"], id="null is not all"),
        pytest.param({"accounts": []}, ["accounts"], id="no account"),
        pytest.param({"accounts": "1"}, ["accounts"], id="no list"),
        pytest.param({"accounts": ["1", "a,b"]}, ["accounts.1"], id="no id"),
        pytest.param({"accounts": ["*"]}, ["accounts.0"], id="a star"),
        pytest.param({"accounts": ["1", "all"]}, ["accounts.1"], id="no account is called so"),
        pytest.param({"accounts": [str(n) for n in range(101)]}, ["accounts"], id="too many"),
        pytest.param({"expires_at": "2027-12-31"}, ["expires_at"], id="no instant"),
        pytest.param({"expires_at": "2026-01-01T00:00:00Z"}, ["expires_at"], id="past"),
        pytest.param({"token": "bil_"}, ["token"], id="unknown field"),
    ],
)
def test_refuses_a_malformed_token(invoke: Invoker, body: Any, fields: list[str]) -> None:
    answer = invoke("tokens_create", body)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == fields
    assert _listed(invoke, EVERYWHERE) == []


def test_asks_what_a_token_is_to_reach(invoke: Invoker) -> None:
    answer = invoke("tokens_create", json.dumps({"name": "x", "role": "reader"}).replace("x", "y"))

    assert [detail["field"] for detail in answer.json["details"]] == ["accounts"]


@pytest.mark.parametrize(
    "accounts", ["*", "", "1,", "1 2", "1,all", ",".join(map(str, range(101)))]
)
def test_the_command_line_makes_no_token_that_the_api_would_refuse(
    invoke: Invoker, accounts: str
) -> None:
    token = ["token", "create", "--org", invoke.org_id, "--role", "reader", "--name", "x"]

    refused = CliRunner().invoke(cli, [*token, "--accounts", accounts])

    assert (refused.exit_code, "accounts" in refused.output) == (2, True)
    assert _listed(invoke, EVERYWHERE) == []


def test_a_token_ends_when_it_is_to_end(invoke: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = clock.now() + timedelta(minutes=5)
    token = invoke("tokens_create", {"expires_at": soon.isoformat()}).json["token"]
    assert _grant(token).expires_at == soon

    monkeypatch.setattr("billing.clock.now", lambda: soon)

    assert _refused(token)


def test_revoking_twice_at_once_revokes_once(invoke: Invoker) -> None:
    created = invoke("tokens_create").json

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke("tokens_delete", tokenId=created["id"]), range(4)))

    assert {answer.status for answer in answers} <= {204, 404}
    assert 204 in {answer.status for answer in answers}
    assert _refused(created["token"])


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        ("tokens_create", ["BatchGetItem", "TransactWriteItems"]),
        ("tokens_list", ["BatchGetItem", "Query"]),
        ("tokens_delete", ["BatchGetItem", "GetItem", "TransactWriteItems"]),
    ],
)
def test_costs_no_more_calls_than_promised(
    invoke: Invoker, aws_calls: Any, event: str, calls: list[str]
) -> None:
    path = {"tokenId": invoke("tokens_create").json["id"]} if event == "tokens_delete" else {}
    aws_calls()

    assert invoke(event, **path).status in (200, 201, 204)

    assert aws_calls() == calls


# ---------------------------------------------------------------- no token outlives itself


@pytest.mark.parametrize("event", ["tokens_create", "tokens_list", "tokens_delete"])
def test_a_revoked_token_hands_out_and_takes_away_no_access(invoke: Invoker, event: str) -> None:
    grant, token = issue(invoke.org_id)
    other = issue(invoke.org_id)[0]
    assert _send(invoke, token, "tokens_list").status == 200

    TokenRepository().revoke(invoke.org_id, grant.id)

    assert _send(invoke, token, event, tokenId=other.id).status == 401
    assert [each["id"] for each in _listed(invoke, EVERYWHERE)] == [other.id]


@pytest.mark.parametrize("event", ["tokens_create", "location_tax_get"])
def test_a_token_made_by_another_is_revoked_with_it(
    invoke: Invoker, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    maker, token = issue(invoke.org_id)
    made = _send(invoke, token, "tokens_create", {"role": "admin", "expires_at": None}).json
    grown = _send(invoke, made["token"], "tokens_create", {"expires_at": None}).json

    assert invoke("tokens_delete", tokenId=maker.id, caller=EVERYWHERE).status == 204

    if event == "location_tax_get":
        monkeypatch.setattr(authentication, "_kept", {})  # as it is where a minute is over
    for each in (token, made["token"], grown["token"]):
        assert _send(invoke, each, event).status == 401


@pytest.mark.parametrize(
    ("asked", "expires"),
    [
        pytest.param({"expires_at": None}, 300, id="null: with its maker"),
        pytest.param({}, 300, id="left out: with its maker"),
        pytest.param(200, 200, id="earlier"),
        pytest.param(300, 300, id="at the same instant"),
        pytest.param(300.000001, None, id="later"),
        pytest.param(10**9, None, id="much later"),
    ],
)
def test_a_token_expires_with_the_one_that_makes_it_at_the_latest(
    invoke: Invoker, asked: Any, expires: float | None
) -> None:
    now = clock.now()
    _, token = issue(invoke.org_id, expires_at=now + timedelta(seconds=300))
    at = asked if isinstance(asked, dict) else {"expires_at": _after(now, asked)}
    body = {"name": "x", "role": "reader", "accounts": "all", **at}

    answer = _send(invoke, token, "tokens_create", json.dumps(body))

    if expires is None:
        assert answer.status == 400
        [detail] = answer.json["details"]
        assert detail["field"] == "expires_at"
        assert f"must not be after {_after(now, 300)}" in detail["message"]
    else:
        assert _grant(answer.json["token"]).expires_at == now + timedelta(seconds=expires)
        assert _listed(invoke, EVERYWHERE)[0]["expires_at"] == _after(now, expires)


def test_a_line_of_tokens_ends_with_the_fourth_that_was_made_by_another(invoke: Invoker) -> None:
    _, token = issue(invoke.org_id)
    body = {"role": "admin", "accounts": "all", "expires_at": None}
    made = []
    while (answer := _send(invoke, token, "tokens_create", body)).status == 201:
        token = answer.json["token"]
        made.append(answer.json["id"])

    assert (answer.status, answer.json["code"]) == (409, "TOKEN_LINE_TOO_LONG")
    assert [len(made), len(_grant(token).ancestors)] == [4, 4]
    assert [each["id"] for each in _listed(invoke, EVERYWHERE)][:4] == made[::-1]


def test_revoking_is_one_transaction(invoke: Invoker, dynamodb: Any) -> None:
    created = invoke("tokens_create").json
    written: list[Any] = []

    def note(params: Any, model: Any, **_: Any) -> None:
        if model.name not in ("GetItem", "BatchGetItem"):
            written.append((model.name, [list(each) for each in params["TransactItems"]]))

    dynamodb.meta.events.register("provide-client-params", note, unique_id="note")
    assert invoke("tokens_delete", tokenId=created["id"]).status == 204
    dynamodb.meta.events.unregister("provide-client-params", note, unique_id="note")

    assert written == [("TransactWriteItems", [["Delete"], ["Delete"]])]


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_have_every_token_once_newest_first(invoke: Invoker, limit: int) -> None:
    made = [invoke("tokens_create").json["id"] for _ in range(7)]

    pages = list(_pages(invoke, limit, EVERYWHERE))

    assert [each["id"] for page in pages for each in page] == made[::-1]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_a_page_costs_one_query_of_its_rows(invoke: Invoker, dynamodb: Any) -> None:
    for _ in range(5):
        invoke("tokens_create")
    asked: list[Any] = []

    def note(params: Any, model: Any, **_: Any) -> None:
        asked.append((model.name, params.get("Limit")))

    dynamodb.meta.events.register("provide-client-params", note, unique_id="note")
    invoke("tokens_list", query={"limit": "2"})
    dynamodb.meta.events.unregister("provide-client-params", note, unique_id="note")

    assert asked == [("BatchGetItem", None), ("Query", 3)]


def test_pages_leave_out_what_is_beyond_reach_and_go_on_behind_it(invoke: Invoker) -> None:
    own = [invoke("tokens_create").json["id"]]
    for _ in range(5):
        issue(invoke.org_id)
    own.append(invoke("tokens_create").json["id"])

    pages = list(_pages(invoke, 2, {"accounts": "100001"}))

    assert [[each["id"] for each in page] for page in pages] == [[own[1]], [], [], [own[0]]]


def test_a_cursor_of_another_list_or_token_is_refused(invoke: Invoker) -> None:
    for _ in range(2):
        invoke("tokens_create")
    cursor = invoke("tokens_list", query={"limit": "1"}).json["next_cursor"]

    answers = [
        invoke("tokens_list", query={"cursor": cursor}, caller={"token_id": "another"}),
        invoke("tokens_list", query={"cursor": cursor[:-1]}),
        invoke("movements_list", query={"cursor": cursor}),
    ]

    assert [answer.status for answer in answers] == [400] * 3


def _pages(invoke: Invoker, limit: int, caller: Any) -> Iterator[Any]:
    query: dict[str, str] = {"limit": str(limit)}
    while True:
        answer = invoke("tokens_list", query=query, caller=caller).json
        yield answer["tokens"]
        if answer["next_cursor"] is None:
            return
        query["cursor"] = answer["next_cursor"]


def _listed(invoke: Invoker, caller: Any = None) -> Any:
    return invoke("tokens_list", caller=caller, query={"limit": "100"}).json["tokens"]


def _send(invoke: Invoker, token: str, name: str, body: Any = None, **path: str) -> Any:
    """Send an event with a token that was made."""
    known: Any = path if name == "tokens_delete" else {}
    return invoke(name, body, headers={"private-token": token}, **known)


def _grant(token: str) -> Grant:
    return authentication.authenticate({"private-token": token}, clock.now(), anew=True)


def _refused(token: str) -> bool:
    try:
        _grant(token)
    except UnauthenticatedError:
        return True
    return False


def _after(now: datetime, seconds: float) -> str:
    return (now + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
