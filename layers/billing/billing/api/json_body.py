"""JSON bodies, read exactly: no number becomes a float, no field is given twice."""

import json
from typing import Any

from billing.domain.errors import InvalidRequestError
from billing.dto.base import NumberLiteral


def parse_json(body: str) -> Any:
    """
    Parse a request body.

    Raises InvalidRequestError for whatever is not JSON, too deep, or says a field twice.
    """
    try:
        return json.loads(
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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRequestError.of("body", f"has the field {twice!r} twice")
    return fields
