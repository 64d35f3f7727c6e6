"""The registry of dialects: the application and the OpenAPI document read it."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from billing.dialects.fields import Dto
from billing.dialects.v1 import errors as v1
from billing.dialects.v2 import errors as v2
from billing.dialects.v3 import errors as v3
from billing.domain.errors import BillingError


@dataclass(frozen=True, slots=True)
class Dialect:
    """A published API dialect: the schema of its errors, and the function that renders one."""

    error_schema: type[Dto]
    render: Callable[[BillingError, HTTPStatus, str, str], str]


DIALECTS = {
    "v1": Dialect(v1.GenericResponseDTO, v1.render),
    "v2": Dialect(v2.ErrorMessage, v2.render),
    "v3": Dialect(v3.ErrorResponse, v3.render),
}
"""Dialects by the first segment of their paths."""


def dialect_of(path: str) -> Dialect:
    """Return the dialect of a path; v1 for a path that belongs to none."""
    return DIALECTS.get(path.removeprefix("/").partition("/")[0], DIALECTS["v1"])
