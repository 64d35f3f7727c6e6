"""
v1 billing: snake_case, amounts as numbers in major units.

This module says how a failure reads; the others, each for a group, what is sent and answered.
"""

from http import HTTPStatus

from pydantic import Field

from billing.dialects.fields import Dto
from billing.domain.errors import BillingError


class FieldErrorDTO(Dto):
    """One wrong field."""

    field: str = Field(
        description="Path of the field in the request. Example: `amount.tax.percentage`."
    )
    message: str = Field(
        description="What is wrong with the field, with the limit or form it must have."
    )


class GenericResponseDTO(Dto):
    """The reason why a request failed."""

    code: str | None = Field(
        None, description="Error code for programs; it never changes. Example: `INVALID_REQUEST`."
    )
    message: str = Field(description="What went wrong and what to do, for people to read.")
    details: list[FieldErrorDTO] | None = Field(
        None, description="Every field of the request that is wrong."
    )
    trace_id: str | None = Field(None, description="Id of this request, to find it in the logs.")


Failure = GenericResponseDTO


def render(error: BillingError, _: HTTPStatus, message: str, trace_id: str) -> str:
    """Return the body of a failed request."""
    return GenericResponseDTO(
        code=error.code,
        message=message,
        details=[FieldErrorDTO(field=each.field, message=each.message) for each in error.details],
        trace_id=trace_id,
    ).model_dump_json()
