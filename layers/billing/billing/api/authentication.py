"""
Who is calling: the token of a request, and the grant that was read for it.

What was read is kept for a minute in this execution environment, so that a token costs one read
there (one more where another token made it). Expiry is checked at each request; revocation is
noticed when the minute is over, or at once where a route reads anew. An unknown token is not kept:
it would take the place of one that is known, and who tries tokens tries another one each time.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from billing.api.access import BEARER, TOKEN
from billing.domain.errors import UnauthenticatedError
from billing.domain.tokens import Grant, is_well_formed, token_hash
from billing.persistence.tokens import TokenRepository

KEPT_FOR = timedelta(seconds=60)
MAX_KEPT = 1_000
"""Grants that are kept, some 2 KB each where they name a hundred accounts."""

_kept: dict[str, tuple[datetime, Grant]] = {}
"""When a grant was read, and what was read, by the hash of its token; the oldest first."""


def authenticate(headers: Mapping[str, str], now: datetime, *, anew: bool = False) -> Grant:
    """
    Return the grant of a request's token; with `anew` as it is now, and not as it was kept.

    Raise UnauthenticatedError where the token is missing, malformed, unknown, revoked or expired,
    and where one that it comes from is.
    """
    token = token_in(headers)
    if not is_well_formed(token):
        raise UnauthenticatedError("The token is not well-formed.")
    hashed = token_hash(token)
    grant = None if anew else _find_kept(hashed, now)
    if grant is None:
        grant = _read(hashed, now)
        keep(grant, now)
    if grant.has_expired(now):
        raise UnauthenticatedError("The token has expired.")
    return grant


def token_in(headers: Mapping[str, str]) -> str:
    """
    Return the token that a request carries, by one header or the other.

    The gateway joins a header that came several times with commas. However often a token is
    there, it must be the same, so that no proxy on the way can have meant another one.
    An empty header is ignored.
    """
    said = _values(headers, TOKEN)
    for value in _values(headers, "authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() != BEARER.lower() or not token:
            raise UnauthenticatedError(f"Authorization must be `{BEARER} <token>`.")
        said.append(token.strip())
    if not said:
        raise UnauthenticatedError(
            f"The request has no token. Send it in {TOKEN} or as `Authorization: {BEARER} <token>`."
        )
    if len(set(said)) > 1:
        raise UnauthenticatedError("The request has different tokens. Send one.")
    return said[0]


def keep(grant: Grant, now: datetime) -> None:
    """Keep a grant that was just read; if there is no room, drop the oldest."""
    _kept.pop(grant.token_hash, None)
    while len(_kept) >= MAX_KEPT:
        _kept.pop(next(iter(_kept)), None)
    _kept[grant.token_hash] = now, grant


def _find_kept(hashed: str, now: datetime) -> Grant | None:
    """Return what is not too old; if the clock was set back, it counts as too old."""
    read_at, grant = _kept.get(hashed, (now, None))
    return grant if timedelta() <= now - read_at < KEPT_FOR else None


def _read(hashed: str, now: datetime) -> Grant:
    """Read the grant of a token and of those that it comes from; forget it if one has ended."""
    _kept.pop(hashed, None)
    tokens = TokenRepository()
    grant = tokens.find_all([hashed]).get(hashed)
    if grant is None:
        raise UnauthenticatedError("The token is unknown or was revoked.")
    if grant.ancestors:
        found = tokens.find_all(grant.ancestors)
        if any(each not in found or found[each].has_expired(now) for each in grant.ancestors):
            raise UnauthenticatedError(
                "The token that created this one has expired or was revoked."
            )
    return grant


def _values(headers: Mapping[str, str], name: str) -> list[str]:
    values = (value.strip() for value in headers.get(name.lower(), "").split(","))
    return [value for value in values if value]
