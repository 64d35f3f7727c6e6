"""The logger of all functions: JSON lines, without anything secret."""

import traceback
from typing import Any

from aws_lambda_powertools import Logger

logger = Logger()


def report(what: str, error: BaseException, **where: Any) -> None:
    """Log an error by its kind and the lines it came through: its text may tell too much."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    logger.error(what, extra={"error": type(error).__name__, "trace": trace, **where})
