"""The logger of all functions: JSON lines, without anything secret."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger

logger = Logger()


class ReportedError(Exception):
    """Something went wrong, and was reported."""


def report(what: str, error: BaseException, **where: Any) -> None:
    """Log an error by its kind and the lines it came through: its text may tell too much."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    logger.error(what, extra={"error": type(error).__name__, "trace": trace, **where})


@contextmanager
def reported(what: str, **where: Any) -> Iterator[None]:
    """Report an error, and pass on that there was one, but not its text: Lambda would log it."""
    try:
        yield
    except Exception as error:
        report(what, error, **where)
        raise ReportedError from None
