"""
Where the AWS of a test is, and what all tests log.

`make test` starts a fresh stack for the tests that ask for `stack`; without that, they use the one
that `make start` left running: `make start && pytest tests/e2e`. All others need none.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from billing.api.logger import logger
from local.stack import from_environment
from tests import places
from tests.logs import secrets_in

DEPLOYED = "tests/e2e/"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--aws",
        choices=["emulator", "moto"],
        default="emulator",
        help="What stands in for AWS where no stack is deployed.",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "faults: injects faults, kills or races, so it is no plain path",
        "last: runs when all others did",
        "moto: whole modules that moto serves too, by --aws=moto",
        "moto_differs(reason): a test that moto fails by a fault of its own",
    ):
        config.addinivalue_line("markers", marker)
    # It quotes the values it finds odd, and Lambda logs what is warned of.
    config.addinivalue_line("filterwarnings", "error:Pydantic serializer warnings")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Those of the deployed stack are the longest that one process does alone.
    items.sort(key=lambda item: not item.nodeid.startswith(DEPLOYED))
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    if config.getoption("--aws") == "moto":
        _keep_what_moto_serves(config, items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):  # type: ignore[misc]
        """Keeps the tests of a file in one process, and all that share the deployed stack."""

        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return DEPLOYED if file.startswith(DEPLOYED) else file

    # Files are done in their order, not by how many tests they have: the short ones of tests/unit
    # come last, so that no process waits for long for the others.
    config.option.loadscopereorder = False
    return Files(config, log)


def _keep_what_moto_serves(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[each for each in items if not _of_moto(each)])
    items[:] = filter(_of_moto, items)
    for item in items:
        if differs := item.get_closest_marker("moto_differs"):
            item.add_marker(pytest.mark.skip(reason=f"moto: {differs.args[0]}"))


def _of_moto(item: pytest.Item) -> bool:
    return item.get_closest_marker("moto") is not None and "aws" in _fixtures(item)


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


class _Lines(logging.Handler):
    """Keeps what is logged, as Lambda would log it: by every logger, from INFO on."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logger.registered_formatter)
        self.lines: list[str] = []

        self.requests: list[str] = []
        """The line that there is for each request, so that tests see what else there is."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = self.requests if record.getMessage() == "request" else self.lines
        lines.append(self.format(record))


@pytest.fixture(autouse=True)
def _all_logged() -> Iterator[_Lines]:
    """Keep what a test has logged, and fail it where that is something secret."""
    root, handler = logging.getLogger(), _Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)
    assert secrets_in([*handler.lines, *handler.requests]) == []


@pytest.fixture
def logged(_all_logged: _Lines) -> list[str]:
    """Read what was logged besides the requests."""
    return _all_logged.lines


@pytest.fixture
def requests_logged(_all_logged: _Lines) -> list[str]:
    """Read what was logged of requests."""
    return _all_logged.requests


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Go where the AWS of this test is, before any of its fixtures asks for it."""
    if "stack" in _fixtures(item):
        places.enter_stack()
    elif "aws" in _fixtures(item):
        places.enter_tables(item.config.getoption("--aws"), item.location[0])


def pytest_unconfigure() -> None:
    places.leave()


@pytest.fixture(scope="session")
def stack() -> dict[str, Any]:
    """Ask for the deployed stack; read base_url, org_id, tokens and accounts from stack.json."""
    facts: dict[str, Any] = json.loads(from_environment().file.read_text())
    return facts


@pytest.fixture(scope="session")
def aws() -> None:
    """Ask for AWS: tables, queues and a bucket; with `stack`, those of the deployed one."""


@pytest.fixture
def org_id() -> str:
    """Name an org that nobody else has."""
    return f"org-{uuid4().hex}"
