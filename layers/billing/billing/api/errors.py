"""The table from errors to HTTP statuses; dialects render the bodies."""

from http import HTTPStatus

from billing.dialects.registry import dialect_of
from billing.domain.errors import (
    AccessDeniedError,
    BillingError,
    ConflictError,
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


def status_of(error: BillingError) -> HTTPStatus:
    """Find the status of an error: its own, or that of the nearest family."""
    return next(STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)


def render(path: str, error: BillingError, message: str, trace_id: str) -> str:
    """Return the body of a failed request in the dialect of its path."""
    return dialect_of(path).render(error, status_of(error), message, trace_id)
