"""
The registry of dialects, for the application and the OpenAPI document.

Each package here is a dialect, known by being here: its name is the first segment of its paths, its
first line says how it writes things, and it has `Failure`, the schema of a failure, and `render`,
which words one. It is imported by the functions that speak it, and elsewhere by its first failure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib import import_module
from pkgutil import iter_modules

from billing import dialects
from billing.dialects.fields import Dto
from billing.domain.errors import BillingError


@dataclass(frozen=True, slots=True)
class Dialect:
    """A published API dialect: its first line, the schema of its errors, and what renders one."""

    description: str
    error_schema: type[Dto]
    render: Callable[[BillingError, HTTPStatus, str, str], str]


NAMES = sorted(each.name for each in iter_modules(dialects.__path__) if each.ispkg)
"""The first segments of their paths."""


@cache
def dialect(name: str) -> Dialect:
    """Return the dialect of a name."""
    package = import_module(f"{dialects.__name__}.{name}")
    first_line = (package.__doc__ or "").strip().partition("\n")[0]
    return Dialect(first_line, package.Failure, package.render)


def dialect_of(path: str) -> Dialect:
    """Return the dialect of a path; v1 for a path that belongs to none."""
    name = path.removeprefix("/").partition("/")[0]
    return dialect(name if name in NAMES else "v1")
