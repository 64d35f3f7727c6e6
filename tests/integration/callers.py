"""
Callers of tests: each has a token, that the application knows as if it had read it just now.

So a test counts and disturbs a route's own calls to AWS, not the one that reads the token; tests of
access make real tokens. Token routes read past what is known, and so do other processes: for them
the token is in the table too, though in no list of its org.
"""

import os
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

import boto3

from billing import clock, config
from billing.api import authentication
from billing.domain import tokens
from billing.domain.tokens import EVERY_ACCOUNT, Grant, Reach, Role
from billing.persistence import tokens as stored
from billing.services.issue_token import issue_token

TOKEN_ID = "5f0c1d2e3a4b5c6d7e8f90a1b2c3d4e5"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

_grants: dict[str, Grant] = {}
"""By token, those of this process."""
_written: set[tuple[str, str]] = set()
"""Tables and tokens that are in them."""


def token_of(
    org_id: str,
    role: str,
    accounts: str,
    token_id: str = TOKEN_ID,
    expires_at: str | None = None,
    *,
    sandbox: bool = False,
) -> str:
    """Return the one token of a caller; of its accounts, `*` are all."""
    caller = (org_id, role, accounts, token_id, str(expires_at), str(sandbox))
    number, body = int(sha256("\n".join(caller).encode()).hexdigest(), 16), ""
    while len(body) < 32:
        number, digit = divmod(number, 62)
        body += tokens._BASE62[digit]
    token = f"{tokens._PREFIX}{body}{tokens._checksum(body)}"
    _grants[token] = Grant(
        id=token_id,
        org_id=org_id,
        name="test",
        role=Role(role),
        reach=EVERY_ACCOUNT if accounts == "*" else Reach.of(accounts.split(",")),
        token_hash=tokens.token_hash(token),
        last_four=token[-4:],
        created_at=LONG_AGO,
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        sandbox=sandbox,
    )
    return token


def issue(
    org_id: str,
    *,
    reach: Reach = EVERY_ACCOUNT,
    role: Role = Role.ADMIN,
    expires_at: datetime | None = None,
    **more: Any,
) -> tuple[Grant, str]:
    """Create a real token, as the command line or another token does; it has to be read."""
    now, table = clock.now(), stored.TokenRepository()
    return issue_token(org_id, "test", role, reach, expires_at, now=now, tokens=table, **more)


def know(event: Any) -> None:
    """Let the application know the token of an event, if it is a caller's."""
    grant = _grants.get(event.get("headers", {}).get("private-token"))
    if grant and not authentication._find_kept(grant.token_hash, clock.now()):
        authentication.keep(grant, clock.now())


def forget() -> None:
    """Forget which tokens are in the tables, as those are made anew."""
    _written.clear()


def write(event: Any) -> None:
    """Put the token of an event into the table, by a client that no test watches."""
    token = event["headers"].get("private-token")
    where = config.tokens_table(), token
    if token in _grants and where not in _written:
        pk, sk = stored._hash_key(_grants[token].token_hash)
        item = {"pk": pk, "sk": sk, "grant": stored._to_json(_grants[token])}
        _client(os.environ.get("AWS_ENDPOINT_URL")).put_item(
            TableName=where[0], Item={name: {"S": value} for name, value in item.items()}
        )
        _written.add(where)


@cache
def _client(_: str | None) -> Any:
    """Make one client for each AWS that this process meets."""
    return boto3.client("dynamodb")
