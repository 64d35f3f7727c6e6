"""What a call may do: decided by the grant of its token, never by the client's other headers."""

from collections.abc import Mapping
from dataclasses import dataclass

from billing.domain.errors import AccessDeniedError, NotFoundError
from billing.domain.tokens import Grant, Reach, Role

TOKEN = "PRIVATE-TOKEN"  # noqa: S105 - a header
BEARER = "Bearer"
"""A header and a scheme of `Authorization`, either of which carries a token; also scheme names."""

ALL_ACCOUNTS_SCOPE = "all_accounts"


def _taking(*scopes: str) -> list[dict[str, list[str]]]:
    """Return what a route requires of its caller, for either header with a token."""
    return [{scheme: list(scopes)} for scheme in (TOKEN, BEARER)]


OPEN: list[dict[str, list[str]]] = []
READER = _taking(Role.READER.value)
ORG_READER = _taking(Role.READER.value, ALL_ACCOUNTS_SCOPE)
WRITER = _taking(Role.WRITER.value)
ORG_READER = _taking(Role.READER.value, ALL_ACCOUNTS_SCOPE)
ORG_WRITER = _taking(Role.WRITER.value, ALL_ACCOUNTS_SCOPE)
ADMIN = _taking(Role.ADMIN.value)
ORG_ADMIN = _taking(Role.ADMIN.value, ALL_ACCOUNTS_SCOPE)
"""
What a route asks of its caller: nothing, or a token of at least that role, which has to reach all
accounts where the route concerns them all.
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: the grant of its token."""

    grant: Grant

    @property
    def token_id(self) -> str:
        return self.grant.id

    @property
    def org_id(self) -> str:
        return self.grant.org_id

    @property
    def reach(self) -> Reach:
        return self.grant.reach

    @property
    def account_id(self) -> str:
        """Return the one account of the token. Raise AccessDeniedError if it has several."""
        if self.reach.single is None:
            raise AccessDeniedError("This API needs a token for exactly one account.")
        return self.reach.single

    def must_reach_all(self, other: Reach) -> None:
        if not self.reach.includes_all(other):
            raise AccessDeniedError("The token may not use all of these accounts.")

    def must_reach(self, account_id: str) -> None:
        if not self.reach.includes(account_id):
            raise AccessDeniedError("The token may not use this account.")

    def may_find(self, account_id: str | None) -> bool:
        """Return whether it reaches an account; what is the org's own (None), all accounts."""
        return self.reach.is_all if account_id is None else self.reach.includes(account_id)

    def must_find(self, account_id: str) -> None:
        """Check the account of what was found: one out of reach is treated as missing."""
        if not self.reach.includes(account_id):
            raise NotFoundError

    def must_be_in_sandbox(self) -> None:
        """Check that the org is a sandbox. In other orgs its resources do not exist."""
        if not self.grant.sandbox:
            raise NotFoundError

    def must_reach_path(self, parameters: Mapping[str, str]) -> None:
        """Check the org and the account in a path before anything is looked up."""
        if parameters.get("orgId", self.org_id) != self.org_id:
            raise AccessDeniedError("The token may not use this org.")
        if "accountId" in parameters:
            self.must_reach(parameters["accountId"])

    def must_have(self, role: Role, *scopes: str) -> None:
        """Check that the caller has what a route requires."""
        if not self.grant.role.includes(role):
            raise AccessDeniedError(f"This request needs a token with the role {role}.")
        if ALL_ACCOUNTS_SCOPE in scopes and not self.reach.is_all:
            raise AccessDeniedError("This request needs a token for all accounts of the org.")
