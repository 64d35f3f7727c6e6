"""
Tokens: `bil_`, 32 random base62 characters, and 6 that check them.

The checksum refuses a mistyped token without a look-up; only the SHA-256 of a token is kept.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Self
from zlib import crc32

from billing.domain.errors import InvalidRequestError, TokenLineTooLongError
from billing.domain.ids import ALL_ACCOUNTS, new_id
from billing.domain.records import instant

MAX_ANCESTORS = 4
"""The limit of ancestors of a token: the token it was created with, that token's own, and so on."""

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX = "bil_"
_RANDOM = 32
_CHECKSUM = 6


class Role(StrEnum):
    """The rights of a token; each role includes the ones before it."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


@dataclass(frozen=True, slots=True)
class Reach:
    """The accounts of its org that a token may use; None in `ids` means all, also future ones."""

    ids: frozenset[str] | None

    @classmethod
    def of(cls, account_ids: Iterable[str]) -> Self:
        """Return the reach of some accounts."""
        return cls(frozenset(account_ids))

    @classmethod
    def read(cls, written: list[str] | str) -> Self:
        """Read what `written` wrote."""
        return cls(None) if isinstance(written, str) else cls.of(written)

    @property
    def written(self) -> list[str] | str:
        """Return it as records and the API write it: a list of accounts, or the word for all."""
        return ALL_ACCOUNTS if self.ids is None else sorted(self.ids)

    @property
    def single(self) -> str | None:
        """Return the one account that it reaches, None if it reaches several."""
        return next(iter(self.ids)) if self.ids is not None and len(self.ids) == 1 else None

    @property
    def is_all(self) -> bool:
        return self.ids is None

    def includes(self, account_id: str) -> bool:
        """Return whether it reaches an account."""
        return self.ids is None or account_id in self.ids

    def includes_all(self, other: "Reach") -> bool:
        """Return whether it reaches every account that another reaches."""
        return self.ids is None or (other.ids is not None and other.ids <= self.ids)


EVERY_ACCOUNT = Reach(None)


@dataclass(frozen=True, slots=True)
class Grant:
    """
    The rights of a token: its role, org and accounts.

    `last_four` are the token's last characters, to recognise it; `expires_at` None is never.
    `ancestors` are the hashes of the token it was created with and of that token's own ancestors,
    the oldest first: it ends as soon as one of them ends. `sandbox` says whether its org is one.
    """

    id: str
    org_id: str
    name: str
    role: Role
    reach: Reach
    token_hash: str
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    ancestors: tuple[str, ...] = ()
    sandbox: bool = False

    @classmethod
    def new(
        cls,
        token: str,
        org_id: str,
        name: str,
        role: Role,
        reach: Reach,
        expires_at: datetime | None,
        now: datetime,
        maker: "Grant | None" = None,
        *,
        sandbox: bool = False,
    ) -> "Grant":
        """
        Create the grant of a new token; `maker` is the grant of the token that creates it.

        Raise InvalidRequestError where it would expire before it is made or after its maker, and
        TokenLineTooLongError where its maker has as many ancestors as a token can have.
        """
        if expires_at and expires_at <= now:
            raise InvalidRequestError.of("expires_at", "must be in the future")
        ancestors: tuple[str, ...] = ()
        if maker:
            ancestors = (*maker.ancestors, maker.token_hash)
            if len(ancestors) > MAX_ANCESTORS:
                raise TokenLineTooLongError(MAX_ANCESTORS)
            if maker.expires_at and expires_at and expires_at > maker.expires_at:
                limit = instant(maker.expires_at)
                raise InvalidRequestError.of(
                    "expires_at",
                    f"must not be after {limit}, when the token that makes this one expires; "
                    "leave it out to expire then",
                )
            expires_at = expires_at or maker.expires_at
        return cls(
            new_id(now),
            org_id,
            name,
            role,
            reach,
            token_hash(token),
            token[-4:],
            now,
            expires_at,
            ancestors,
            maker.sandbox if maker else sandbox,
        )

    def renewed(self, token: str, now: datetime) -> "Grant":
        """Return the grant of a new token that has the same rights and the same ancestors."""
        return replace(
            self,
            id=new_id(now),
            token_hash=token_hash(token),
            last_four=token[-4:],
            created_at=now,
        )

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


def new_token() -> str:
    """Create a token; it is shown once, and then only its hash is known."""
    body = "".join(secrets.choice(_BASE62) for _ in range(_RANDOM))
    return f"{_PREFIX}{body}{_checksum(body)}"


def is_well_formed(token: str) -> bool:
    """Return whether a token could have been made by new_token()."""
    body = token[len(_PREFIX) : -_CHECKSUM]
    return (
        len(token) == len(_PREFIX) + _RANDOM + _CHECKSUM
        and token.isascii()
        and token.startswith(_PREFIX)
        and token.endswith(_checksum(body))
    )


def token_hash(token: str) -> str:
    """Return the hash that is stored of a token; 190 random bits need no salt."""
    return sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    value, digits = crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits
