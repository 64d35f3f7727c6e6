"""v1 billing: how a failure reads."""

from http import HTTPStatus

from pydantic import Field

from billing.dialects.fields import Dto
from billing.domain.errors import BillingError


class FieldErrorDTO(Dto):
    """One wrong field."""

    field: str = Field(description="Where it stands in the request: `amount.tax.percentage`.")
    message: str = Field(description="What is wrong with it.")


class GenericResponseDTO(Dto):
    """Why a request failed."""

    code: str | None = Field(None, description="Stable, for programs: `INVALID_REQUEST`.")
    message: str = Field(description="For people.")
    details: list[FieldErrorDTO] | None = Field(None, description="Every wrong field.")
    trace_id: str | None = Field(None, description="Names this request in the logs.")


def render(error: BillingError, _: HTTPStatus, message: str, trace_id: str) -> str:
    """Return the body of a failed request."""
    return GenericResponseDTO(
        code=error.code,
        message=message,
        details=[FieldErrorDTO(field=each.field, message=each.message) for each in error.details],
        trace_id=trace_id,
    ).model_dump_json()
