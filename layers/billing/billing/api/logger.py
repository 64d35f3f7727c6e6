"""The logger of all functions: JSON lines, without anything secret."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from aws_lambda_powertools import Logger

# No line of ours says which thread or process wrote it: that need not be found out.
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

logger = Logger(json_serializer=lambda line: orjson.dumps(line, default=str).decode())


class ReportedError(Exception):
    """Something went wrong, and was reported."""


def report(what: str, error: BaseException, **where: Any) -> None:
    """Log the type and the stack trace of an error, not its text, which may hold personal data."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    logger.error(what, extra={"error": kind_of(error), "trace": trace, **where})


def kind_of(error: BaseException) -> str:
    """Return the name of an error; for one from AWS, with its code: `ClientError AccessDenied`."""
    answered = getattr(error, "response", None)
    code = answered.get("Error", {}).get("Code") if isinstance(answered, dict) else None
    return " ".join(filter(None, [type(error).__name__, code]))


@contextmanager
def reported(what: str, **where: Any) -> Iterator[None]:
    """Report an error and raise ReportedError without its text, which Lambda would log."""
    try:
        yield
    except Exception as error:
        report(what, error, **where)
        raise ReportedError from None
