"""Who is calling, and what they may do: from the authorizer's context, never from the client."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.domain.errors import AccessDeniedError, NotFoundError, UnauthenticatedError
from billing.domain.tokens import Grant, Role

SCHEME = "PRIVATE-TOKEN"
"""The header that carries the token, and the name of the security scheme."""

ALL_ACCOUNTS = "all_accounts"
OPEN: list[dict[str, list[str]]] = []
READER = [{SCHEME: [Role.READER.value]}]
WRITER = [{SCHEME: [Role.WRITER.value]}]
ADMIN = [{SCHEME: [Role.ADMIN.value]}]
ORG_ADMIN = [{SCHEME: [Role.ADMIN.value, ALL_ACCOUNTS]}]
"""
What a route asks of its caller: nothing, or a token of at least that role, which has to reach all
accounts where the route concerns them all.
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token a call carries; `accounts` None reaches all accounts of the org."""

    token_id: str
    org_id: str
    role: Role
    accounts: frozenset[str] | None

    @property
    def account_id(self) -> str:
        """The one account of the token. Raises AccessDeniedError where it is not just one."""
        if self.accounts is None or len(self.accounts) != 1:
            raise AccessDeniedError("This API acts on one account; use a token of that account.")
        return next(iter(self.accounts))

    def reaches(self, account_id: str) -> bool:
        return self.accounts is None or account_id in self.accounts

    def reaches_all(self, accounts: frozenset[str] | None) -> bool:
        """Tell whether it reaches whatever another token reaches."""
        return self.accounts is None or (accounts is not None and accounts <= self.accounts)

    def must_reach_all(self, accounts: frozenset[str] | None) -> None:
        if not self.reaches_all(accounts):
            raise AccessDeniedError("The token does not reach all of these accounts.")

    def must_reach(self, account_id: str) -> None:
        if not self.reaches(account_id):
            raise AccessDeniedError("The token does not reach this account.")

    def must_find(self, account_id: str) -> None:
        """Check the account of what was looked up: out of reach is as if it were not there."""
        if not self.reaches(account_id):
            raise NotFoundError

    def must_reach_path(self, parameters: Mapping[str, str]) -> None:
        """Check the org and the account in a path before anything is looked up."""
        if parameters.get("orgId", self.org_id) != self.org_id:
            raise AccessDeniedError("The token does not reach this org.")
        if "accountId" in parameters:
            self.must_reach(parameters["accountId"])

    def must_have(self, role: Role, *reach: str) -> None:
        """Check what a route asks for."""
        if not self.role.includes(role):
            raise AccessDeniedError(f"This takes a token of the role {role}.")
        if ALL_ACCOUNTS in reach and self.accounts is not None:
            raise AccessDeniedError("This concerns all accounts; the token reaches only some.")


def context_of(grant: Grant) -> dict[str, str]:
    """Write what a token reaches as the authorizer's context, which holds strings."""
    return {
        "token_id": grant.id,
        "org_id": grant.org_id,
        "role": grant.role.value,
        "accounts": "*" if grant.accounts is None else ",".join(sorted(grant.accounts)),
        "expires_at": grant.expires_at.isoformat() if grant.expires_at else "",
    }


def refusal(reason: str) -> dict[str, str]:
    """Write why a token is refused; the application words the 401 in the caller's dialect."""
    return {"refused": reason}


def caller_of(event: Mapping[str, Any], now: datetime) -> Caller:
    """
    Read the authorizer's context of an API Gateway event.

    Raises UnauthenticatedError where the token was refused, has expired since the authorizer's
    answer was cached, or where there is no context at all.
    """
    context = event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {}
    if "refused" in context:
        raise UnauthenticatedError(context["refused"])
    if "org_id" not in context:
        raise UnauthenticatedError("The call carries no token.")
    expires_at = context["expires_at"]
    if expires_at and datetime.fromisoformat(expires_at) <= now:
        raise UnauthenticatedError("The token has expired.")
    accounts = context["accounts"]
    return Caller(
        token_id=context.get("token_id", ""),
        org_id=context["org_id"],
        role=Role(context["role"]),
        accounts=None if accounts == "*" else frozenset(accounts.split(",")),
    )
