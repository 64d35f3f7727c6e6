"""
Tokens: `bil_`, 32 random base62 characters, and 6 that check them.

The checksum refuses a mistyped token without a look-up; only the SHA-256 of a token is kept.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from zlib import crc32

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX = "bil_"
_RANDOM = 32
_CHECKSUM = 6


class Role(StrEnum):
    """What a token may do; each role includes the ones before it."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


@dataclass(frozen=True, slots=True)
class Grant:
    """
    What a token reaches: one org, and some of its accounts or, with None, all.

    `last_four` are the token's last characters, to be recognised by; `expires_at` None is never.
    """

    id: str
    org_id: str
    name: str
    role: Role
    accounts: frozenset[str] | None
    last_four: str
    created_at: datetime
    expires_at: datetime | None


def new_token() -> str:
    """Make a token; it is shown once and then only its hash is known."""
    body = "".join(secrets.choice(_BASE62) for _ in range(_RANDOM))
    return f"{_PREFIX}{body}{_checksum(body)}"


def is_well_formed(token: str) -> bool:
    """Tell whether a token could have been made by new_token()."""
    body = token[len(_PREFIX) : -_CHECKSUM]
    return (
        len(token) == len(_PREFIX) + _RANDOM + _CHECKSUM
        and token.isascii()
        and token.startswith(_PREFIX)
        and token.endswith(_checksum(body))
    )


def token_hash(token: str) -> str:
    """Hash a token for keeping; 190 random bits need no salt."""
    return sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    value, digits = crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits
