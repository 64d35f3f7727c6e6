"""
Who gets in: every route with every kind of caller, over HTTP.

Routes, and the role that each takes, are those of the OpenAPI document, so a new route is tried as
soon as it is there; and the gateway must have those routes and no others.
"""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from billing.api import authentication
from billing.api.access import ALL_ACCOUNTS_SCOPE, TOKEN
from billing.domain.tokens import Role, new_token
from billing_cli.__main__ import cli
from local import deploy
from local.stack import from_environment
from tests import template
from tests.e2e.conftest import Answer, Client
from tools import openapi

OPEN = {"GET /", "GET /openapi.json", "GET /docs", "GET /console"}
SHARED = {
    *("GET /p/{token}", "HEAD /p/{token}", "GET /p/{token}/pdf"),
    *("GET /p/{token}/cii.xml", "GET /p/{token}/ubl.xml"),
}
"""What is open to whoever has the link."""
ACCOUNT, ANOTHER = "100001", "100002"

REFUSED = "401 UNAUTHENTICATED"
DENIED = "403 ACCESS_DENIED"
IN = "let in"

type Json = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """A route of the document, about an org's account."""

    method: str
    path: str
    security: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def role(self) -> Role:
        """The role that it declares, which is the only thing it may declare."""
        [role, *_] = self.security[0][TOKEN]
        return Role(role)

    @property
    def concerns_all(self) -> bool:
        """Whether it takes a token that reaches all accounts."""
        return any(
            ALL_ACCOUNTS_SCOPE in scopes for scheme in self.security for scopes in scheme.values()
        )

    def send(self, client: Client) -> Answer:
        """Ask for what is not there, or say nothing that could be stored."""
        known = {"{orgId}": client.org_id, "{accountId}": client.account_id}
        url = "/".join(
            known.get(part, "1") if part.startswith("{") else part for part in self.path.split("/")
        )
        return client.send(self.method, url, {} if self.method in ("POST", "PUT") else None)


OPERATIONS = [
    Operation(method.upper(), path, operation.get("security"))
    for path, method, operation in openapi.operations(json.loads(openapi.FILE.read_text()))
]


@dataclass(frozen=True)
class Bearer:
    """What a token that is good reaches: of the org in the path, or of another."""

    role: Role = Role.ADMIN
    accounts: tuple[str, ...] | None = (ACCOUNT,)
    is_foreign: bool = False

    def may(self, operation: Operation) -> bool:
        path = operation.path
        reaches = self.accounts is None or ACCOUNT in self.accounts
        has_one = self.accounts is not None and len(self.accounts) == 1
        return (
            self.role.includes(operation.role)
            and not (self.is_foreign and "{orgId}" in path)
            and (reaches or "{accountId}" not in path)
            and (has_one or not path.startswith("/v3/"))
            and (self.accounts is None or not operation.concerns_all)
        )


BEARERS = {
    "a reader": Bearer(Role.READER),
    "a writer": Bearer(Role.WRITER),
    "an admin": Bearer(),
    "another account": Bearer(accounts=(ANOTHER,)),
    "two accounts": Bearer(accounts=(ACCOUNT, ANOTHER)),
    "all accounts": Bearer(accounts=None),
    "another org": Bearer(is_foreign=True),
}


