"""What is wrong with a request: its words, and its HTTP status; dialects render the bodies."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from billing.dialects.registry import dialect_of
from billing.domain.errors import (
    AccessDeniedError,
    BillingError,
    ConflictError,
    FieldError,
    GoneError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PreconditionFailedError,
    TooLargeError,
    UnauthenticatedError,
    UpstreamBusyError,
    UpstreamError,
    UpstreamTimeoutError,
)

STATUS_BY_ERROR: dict[type[BillingError], HTTPStatus] = {
    BillingError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    AccessDeniedError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    MethodNotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
    ConflictError: HTTPStatus.CONFLICT,
    GoneError: HTTPStatus.GONE,
    PreconditionFailedError: HTTPStatus.PRECONDITION_FAILED,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UpstreamError: HTTPStatus.BAD_GATEWAY,
    UpstreamBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    UpstreamTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
}

MAX_DETAILS = 100
"""Wrong fields that an answer names; of a hundred thousand it would not fit into any."""

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
"""Our words for pydantic's types of errors; any other is in pydantic's."""


def refusal(errors: Sequence[Mapping[str, Any]]) -> InvalidRequestError:
    """Return the error of a request in which fields are not as they have to be."""
    details = [FieldError(_field(each["loc"]), _worded(each)) for each in errors[:MAX_DETAILS]]
    return InvalidRequestError("The request is not well-formed.", *details)


def _worded(error: Mapping[str, Any]) -> str:
    words = _WORDS.get(error["type"])
    if words is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return words.format_map(error.get("ctx", {}))


def _field(path: tuple[str | int, ...]) -> str:
    """Return the name of a field from where it is: ('body', 'tax', 'type') is tax.type."""
    part, *where = path
    name = ".".join(map(str, where)) or str(part)
    return name.upper() if part == "header" else name


def status_of(error: BillingError) -> HTTPStatus:
    """Find the status of an error: its own, or that of the nearest family."""
    return next(STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)


def render(path: str, error: BillingError, message: str, trace_id: str) -> str:
    """Return the body of a failed request in the dialect of its path."""
    return dialect_of(path).render(error, status_of(error), message, trace_id)
