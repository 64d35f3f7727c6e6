"""Tokens through the function's handler, on real tables: made, listed and revoked by admins."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from typing import Any
from unittest.mock import ANY

import pytest
from click.testing import CliRunner

from billing import clock, config
from billing.aws import dynamodb
from billing_cli.__main__ import cli
from functions.authorizer.app import lambda_handler as authorize
from tests.integration.conftest import EVENTS, Context, Invoker

EVERYWHERE = {"accounts": "*"}


def test_a_new_token_reaches_what_was_asked_for(invoke: Invoker) -> None:
    answer = invoke("tokens_create")

    assert answer.status == 201
    assert set(answer.json) == {"id", "token"}
    assert answer.headers["cache-control"] == "no-store"
    assert _authorize(answer.json["token"]) == {
        "token_id": answer.json["id"],
        "org_id": invoke.org_id,
        "role": "writer",
        "accounts": "100001",
        "expires_at": "2027-12-31T23:00:00+00:00",
    }


def test_lists_tokens_without_their_secrets_newest_first(invoke: Invoker) -> None:
    first = invoke("tokens_create").json
    more = {"name": "Back office", "role": "admin", "accounts": "all", "expires_at": None}
    second = invoke("tokens_create", more, caller=EVERYWHERE).json

    answer = invoke("tokens_list", caller=EVERYWHERE)

    assert answer.status == 200
    newest, oldest = answer.json
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
    [told] = invoke("tokens_list").json
    asked = {name: told[name] for name in ("name", "role", "accounts", "expires_at")}

    second = invoke("tokens_create", asked).json
    while_both = [_authorize(each["token"]) for each in (first, second)]
    revoked = invoke("tokens_delete", tokenId=first["id"])

    assert revoked.status == 204
    assert while_both == [while_both[0], {**while_both[0], "token_id": second["id"]}]
    assert "refused" in _authorize(first["token"])
    assert _authorize(second["token"]) == while_both[1]
    assert invoke("tokens_list").json == [
        {**told, "id": second["id"], "last_four": second["token"][-4:], "created_at": ANY}
    ]


def test_a_revoked_token_is_refused_and_gone(invoke: Invoker) -> None:
    created = invoke("tokens_create").json

    revoked = invoke("tokens_delete", tokenId=created["id"])
    again = invoke("tokens_delete", tokenId=created["id"])

    assert (revoked.status, revoked.text) == (204, "")
    assert (again.status, again.json["code"]) == (404, "NOT_FOUND")
    assert _authorize(created["token"]) == {"refused": "The token is unknown or was revoked."}
    assert invoke("tokens_list").json == []


@pytest.mark.parametrize("event", ["tokens_create", "tokens_list", "tokens_delete"])
@pytest.mark.parametrize("role", ["reader", "writer"])
def test_only_admins_have_to_do_with_tokens(
    invoke: Invoker, aws_calls: Any, event: str, role: str
) -> None:
    answer = invoke(event, caller={"role": role})

    assert (answer.status, answer.json["code"]) == (403, "ACCESS_DENIED")
    assert aws_calls() == []


@pytest.mark.parametrize(
    ("own", "asked", "status"),
    [
        ("*", "all", 201),
        ("*", ["1", "2"], 201),
        ("1,2", ["1", "2"], 201),
        ("1,2", ["2"], 201),
        ("1,2", ["2", "3"], 403),
        ("1,2", "all", 403),
        ("all", "all", 403),
        ("all", ["all"], 201),
    ],
)
def test_no_token_reaches_further_than_that_of_its_maker(
    invoke: Invoker, own: str, asked: Any, status: int
) -> None:
    answer = invoke("tokens_create", {"accounts": asked}, caller={"accounts": own})

    assert answer.status == status
    assert len(invoke("tokens_list", caller=EVERYWHERE).json) == (status == 201)


def test_tokens_that_reach_further_are_out_of_sight(invoke: Invoker) -> None:
    wider = invoke("tokens_create", {"accounts": "all"}, caller=EVERYWHERE).json
    other = invoke("tokens_create", {"accounts": ["2"]}, caller=EVERYWHERE).json
    own = invoke("tokens_create").json
    limited = {"accounts": "100001"}

    listed = invoke("tokens_list", caller=limited).json
    refused = [invoke("tokens_delete", tokenId=each["id"]) for each in (wider, other)]
    missing = invoke("tokens_delete", tokenId="0" * 32)
    foreign = Invoker(f"{invoke.org_id[:60]}-b")("tokens_delete", tokenId=own["id"])

    assert [each["id"] for each in listed] == [own["id"]]
    assert {(answer.status, answer.text) for answer in [*refused, foreign]} == {(404, missing.text)}
    assert len(invoke("tokens_list", caller=EVERYWHERE).json) == 3
    assert all("org_id" in _authorize(each["token"]) for each in (wider, other, own))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({"name": "", "role": "owner"}, ["name", "role"], id="every wrong field"),
        pytest.param({"accounts": None}, ["accounts"], id="null is not all"),
        pytest.param({"accounts": []}, ["accounts"], id="no account"),
        pytest.param({"accounts": "1"}, ["accounts"], id="no list"),
        pytest.param({"accounts": ["1", "a,b"]}, ["accounts.1"], id="no id"),
        pytest.param({"accounts": ["*"]}, ["accounts.0"], id="a star"),
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
    assert invoke("tokens_list", caller=EVERYWHERE).json == []


def test_asks_what_a_token_is_to_reach(invoke: Invoker) -> None:
    answer = invoke("tokens_create", json.dumps({"name": "x", "role": "reader"}).replace("x", "y"))

    assert [detail["field"] for detail in answer.json["details"]] == ["accounts"]


@pytest.mark.parametrize("accounts", ["*", "", "1,", "1 2", ",".join(map(str, range(101)))])
def test_the_command_line_makes_no_token_that_the_api_would_refuse(
    invoke: Invoker, accounts: str
) -> None:
    token = ["token", "create", "--org", invoke.org_id, "--role", "reader", "--name", "x"]

    refused = CliRunner().invoke(cli, [*token, "--accounts", accounts])

    assert (refused.exit_code, "accounts" in refused.output) == (2, True)
    assert invoke("tokens_list", caller=EVERYWHERE).json == []


def test_a_token_ends_when_it_is_to_end(invoke: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = clock.now() + timedelta(minutes=5)
    token = invoke("tokens_create", {"expires_at": soon.isoformat()}).json["token"]
    assert "org_id" in _authorize(token)

    monkeypatch.setattr("billing.clock.now", lambda: soon)

    assert _authorize(token) == {"refused": "The token has expired."}


def test_revoking_twice_at_once_revokes_once(invoke: Invoker) -> None:
    created = invoke("tokens_create").json

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke("tokens_delete", tokenId=created["id"]), range(4)))

    assert {answer.status for answer in answers} <= {204, 404}
    assert 204 in {answer.status for answer in answers}
    assert "refused" in _authorize(created["token"])


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        ("tokens_create", ["TransactWriteItems"]),
        ("tokens_list", ["Query"]),
        ("tokens_delete", ["GetItem", "TransactWriteItems"]),
    ],
)
def test_costs_no_more_calls_than_promised(
    invoke: Invoker, aws_calls: Any, event: str, calls: list[str]
) -> None:
    path = {"tokenId": invoke("tokens_create").json["id"]} if event == "tokens_delete" else {}
    aws_calls()

    assert invoke(event, **path).status in (200, 201, 204)

    assert aws_calls() == calls


def _authorize(token: str) -> Any:
    event = json.loads((EVENTS / "authorizer_request.json").read_text())
    return authorize({**event, "identitySource": [token]}, Context())["context"]
