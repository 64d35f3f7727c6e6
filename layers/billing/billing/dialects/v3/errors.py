"""v3 account: how a failure reads."""

from http import HTTPStatus

from pydantic import Field

from billing.dialects.fields import Dto
from billing.domain.errors import BillingError


class PropertyError(Dto):
    """One wrong property."""

    property: str = Field(description="Where it stands in the request.")
    message: str = Field(description="What is wrong with it.")


class ErrorResponse(Dto):
    """Why a request failed."""

    errorCode: str = Field(description="Stable, for programs.")
    errorMessage: str = Field(description="For people.")
    errors: list[PropertyError] = Field(description="Every wrong property.")


def render(error: BillingError, _: HTTPStatus, message: str, __: str) -> str:
    """Return the body of a failed request."""
    return ErrorResponse(
        errorCode=error.code,
        errorMessage=message,
        errors=[PropertyError(property=each.field, message=each.message) for each in error.details],
    ).model_dump_json()