@dataclass(frozen=True)
class Org:
    """An org, by an admin's token that the command line made."""

    base_url: str
    id: str
    token: str

    @classmethod
    def new(cls, base_url: str) -> "Org":
        org_id = f"org-{uuid4().hex}"
        command = ["token", "create", "--org", org_id, "--role", "admin", "--name", "first"]
        made = CliRunner().invoke(cli, command, catch_exceptions=False)
        return cls(base_url, org_id, made.stdout.strip())

    @property
    def tokens(self) -> str:
        return f"/v1/orgs/{self.id}/tokens"

    def client(self, token: str | None) -> Client:
        """Call for the account of this org, with whatever token."""
        return Client(self.base_url, token, self.id, ACCOUNT)

    def make(self, bearer: Bearer, expires_at: datetime | None = None) -> Json:
        """Make a token: tell its id, and itself."""
        asked = {
            "name": "e2e",
            "role": bearer.role,
            "accounts": bearer.accounts or "all",
            "expires_at": expires_at and expires_at.isoformat(),
        }
        answer = self.client(self.token).post(self.tokens, asked)
        assert answer.status == 201, answer
        made: Json = answer.json
        return made

    def revoke(self, made: Json) -> None:
        answer = self.client(self.token).send("DELETE", f"{self.tokens}/{made['id']}")
        assert answer.status == 204

    def tries(self, made: Json) -> Answer:
        """Use a token where it is read anew."""
        return self.client(made["token"]).get(self.tokens)

    def reads(self, made: Json) -> Answer:
        """Use a token where what was read of it is kept for a minute."""
        return self.client(made["token"]).get(f"/v1/orgs/{self.id}/location-taxes/28")


@pytest.fixture(scope="session")
def org(stack: Json, aws: None) -> Org:
    return Org.new(stack["base_url"])


@dataclass(frozen=True)
class Revoked:
    """A token that functions knew when it, or the one that made it, was revoked."""

    token: Json
    since: float


@pytest.fixture(scope="session", autouse=True)
def revoked(org: Org) -> list[Revoked]:
    """Revoke tokens that functions know: at once, as those may take a minute to forget them."""
    made = org.make(Bearer(accounts=None))
    grown = replace(org, token=made["token"]).make(Bearer(accounts=None))
    assert [org.reads(each).status for each in (made, grown)] == [200, 200]
    org.revoke(made)
    return [Revoked(each, time.monotonic()) for each in (made, grown)]


@pytest.fixture(scope="session")
def callers(org: Org) -> Mapping[str, Client]:
    """Make a client of every kind of caller; all of them call for the same org and account."""
    other = Org.new(org.base_url)
    soon = datetime.now(UTC) + timedelta(seconds=10)
    expired, cached = org.make(Bearer(), soon), org.make(Bearer(), soon)
    assert org.reads(cached).status == 200
    good = {
        name: (other if bearer.is_foreign else org).make(bearer) for name, bearer in BEARERS.items()
    }
    revoked = org.make(Bearer())
    org.revoke(revoked)
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()))

    mistyped = new_token()
    tokens = {
        "no token": None,
        "a malformed token": "nonsense",
        "a wrong checksum": mistyped[:-1] + ("0" if mistyped[-1] != "0" else "1"),
        "an unknown token": new_token(),
        "an expired token": expired["token"],
        "a token expired while cached": cached["token"],
        "a revoked token": revoked["token"],
        **{name: made["token"] for name, made in good.items()},
    }
    return {name: org.client(token) for name, token in tokens.items()}


