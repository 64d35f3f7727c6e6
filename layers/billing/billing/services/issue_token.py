"""Issue a token."""

from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.errors import NotSandboxError
from billing.domain.tokens import Grant, Reach, Role, new_token


class Tokens(Protocol):
    def find_sandbox(self, org_id: str) -> bool | None: ...

    def add(self, grant: Grant, *, is_first: bool = False) -> None: ...


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
    sandbox: bool = False,
) -> tuple[Grant, str]:
    """
    Create a token and store its grant; the token itself is not stored.

    It ends with the token that creates it, at the latest; the command line needs none.
    The first token of an org decides whether that is a `sandbox`; all others inherit it. Raise
    NotSandboxError where one is asked for, and the org is none.
    """
    token = new_token()

    def issue() -> Grant:
        known = maker.sandbox if maker else tokens.find_sandbox(org_id)
        if sandbox and known is False:
            raise NotSandboxError(org_id)
        is_sandbox = sandbox if known is None else known
        grant = Grant.new(
            token, org_id, name, role, reach, expires_at, now, maker, sandbox=is_sandbox
        )
        tokens.add(grant, is_first=known is None)
        return grant

    return deadline.retry(issue), token
