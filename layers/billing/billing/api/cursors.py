"""
Cursors: where the next page of a list begins.

A cursor contains the id of the last row, and a digest of that id, the caller and the list. If it is
changed, or used for another list or by another caller, the digest does not match. It contains no
secret, so the digest needs no key.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256

from billing.domain.errors import InvalidRequestError

_DIGEST_BYTES = 12
_LAST_ID = re.compile(r"[\w .:-]{1,400}", re.ASCII)
_ORDINAL = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def encode(last_id: str, *scope: str) -> str:
    """Return the cursor that continues after a row; `scope` is who asked for what."""
    digest = sha256("\n".join([*scope, last_id]).encode()).digest()[:_DIGEST_BYTES]
    return urlsafe_b64encode(digest + last_id.encode()).decode().rstrip("=")


def decode(cursor: str | None, *scope: str, field: str = "cursor") -> str | None:
    """
    Read a cursor: the id of the last row, None for the first page.

    Raise InvalidRequestError for its field where it was not made by encode() for the same scope.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        last_id = urlsafe_b64decode(padded)[_DIGEST_BYTES:].decode()
    except ValueError:
        last_id = ""
    # A forged digest can only point inside the list.
    if encode(last_id, *scope) != cursor or not _LAST_ID.fullmatch(last_id):
        raise _refused(field)
    return last_id


def encode_text(text: str, *scope: str) -> str:
    """Return the cursor that continues after a row that has a text of any kind for an id."""
    return encode(urlsafe_b64encode(text.encode()).decode().rstrip("="), *scope)


def decode_text(cursor: str | None, *scope: str) -> str | None:
    """Read a cursor of encode_text(), as decode() does."""
    last_id = decode(cursor, *scope)
    if last_id is None:
        return None
    try:
        return urlsafe_b64decode(last_id + "=" * (-len(last_id) % 4)).decode()
    except ValueError:
        raise _refused() from None


def decode_ordinal(cursor: str | None, *scope: str) -> int | None:
    """Read a cursor whose last row has a number, as decode() does."""
    last_id = decode(cursor, *scope)
    if last_id is None:
        return None
    if not _ORDINAL.fullmatch(last_id):
        raise _refused()
    return int(last_id)


def page[T](
    rows: Sequence[T], limit: int, id_of: Callable[[T], str], *scope: str
) -> tuple[Sequence[T], str | None]:
    """Divide rows, read one beyond the limit: the page, and the cursor of the next if there is."""
    shown = rows[:limit]
    return shown, encode(id_of(shown[-1]), *scope) if len(rows) > limit else None


def _refused(field: str = "cursor") -> InvalidRequestError:
    return InvalidRequestError.of(
        field, "is not a cursor of this list and this token: leave it out for the first page"
    )
