"""
AWS that hangs, drips or takes no connection: functions end before Lambda ends them.

Here time is real. As many calls wait side by side as there are processors, each in a process of its
own: more would take the time of each other.
"""

import json
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from billing import deadline
from billing.api.logger import ReportedError
from billing.domain.errors import UpstreamTimeoutError
from billing.persistence.dynamodb import at_once
from functions.documents.app import lambda_handler as documents
from tests import template
from tests.integration.conftest import EVENTS, Context, Invoker, function_of
from tests.integration.story import Story, makers, seconds_of

if TYPE_CHECKING:
    from tests.integration.in_lambda import End

pytestmark = pytest.mark.faults

LITTLE = 7.0
"""Seconds that leave room for one try of a call."""
SPARE_SECONDS = 0.5
"""What is left of a function's time, at least, when it ends."""
LEAST_SECONDS = 0.9
"""What waiting for any of these lines takes: less means that nobody was asked."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"

FIRST_EVENT = {
    function: next(path.stem for path in sorted(EVENTS.glob(f"{function}_*.json")))
    for function in template.functions().values()
    if function != "front"  # its documents call nobody
}
# Sending to an org begins with minutes to spare, or not at all.
FIRST_EVENT["send_fiscal_records"] = "send_fiscal_records_sweep"


@dataclass(frozen=True)
class Case:
    """A call of a function, and what is the matter with AWS, from the nth call of clients on."""

    event: str
    line: str
    seconds: float
    clients: tuple[str, ...] = ()
    nth: int = 1

    def __str__(self) -> str:
        return " ".join([self.event, self.line, f"{self.seconds:g} s", *self.clients])


LINES = ["silent", "deaf", "drips", "drips later"]
KINDS = ["refunds", "bill_accounts", "publish_events", "documents"]
"""Functions that the gateway, a queue, a stream and another function call: one of each."""
WITH_LITTLE_TIME = [
    *(Case(event, "silent", LITTLE) for event in FIRST_EVENT.values()),
    *(Case(FIRST_EVENT[function], line, LITTLE) for function in KINDS for line in LINES[1:]),
]
WITH_ITS_OWN_TIME = [
    *(Case(FIRST_EVENT[function], "silent", seconds_of(function)) for function in KINDS),
    Case("invoices_list", "drips", 20),
]
LATER = {
    Case("invoices_create", "drips", LITTLE, ("dynamodb",), 2): 504,
    Case("invoices_get_pdf", "silent", LITTLE, ("s3",)): 504,
    Case("invoices_get_pdf", "drips", LITTLE, ("s3",)): 504,
    Case("invoices_get_pdf", "drips later", LITTLE, ("s3",)): 504,
}
"""Calls that go well at first."""


class Line:
    """A port that takes connections and no more; as many as wait in its queue."""

    def __init__(self, queue: int = 1000) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=queue)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class FullLine(Line):
    """A port that takes no more connections."""

    def __init__(self) -> None:
        super().__init__(queue=0)
        self._waiting = [socket.socket() for _ in range(2)]
        for each in self._waiting:
            each.setblocking(False)
            with suppress(BlockingIOError):
                each.connect(("127.0.0.1", self.port))

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for each in self._waiting:
            each.close()


class DrippingLine(Line):
    """A port that answers a byte at a time, each in time for whoever waits for the next."""

    def __init__(self, at_once: bytes = b"") -> None:
        super().__init__()
        self._at_once = at_once
        self._over = Event()
        self._dripping = Thread(target=self._drip)
        self._dripping.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._dripping.join()
        super().__exit__()

    def _drip(self) -> None:
        self._socket.setblocking(False)
        with ExitStack() as stack:
            taken: list[tuple[socket.socket, Iterator[int]]] = []
            while not self._over.wait(0.5):
                with suppress(BlockingIOError):
                    while True:
                        connection = stack.enter_context(self._socket.accept()[0])
                        connection.send(self._at_once)
                        taken.append(
                            (connection, iter(HEAD.removeprefix(self._at_once) + b" " * 60))
                        )
                for connection, rest in taken:
                    with suppress(OSError):
                        connection.send(bytes(islice(rest, 1)))


@pytest.fixture(scope="module")
def ends(aws: None) -> "Iterator[dict[Case, Future[End]]]":
    """Call one function after the other, on each processor."""
    from tests.integration import in_lambda  # makes clients, for which `aws` has made the settings

    story = Story(Invoker(f"org-{uuid4().hex}", written=True))
    for name in [*makers("invoices_pay"), "invoices_get_pdf"]:
        assert story.tell(name).status in (200, 201, 204)
    cases = [*WITH_LITTLE_TIME, *WITH_ITS_OWN_TIME, *LATER]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([in_lambda.__name__])
    with (
        Line() as silent,
        FullLine() as deaf,
        DrippingLine() as drips,
        DrippingLine(HEAD) as drips_later,
        ProcessPoolExecutor(os.cpu_count(), context) as pool,
    ):
        ports = dict(
            zip(LINES, (each.port for each in (silent, deaf, drips, drips_later)), strict=True)
        )
        pool.submit(int).result()
        yield {
            case: pool.submit(
                in_lambda.invoke,
                function_of(case.event),
                story.invoke.event(case.event),
                case.seconds,
                ports[case.line],
                case.clients,
                case.nth,
            )
            for case in cases
        }


@pytest.mark.parametrize("case", [*WITH_LITTLE_TIME, *WITH_ITS_OWN_TIME], ids=str)
def test_a_function_ends_in_our_words_before_lambda_ends_it(
    case: Case, ends: "dict[Case, Future[End]]"
) -> None:
    end = ends[case].result()

    assert LEAST_SECONDS < end.seconds < case.seconds - SPARE_SECONDS
    assert _status(end.answer) == 504


@pytest.mark.parametrize(("case", "status"), LATER.items(), ids=str)
def test_so_it_is_when_a_later_call_takes_too_long(
    case: Case, status: int, ends: "dict[Case, Future[End]]"
) -> None:
    end = ends[case].result()

    assert LEAST_SECONDS < end.seconds < case.seconds - SPARE_SECONDS
    assert _status(end.answer) == status


def test_what_is_read_at_once_ends_too() -> None:
    let_go = Event()
    deadline.start(int(1000 * (deadline.RESERVE_SECONDS + 0.5)))
    began = time.monotonic()
    try:
        with pytest.raises(UpstreamTimeoutError):
            at_once(lambda _: let_go.wait(10), range(3))
    finally:
        let_go.set()

    assert time.monotonic() - began < 5


def test_no_call_inherits_the_deadline_of_the_one_before(billed: Invoker) -> None:
    """As in a warm sandbox that was asked for one PDF and is handed others by the stream."""
    assert billed("invoices_create").status == 201
    asked, streamed = (
        json.loads((EVENTS / f"documents_{name}.json").read_text().replace("demo", billed.org_id))
        for name in ("make", "stream")
    )
    with pytest.raises(ReportedError):
        documents(asked, Context(1))

    answer = documents(streamed, Context())

    assert answer == {"batchItemFailures": []}


def _status(answer: Any) -> int:
    """Tell the status of an answer; a function that answers no client raises, or hands back."""
    if answer == "UpstreamTimeoutError" or (
        isinstance(answer, dict) and answer.get("batchItemFailures")
    ):
        return 504
    return int(answer["statusCode"])
