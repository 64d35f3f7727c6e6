"""
A process as Lambda has one, warm: all is imported, and the handler is called in the main thread.

It is forked from a server that imported this module, for calls that may take their time.
"""

import importlib
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest

from billing import aws, clock, deadline
from billing.api.authentication import authenticate
from tests.integration.conftest import FUNCTIONS, Context
from tests.integration.faults import Faulty

HANDLERS = {
    name: importlib.import_module(f"functions.{name}.app").lambda_handler for name in FUNCTIONS
}
CLIENTS = {name: make() for name, make in vars(aws).items() if hasattr(make, "cache_clear")}


@dataclass(frozen=True)
class End:
    """How an invocation ended."""

    answer: Any
    """What was returned, or the name of the error that was raised, or reported."""
    seconds: float


def invoke(
    function: str,
    event: Any,
    seconds: float,
    port: int,
    clients: tuple[str, ...] = (),
    nth: int = 1,
) -> End:
    """Call a function that reaches a local port instead of AWS from the nth call of clients on."""

    def divert(_: Any, request: AWSPreparedRequest) -> None:
        request.url = f"http://127.0.0.1:{port}{urlsplit(request.url).path}"

    deadline.clear()  # of the call before, in the same process
    if "private-token" in event.get("headers", {}):
        authenticate(event["headers"], clock.now())  # what a warm process knows
    with ExitStack() as stack:
        for name in clients or CLIENTS:
            stack.enter_context(Faulty(CLIENTS[name], nth, divert, 10_000))
        began = time.monotonic()
        try:
            answer = HANDLERS[function](event, Context(int(seconds * 1000)))
        except Exception as error:
            answer = type(error.__context__ or error).__name__
        return End(answer, time.monotonic() - began)
