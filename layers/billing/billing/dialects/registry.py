"""
The registry of dialects, for the application and the OpenAPI document.

Each package here is a dialect, collected by being here: its name is the first segment of its paths,
and its module `errors` says how a failure reads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from pkgutil import iter_modules

from billing import dialects
from billing.dialects.fields import Dto
from billing.domain.errors import BillingError


@dataclass(frozen=True, slots=True)
class Dialect:
    """A published API dialect: the schema of its errors, and the function that renders one."""

    error_schema: type[Dto]
    render: Callable[[BillingError, HTTPStatus, str, str], str]


def _collect() -> dict[str, Dialect]:
    names = sorted(each.name for each in iter_modules(dialects.__path__) if each.ispkg)
    errors = {name: import_module(f"{dialects.__name__}.{name}.errors") for name in names}
    return {name: Dialect(each.Failure, each.render) for name, each in errors.items()}


DIALECTS: Mapping[str, Dialect] = _collect()
"""Dialects by the first segment of their paths."""


def dialect_of(path: str) -> Dialect:
    """Return the dialect of a path; v1 for a path that belongs to none."""
    return DIALECTS.get(path.removeprefix("/").partition("/")[0], DIALECTS["v1"])
