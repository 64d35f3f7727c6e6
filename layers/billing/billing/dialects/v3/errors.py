"""v3 account: how a failure reads."""

from http import HTTPStatus

from pydantic import Field

from billing.dialects.fields import Dto
from billing.domain.errors import BillingError


class PropertyError(Dto):
    """One wrong property."""

    property: str = Field(description="Path of the property in the request.")
    message: str = Field(
        description="What is wrong with the field, with the limit or form it must have."
    )


class ErrorResponse(Dto):
    """The reason why a request failed."""

    errorCode: str = Field(description="A stable code of the error, for programs to compare.")
    errorMessage: str = Field(description="What went wrong and what to do, for people to read.")
    errors: list[PropertyError] = Field(description="Every property of the request that is wrong.")


def render(error: BillingError, _: HTTPStatus, message: str, __: str) -> str:
    """Return the body of a failed request."""
    return ErrorResponse(
        errorCode=error.code,
        errorMessage=message,
        errors=[PropertyError(property=each.field, message=each.message) for each in error.details],
    ).model_dump_json()
