"""
The stack that integration and e2e tests run against, and what all tests log.

`make test` starts a fresh one and says where by STACK_FILE; without that, the one that
`make start` left running is used: `make start && pytest tests/e2e`.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from billing.api.logger import logger
from local import deploy
from local.stack import from_environment
from tests.logs import secrets_in


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "last: runs when all others did")
    # It quotes the values it finds odd, and Lambda logs what is warned of.
    config.addinivalue_line("filterwarnings", "error:Pydantic serializer warnings")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


class _Lines(logging.Handler):
    """Keeps what is logged, as Lambda would log it: by every logger, from INFO on."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logger.registered_formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[str]]:
    """Keep what a test has logged, and fail it where that is something secret."""
    root, handler = logging.getLogger(), _Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.lines
    root.setLevel(level)
    root.removeHandler(handler)
    assert secrets_in(handler.lines) == []


@pytest.fixture(scope="session")
def stack() -> dict[str, Any]:
    """Read what runs: base_url, org_id, tokens and accounts, as in stack.json."""
    file = Path(os.environ.get("STACK_FILE") or from_environment().file)
    if not file.exists():
        pytest.fail("No stack runs: `make start` first, or run everything by `make test`")
    facts: dict[str, Any] = json.loads(file.read_text())
    return facts


@pytest.fixture(scope="session")
def aws(stack: dict[str, Any]) -> None:
    """Point this process at the stack's AWS, with the settings that its functions have."""
    local = from_environment()
    os.environ.update(local.aws_environment())
    os.environ["POWERTOOLS_SERVICE_NAME"] = "billing"
    for output, value in deploy.outputs(local).items():
        os.environ[re.sub(r"(?<!^)(?=[A-Z])", "_", output).upper()] = value


@pytest.fixture
def org_id() -> str:
    """Name an org that nobody else has."""
    return f"org-{uuid4().hex}"
