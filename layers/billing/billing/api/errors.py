"""Every failure as an answer: one table from errors to statuses, one renderer per dialect."""

from collections.abc import Callable
from http import HTTPStatus

from billing.domain.errors import (
    AccessDeniedError,
    BillingError,
    ConflictError,
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
from billing.dto.v1_common import FieldErrorDTO, GenericResponseDTO
from billing.dto.v2_invoices import ErrorMessage
from billing.dto.v3_invoices import ErrorResponse, PropertyError

STATUS_BY_ERROR: dict[type[BillingError], HTTPStatus] = {
    BillingError: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidRequestError: HTTPStatus.BAD_REQUEST,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    AccessDeniedError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    MethodNotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
    ConflictError: HTTPStatus.CONFLICT,
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
    """Word a failure in the dialect of a path."""
    dialect = path.split("/", 2)[1] if path.startswith("/") else ""
    return _RENDERERS.get(dialect, _generic_response)(error, message, trace_id)


def _generic_response(error: BillingError, message: str, trace_id: str) -> str:
    return GenericResponseDTO(
        code=error.code,
        message=message,
        details=[FieldErrorDTO(field=each.field, message=each.message) for each in error.details],
        trace_id=trace_id,
    ).model_dump_json()


def _error_message(error: BillingError, message: str, _: str) -> str:
    status = status_of(error)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return ""
    fields = "; ".join(f"{each.field}: {each.message}" for each in error.details)
    return ErrorMessage(
        code=status, status=status.phrase, message=message, detailMsg=fields or error.code
    ).model_dump_json()


def _error_response(error: BillingError, message: str, _: str) -> str:
    return ErrorResponse(
        errorCode=error.code,
        errorMessage=message,
        errors=[PropertyError(property=each.field, message=each.message) for each in error.details],
    ).model_dump_json()


_RENDERERS: dict[str, Callable[[BillingError, str, str], str]] = {
    "v1": _generic_response,
    "v2": _error_message,
    "v3": _error_response,
}
