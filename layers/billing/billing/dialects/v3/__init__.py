"""
v3 account: camelCase, amounts as strings of whole minor units; it uses the token's one account.

This module says how a failure reads, and `invoices` what is answered.
"""

from http import HTTPStatus

from pydantic import Field

from billing.dialects.fields import Dto
from billing.domain.errors import BillingError

NUMBERS = {
    "NOT_FOUND": 10001,
    "INVALID_REQUEST": 10002,
    "UNAUTHENTICATED": 10003,
    "ACCESS_DENIED": 10004,
    "METHOD_NOT_ALLOWED": 10005,
    "PRECONDITION_FAILED": 10006,
    "TOO_LARGE": 10007,
    "ERASED": 10008,
    "EVENTS_EXPIRED": 10009,
    "GONE": 10010,
    "LINK_EXPIRED": 10011,
    "LINK_REVOKED": 10012,
    "TAX_ID_REQUIRED": 10013,
    "CONFLICT": 20001,
    "EXTERNAL_ID_REUSED": 20002,
    "EXTERNAL_ID_CHANGED": 20003,
    "ACCOUNT_CLOSED": 20004,
    "SUBSCRIPTION_TAKEN": 20005,
    "MOVEMENT_NOT_REFUNDABLE": 20006,
    "REFUND_EXCEEDS_MOVEMENT": 20007,
    "REFUND_NOT_CREDITABLE": 20008,
    "CYCLE_BEING_BILLED": 20009,
    "SERIES_TAKEN": 20010,
    "TAXPAYER_FIXED": 20011,
    "REFUND_NOT_PENDING": 20012,
    "REFUND_WITHDRAWN": 20013,
    "PAYMENT_EXCEEDS_INVOICE": 20014,
    "PAYMENT_REVERSED": 20015,
    "INVOICE_NOT_CREDITABLE": 20016,
    "CREDIT_EXCEEDS_INVOICE": 20017,
    "TOKEN_LINE_TOO_LONG": 20018,
    "CLOCK_BACKWARDS": 20019,
    "NOT_SANDBOX": 20020,
    "DOCUMENT_NOT_READY": 20021,
    "RATE_MISSING": 20022,
    "MOVEMENT_NOT_PENDING": 20023,
    "MOVEMENT_REFUNDED": 20024,
    "MOVEMENT_DELETED": 20025,
    "PAYOUT_EXCEEDS_CREDIT": 20026,
    "TOO_MANY_ENDPOINTS": 20027,
    "ENDPOINT_DISABLED": 20028,
    "FISCAL_REGIME": 20029,
    "FISCAL_RECORD_NOT_CORRECTABLE": 20030,
    "NO_SENDER": 20031,
    "NOT_BY_EMAIL": 20032,
    "INTERNAL_ERROR": 50001,
    "UPSTREAM_ERROR": 50002,
    "UPSTREAM_FAILED": 50003,
    "UPSTREAM_TIMEOUT": 50004,
    "UPSTREAM_BUSY": 50005,
    "SELLER_CHANGED": 50006,
    "EVENT_NOT_YET": 50007,
    "EVENT_NOT_TAKEN": 50008,
    "MAIL_BUSY": 50009,
    "MAIL_QUOTA_REACHED": 50010,
}
"""The number of each code, for ever: 1…… what was asked, 2…… conflicts, 5…… failures of ours."""

CODE = "code"
"""The property that has the code in words, beside the wrong ones."""


class PropertyError(Dto):
    """One wrong property, or the code of the error."""

    property: str = Field(
        description=f"Path of the property in the request; `{CODE}` in the first entry."
    )
    message: str = Field(
        description="What is wrong with the property, with the limit or form that it must have; in "
        "the first entry the error code as a word, such as `NOT_FOUND`."
    )


class ErrorResponse(Dto):
    """The reason why a request failed."""

    errorCode: int = Field(
        description="Number of the error, for programs to compare; it never changes: "
        + ", ".join(f"{number} `{code}`" for code, number in NUMBERS.items())
        + "."
    )
    errorMessage: str = Field(description="What went wrong and what to do, for people to read.")
    errors: list[PropertyError] = Field(
        description="The error code as a word, and then every property of the request that is "
        "wrong."
    )


Failure = ErrorResponse


def render(error: BillingError, _: HTTPStatus, message: str, __: str) -> str:
    """Return the body of a failed request."""
    wrong = [PropertyError(property=each.field, message=each.message) for each in error.details]
    return ErrorResponse(
        errorCode=NUMBERS[error.code],
        errorMessage=message,
        errors=[PropertyError(property=CODE, message=error.code), *wrong],
    ).model_dump_json()