def test_the_gateway_has_the_routes_of_the_document_and_leaves_tokens_to_the_application(
    org: Org,
) -> None:
    served = org.client(None).get("/openapi.json").json
    local = from_environment()
    pages = (
        deploy.client(local, "apigatewayv2")
        .get_paginator("get_routes")
        .paginate(ApiId=local.api_id_file.read_text())
    )
    routes = {
        route["RouteKey"]: route["AuthorizationType"] for page in pages for route in page["Items"]
    }

    assert served == json.loads(openapi.FILE.read_text())
    assert template.routes() == routes.keys()
    assert routes == dict.fromkeys([*map(str, OPERATIONS), *OPEN, *SHARED, "$default"], "NONE")
    assert not deploy.client(local, "apigatewayv2").get_authorizers(
        ApiId=local.api_id_file.read_text()
    )["Items"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_lets_in_who_may_and_nobody_else(
    callers: Mapping[str, Client], operation: Operation
) -> None:
    told = _told(callers, operation)

    assert told == _refused() | {
        name: IN if bearer.may(operation) else DENIED for name, bearer in BEARERS.items()
    }


@pytest.mark.parametrize("path", ["/nowhere", "/v2/orgs", "/v3/account"])
def test_tells_strangers_not_even_what_is_not_there(
    callers: Mapping[str, Client], path: str
) -> None:
    assert _told(callers, Operation("GET", path, None)) == _refused() | dict.fromkeys(BEARERS, IN)


@pytest.mark.parametrize("route", sorted(OPEN))
def test_the_document_and_its_page_are_open_to_everybody(
    callers: Mapping[str, Client], route: str
) -> None:
    method, path = route.split()

    assert {callers[name].send(method, path).status for name in callers} == {200}


def test_every_operation_declares_a_role() -> None:
    assert [str(each) for each in OPERATIONS if not each.security] == []


def test_a_token_is_refused_at_once_where_access_is_handed_out(
    org: Org, revoked: list[Revoked]
) -> None:
    assert {_outcome("/v1/", org.tries(each.token)) for each in revoked} == {REFUSED}


@pytest.mark.last
def test_a_revoked_token_is_refused_everywhere_within_a_minute(
    org: Org, revoked: list[Revoked]
) -> None:
    """What was read of it is kept in each execution environment, for a minute and no longer."""
    kept_for = authentication.KEPT_FOR.total_seconds()
    assert kept_for == 60

    for each in revoked:
        time.sleep(max(0, each.since + kept_for - time.monotonic()))
        answers = [org.reads(each.token) for _ in range(10)]
        assert {_outcome("/v1/", answer) for answer in answers} == {REFUSED}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer {good}"}, 200),
        ({"private_token": "{good}", "authorization": "Bearer {other}"}, 401),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/orgs/{org}/location-taxes/28",
        "/v2/orgs/{org}/accounts/100001/invoices",
        "/v3/account/invoice",
    ],
)
def test_a_token_comes_in_either_header_on_every_path(
    org: Org, headers: dict[str, str], status: int, path: str
) -> None:
    """The gateway hands over both; tests/integration/test_access says how they are read."""
    tokens = {"good": org.make(Bearer(Role.READER))["token"], "other": org.token}
    sent = {name: value.format(**tokens) for name, value in headers.items()}

    answer = org.client(None).get(path.format(org=org.id), **sent)

    if status == 401:
        assert _outcome(path, answer) == REFUSED
    else:
        assert _outcome(path, answer) == IN


def _told(callers: Mapping[str, Client], operation: Operation) -> dict[str, str]:
    """Try an operation with every caller."""
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(operation.send, callers.values())
    return {
        name: _outcome(operation.path, answer)
        for name, answer in zip(callers, answers, strict=True)
    }


def _outcome(path: str, answer: Answer) -> str:
    """Tell how far a call came; who refuses it must say so in the dialect of the path."""
    if answer.status not in (401, 403):
        return IN if answer.status in (200, 400, 404) else str(answer.status)
    fields, code = {
        "v2": ({"code", "status", "message", "detailMsg"}, "detailMsg"),
        "v3": ({"errorCode", "errorMessage", "errors"}, "errors"),
    }.get(path.split("/")[1], ({"code", "message", "details", "trace_id"}, "code"))
    assert answer.json.keys() == fields
    assert answer.headers["x-request-id"]
    said = answer.json[code]
    return f"{answer.status} {said[0]['message'] if code == 'errors' else said}"


def _refused() -> dict[str, str]:
    """Tell how every caller is refused whose token is no good."""
    return {
        "no token": REFUSED,
        "a malformed token": REFUSED,
        "a wrong checksum": REFUSED,
        "an unknown token": REFUSED,
        "an expired token": REFUSED,
        "a token expired while cached": REFUSED,
        "a revoked token": REFUSED,
    }
