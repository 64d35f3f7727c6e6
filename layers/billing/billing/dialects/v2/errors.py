"""v2 customers: how a failure reads."""

from http import HTTPStatus

from pydantic import Field

from billing.dialects.fields import Dto
from billing.domain.errors import BillingError


class ErrorMessage(Dto):
    """The reason why a request failed."""

    code: int = Field(description="The HTTP status code, such as 404.")
    status: str = Field(description="The name of the HTTP status, such as `Not Found`.")
    message: str = Field(description="What went wrong and what to do, for people to read.")
    detailMsg: str = Field(description="Every wrong field of the request, or what to do.")


Failure = ErrorMessage


def render(error: BillingError, status: HTTPStatus, message: str, _: str) -> str:
    """Return the body of a failed request; 405 has an empty one (seed 003)."""
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return ""
    fields = "; ".join(f"{each.field}: {each.message}" for each in error.details)
    return ErrorMessage(
        code=status, status=status.phrase, message=message, detailMsg=fields or error.code
    ).model_dump_json()
