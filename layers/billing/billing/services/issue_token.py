"""Issue a token."""

from datetime import datetime
from typing import Protocol

from billing.domain.tokens import Grant, Reach, Role, new_token


class Tokens(Protocol):
    def add(self, grant: Grant) -> None: ...


def issue_token(
    org_id: str,
    name: str,
    role: Role,
    reach: Reach,
    expires_at: datetime | None,
    *,
    now: datetime,
    tokens: Tokens,
    maker: Grant | None = None,
) -> tuple[Grant, str]:
    """
    Make a token and keep what it reaches; the token itself is never seen again.

    It ends with the token that makes it, at the latest; the command line makes tokens without one.
    """
    token = new_token()
    grant = Grant.new(token, org_id, name, role, reach, expires_at, now, maker)
    tokens.add(grant)
    return grant, token
