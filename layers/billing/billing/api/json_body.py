"""JSON bodies, read exactly: no number becomes a float, no field comes twice, no byte is lost."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from email.message import Message
from typing import Any

from billing.dialects.fields import NumberLiteral
from billing.domain.errors import InvalidRequestError, TooLargeError

JSON = "application/json"
MAX_CHARACTERS = 2_000_000
"""A thousand lines with long texts; what is parsed in time, whatever is in it."""
MAX_FIELDS = 50
"""Three times as many as any object of ours has; each one too many would be named in the answer."""


def as_json(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Return a request with its body as text, declared as JSON in the spelling that Powertools takes.

    Raise InvalidRequestError if it is not declared as JSON in UTF-8, or is not UTF-8: a gateway
    that hands a body over as text has replaced each byte that it could not read with U+FFFD, and
    one that hands it over in base64 has kept all its bytes.
    """
    body, headers = event.get("body"), event.get("headers") or {}
    if not body:
        return event
    declared = Message()
    declared["content-type"] = headers.get("content-type", JSON)
    if declared.get_content_type() != JSON:
        raise InvalidRequestError.of("content-type", f"must be {JSON}")
    charset = declared.get_param("charset", "utf-8")
    if str(charset).lower() not in ("utf-8", "utf8"):
        raise InvalidRequestError.of("content-type", f"must have charset utf-8, not {charset}")
    if event.get("isBase64Encoded"):
        try:
            body = b64decode(body).decode()
        except UnicodeDecodeError:
            raise InvalidRequestError.of("body", "is not UTF-8") from None
    elif "\N{REPLACEMENT CHARACTER}" in body:
        raise InvalidRequestError.of(
            "body", r"is not UTF-8; where you mean the character U+FFFD, write \ufffd"
        )
    headers = {**headers, "content-type": JSON}
    return {**event, "body": body, "isBase64Encoded": False, "headers": headers}


def parse_json(body: str) -> Any:
    """
    Parse a request body, an object for whatever it is sent to.

    Raise InvalidRequestError for whatever is not JSON, too deep, or says a field twice, and
    TooLargeError for more than we read.
    """
    if len(body) > MAX_CHARACTERS:
        raise TooLargeError(
            f"The body has more than {MAX_CHARACTERS} characters; send it in parts."
        )
    try:
        parsed = json.loads(
            body or "null",
            parse_float=NumberLiteral,
            parse_constant=NumberLiteral,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise InvalidRequestError.of(
            "body", f"is not JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise InvalidRequestError.of("body", "is nested too deep") from None
    except ValueError:
        raise InvalidRequestError.of("body", "has a number with too many digits") from None
    # Powertools would take the first of a list for the whole.
    if isinstance(parsed, list):
        raise InvalidRequestError.of("body", "must be an object")
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_FIELDS:
        raise InvalidRequestError.of("body", f"has an object of more than {MAX_FIELDS} fields")
    fields = dict(pairs)
    if len(fields) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidRequestError.of("body", f"has the field {twice!r} twice")
    return fields
