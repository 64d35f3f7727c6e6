"""Issue a token."""

from datetime import datetime
from typing import Protocol
from uuid import uuid4

from billing.domain.tokens import Grant, Role, new_token, token_hash


class Tokens(Protocol):
    def add(self, grant: Grant, token_hash: str) -> None: ...


def issue_token(
    org_id: str,
    name: str,
    role: Role,
    accounts: frozenset[str] | None,
    expires_at: datetime | None,
    *,
    now: datetime,
    tokens: Tokens,
) -> tuple[Grant, str]:
    """Make a token and keep what it reaches; the token itself is never seen again."""
    token = new_token()
    grant = Grant(uuid4().hex, org_id, name, role, accounts, token[-4:], now, expires_at)
    tokens.add(grant, token_hash(token))
    return grant, token
