"""
Share links: an address of a page that shows a customer one document, without a token.

The address ends with 256 random bits, of which only the SHA-256 is kept.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Self

from billing.domain.errors import InvalidRequestError, LinkExpiredError, LinkRevokedError
from billing.domain.ids import new_id
from billing.domain.invoices import InvoiceKey
from billing.domain.parties import Language
from billing.domain.records import instant

LASTS = timedelta(days=365)
"""How long a link works if nobody says for how long."""

_BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class ShareLink:
    """
    A link to the page of a document.

    `language` is that of the document: the page is in it, also where the link does not work any
    more. `opened` counts how often the page was sent.
    """

    id: str
    invoice: InvoiceKey
    secret_hash: str
    language: Language
    expires_at: datetime
    revoked: bool = False
    opened: int = 0

    @classmethod
    def new(
        cls,
        secret: str,
        invoice: InvoiceKey,
        language: Language,
        expires_at: datetime | None,
        now: datetime,
        latest: datetime | None = None,
    ) -> Self:
        """
        Create a link; it lasts a year if `expires_at` is None, and never longer than `latest`.

        Raise InvalidRequestError where it would expire before it is made, or after `latest`.
        """
        if expires_at and expires_at <= now:
            raise InvalidRequestError.of("expires_at", "must be in the future")
        if expires_at and latest and expires_at > latest:
            raise InvalidRequestError.of(
                "expires_at",
                f"must not be after {instant(latest)}, when the token that makes the link expires",
            )
        if expires_at is None:
            expires_at = (now + LASTS).replace(microsecond=0)
            expires_at = min(expires_at, latest) if latest else expires_at
        return cls(new_id(now), invoice, hash_of(secret), language, expires_at)

    def must_work(self, now: datetime) -> None:
        """Raise LinkRevokedError or LinkExpiredError if the link does not work any more."""
        if self.revoked:
            raise LinkRevokedError
        if self.expires_at <= now:
            raise LinkExpiredError


def new_secret() -> str:
    """Create the secret part of an address; it is told once, and then only its hash is known."""
    return secrets.token_urlsafe(_BYTES)


def is_secret(text: str) -> bool:
    """Return whether a text could have been made by new_secret()."""
    return _SECRET.fullmatch(text) is not None


def hash_of(secret: str) -> str:
    """Return the hash that is stored of a secret; 256 random bits need no salt."""
    return sha256(secret.encode()).hexdigest()
