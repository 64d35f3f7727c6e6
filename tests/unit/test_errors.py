"""Every error of the domain has a status and a code, and every dialect words it."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from importlib import import_module
from pkgutil import walk_packages

import pytest

import billing
from billing.api.errors import STATUS_BY_ERROR, render, status_of
from billing.dialects import v3
from billing.domain import errors
from billing.domain.errors import (
    BillingError,
    ConflictError,
    ContentionError,
    CycleMovedError,
    InvalidRequestError,
    UpstreamBusyError,
    UpstreamError,
    UpstreamTimeoutError,
)


def _all(kind: type[BillingError]) -> Iterator[type[BillingError]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _all(subclass)


for module in walk_packages(billing.__path__, "billing."):
    import_module(module.name)  # wherever an error is defined

ERRORS = list(_all(BillingError))


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_has_a_status(kind: type[BillingError]) -> None:
    error = kind.__new__(kind)

    status = status_of(error)

    assert status in STATUS_BY_ERROR.values()
    assert (status == HTTPStatus.INTERNAL_SERVER_ERROR) == (kind is BillingError)


def test_every_code_belongs_to_one_status() -> None:
    status_by_code: dict[str, set[HTTPStatus]] = {}
    for kind in ERRORS:
        status_by_code.setdefault(kind.code, set()).add(status_of(kind.__new__(kind)))

    assert {code: len(statuses) for code, statuses in status_by_code.items()} == dict.fromkeys(
        status_by_code, 1
    )


def test_every_error_has_a_code_of_its_own() -> None:
    """But for what services catch and try again: clients see one more reason to wait."""
    retried = (ContentionError, CycleMovedError)
    told_apart = [kind for kind in ERRORS if not issubclass(kind, retried)]

    assert [kind for kind in told_apart if "code" not in vars(kind)] == []
    assert len({kind.code for kind in told_apart}) == len(told_apart)


@pytest.mark.parametrize("kind", [each for each in ERRORS if each.__module__ == errors.__name__])
def test_the_module_opens_with_every_error(kind: type[BillingError]) -> None:
    tree = (errors.__doc__ or "").splitlines()

    assert [line for line in tree if re.search(rf"\b{kind.__name__}\b", line)]


def test_every_code_has_a_number_of_its_own_in_v3() -> None:
    codes = {kind.code for kind in ERRORS}

    assert codes - v3.NUMBERS.keys() == set(), "give it the next number of its kind"
    assert len(set(v3.NUMBERS.values())) == len(v3.NUMBERS)
    assert v3.NUMBERS["NOT_FOUND"] == 10001


def test_waiting_helps_where_we_say_so() -> None:
    helped = {kind for kind in ERRORS if kind.retry_after is not None}

    assert all(issubclass(kind, ConflictError | UpstreamBusyError) for kind in helped)
    assert status_of(UpstreamError("")) is HTTPStatus.BAD_GATEWAY
    assert status_of(UpstreamBusyError()) is HTTPStatus.SERVICE_UNAVAILABLE
    assert status_of(UpstreamTimeoutError()) is HTTPStatus.GATEWAY_TIMEOUT


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(
            "/v1/orgs/demo",
            {
                "code": "INVALID_REQUEST",
                "message": "a: is wrong",
                "details": [{"field": "a", "message": "is wrong"}],
                "trace_id": "trace",
            },
            id="v1",
        ),
        pytest.param(
            "/v2/orgs/demo",
            {
                "code": 400,
                "status": "Bad Request",
                "message": "a: is wrong",
                "detailMsg": "a: is wrong",
            },
            id="v2",
        ),
        pytest.param(
            "/v3/account",
            {
                "errorCode": 10002,
                "errorMessage": "a: is wrong",
                "errors": [
                    {"property": "code", "message": "INVALID_REQUEST"},
                    {"property": "a", "message": "is wrong"},
                ],
            },
            id="v3",
        ),
    ],
)
def test_words_an_error_in_the_dialect_of_the_path(path: str, body: object) -> None:
    error = InvalidRequestError.of("a", "is wrong")

    assert json.loads(render(path, error, error.message, "trace")) == body
