"""Whatever goes wrong, nobody is told by what text: not the caller, not the log, not Lambda."""

import importlib
import json
from typing import Any, NoReturn

import pytest
from botocore.client import BaseClient

from tests.integration import callers
from tests.integration.conftest import EVENTS, Context, Invoker, Json, function_of
from tests.logs import secrets_in

pytestmark = pytest.mark.moto

SECRET = "Ana García López, Calle Mayor 12, ES91 2100 0418 4502 0005 1332, 12345678Z"

CALLS = [path.stem for path in sorted(EVENTS.glob("*.json")) if function_of(path.stem) != "front"]
"""The events of every function that needs AWS."""


def fail(*_: Any, **__: Any) -> NoReturn:
    raise ValueError(SECRET)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("name", CALLS)
def test_an_unforeseen_error_is_reported_and_its_text_is_not(
    name: str, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log itself is searched, like that of every test."""
    event = Invoker("demo").event(name)
    monkeypatch.setattr(BaseClient, "_make_api_call", fail)

    told = _call(function_of(name), event)

    assert secrets_in([told]) == []
    reports = [json.loads(line) for line in logged]
    errors = [each["error"] for each in reports if each["level"] == "ERROR"]
    assert set(errors) == {"ValueError"}


def _call(function: str, event: Json) -> str:
    """Call a function; tell what Lambda gets from it, which logs an error with its text."""
    module = importlib.import_module(f"functions.{function}.app")
    callers.know(event)
    try:
        return repr(module.lambda_handler(event, Context(60_000)))
    except Exception as error:
        return repr(error)
