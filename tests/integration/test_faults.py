"""
Every route, at each of its calls to AWS, under everything that can go wrong there.

Routes come from the events, calls from a recording, so a new route or call is covered as it comes.
Time is virtual: a pause, a hang or a lost connection costs what it would, and nobody waits.
"""

import importlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    BotoCoreError,
    ConnectionError,  # noqa: A004 - botocore's own
    ConnectTimeoutError,
    HTTPClientError,
    ReadTimeoutError,
)

from billing import aws as clients
from billing import deadline
from billing.api import authentication
from billing.api.errors import status_of
from billing.api.logger import ReportedError
from billing.aws import call
from billing.dialects.registry import dialect_of
from billing.domain.errors import BillingError, UpstreamError
from billing.persistence.dynamodb import Item, query
from billing.persistence.invoices import InvoiceRepository
from tests.integration.conftest import EVENTS, Answer, Context, Invoker, function_of
from tests.integration.faults import (
    AFTER_IT_WAS_DONE,
    ANYWHERE,
    FOR_GOOD,
    RARER,
    Fault,
    Faulty,
    accept_no_connection,
    asked_of,
    conflict,
    faults_of,
    hang,
    lose_the_answer,
    throttle,
)
from tests.integration.story import REQUESTS, Story, in_order, makers, method, seconds_of
from tests.unit.test_errors import ERRORS

pytestmark = pytest.mark.faults

FOREVER = 10_000
SPARE_SECONDS = 0.5
"""What is left of a function's time, at least, when it answers."""
HIDDEN = re.compile(
    r"arn:|Traceback|botocore|amazonaws|canary|assumed-role|\b[A-Za-z]+(Error|Exception)\b"
)
"""What belongs to AWS and to Python, and into no answer."""
HONEST = re.compile("may or may not have been done.*can be sent again")
CODES = {
    status: {kind.code for kind in ERRORS if status_of(kind.__new__(kind)) == status}
    for status in map(status_of, (kind.__new__(kind) for kind in ERRORS))
}


# ---------------------------------------------------------------- the world and its calls


WRITES = [name for name in REQUESTS if method(name) != "GET"]
EXTERNAL = [
    name
    for name in WRITES
    if "_unique_id" in REQUESTS[name].get("body", "") and name != "consumptions_create"
]
"""What is created under an external id; usage says how much of it was there instead."""


@dataclass(frozen=True)
class Call:
    """One call of a route: the nth of its client."""

    client: Any
    nth: int
    operation: str

    def __str__(self) -> str:
        return f"{self.operation} ({self.nth})"


class Clock:
    """Time that passes without anybody waiting."""

    def __init__(self) -> None:
        self._now = time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def monotonic(self) -> float:
        self._now += 0.001
        return self._now

    def passing(self, fault: Fault) -> Fault:
        """Let a fault take its time."""

        def slow(client: Any, request: AWSPreparedRequest) -> AWSResponse | None:
            config = client.meta.config
            try:
                return fault(client, request)
            except ReadTimeoutError:
                self.sleep(config.connect_timeout + config.read_timeout)
                raise
            except ConnectTimeoutError:
                self.sleep(config.connect_timeout)
                raise

        return slow


def all_clients() -> list[Any]:
    return [make() for make in vars(clients).values() if hasattr(make, "cache_clear")]


@pytest.fixture
def clock(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    yield clock
    deadline.clear()


@pytest.fixture(autouse=True)
def no_pdf_yet(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every PDF that is wanted be made: that takes more calls."""
    find_pdf, get_document = InvoiceRepository.find_pdf, InvoiceRepository.get_document
    patch = partial(monkeypatch.setattr, InvoiceRepository)
    patch("find_pdf", lambda *of: find_pdf(*of) and None)
    patch("get_document", lambda *of: (get_document(*of)[0], None))


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no grant be kept: then the first call of every route is the one that reads its token."""
    monkeypatch.setattr(authentication, "KEPT_FOR", timedelta())


@pytest.fixture(scope="module")
def told(aws: None) -> Story:
    """Tell all of the story but what is read, and what takes away."""
    story = _new_story()
    for name in in_order():
        if method(name) not in ("GET", "DELETE"):
            assert story.tell(name).status in (201, 204)
        elif method(name) == "GET":
            story.prepare(name)
    return story


def _new_story() -> Story:
    return Story(Invoker(f"org-{uuid4().hex}", written=True))


def _before(name: str) -> Story:
    """Tell of a world in which an event finds what it is about."""
    story = _new_story()
    for each in makers(name):
        assert story.tell(each).status in (201, 204)
    story.prepare(name)
    return story


def _recorded(tell: Callable[[], object]) -> list[Call]:
    """Record the calls of a route."""
    calls: list[Call] = []
    with ExitStack() as stack:
        for client in all_clients():

            def note(model: Any, client: Any = client, **_: Any) -> None:
                nth = sum(call.client is client for call in calls) + 1
                calls.append(Call(client, nth, model.name))

            client.meta.events.register("before-call", note)
            stack.callback(client.meta.events.unregister, "before-call", note)
        tell()
    assert calls
    return calls


class Watched:
    """Looks at what a request asks DynamoDB, to find the items that it is about."""

    def __init__(self) -> None:
        self._partitions: set[tuple[str, str]] = set()

    def __enter__(self) -> "Watched":
        clients.dynamodb().meta.events.register_first("before-send", self._look)
        return self

    def __exit__(self, *_: object) -> None:
        clients.dynamodb().meta.events.unregister("before-send", self._look)

    def _look(self, request: AWSPreparedRequest, **_: Any) -> None:
        self._partitions |= set(_partitions(asked_of(request), ""))

    def items(self, org_id: str) -> Counter[str]:
        """
        Tell what stands there, without what differs from org to org and from time to time.

        PDFs are made whenever the stream comes by.
        """
        found = [
            f"{item['pk']['S']} {item['sk']['S']} {_numbers(item)}".replace(org_id, "org")
            for table, pk in self._partitions
            for item in query(table, "pk = :pk", {":pk": {"S": pk}})
        ]
        ours = (each for each in found if "org-" not in each and " pdf " not in each)
        return Counter(
            re.sub(r"[0-9a-f]{32,}|(?<= run#)[0-9]{15}(?=#)", "…", each) for each in ours
        )


def _partitions(asked: Any, table: str) -> Iterator[tuple[str, str]]:
    if isinstance(asked, list):
        for each in asked:
            yield from _partitions(each, table)
    elif isinstance(asked, dict):
        table = asked.get("TableName", table)
        for name, value in asked.items():
            if name in ("pk", ":pk"):
                yield table, value["S"]
            yield from _partitions(value, name if asked is value or "Keys" in str(value) else table)


def _numbers(item: Item) -> dict[str, str]:
    return {name: value["N"] for name, value in sorted(item.items()) if "N" in value}


# ---------------------------------------------------------------- what an answer must be


def _wrong(name: str, answer: Answer, status: int) -> list[str]:
    """Tell what is wrong with the answer to an event that failed."""
    if answer.status != status:
        return [f"{answer.status} instead of {status}"]
    event = REQUESTS[name]
    failure = dialect_of(event["rawPath"]).error_schema
    wrong = []
    if hidden := HIDDEN.search(f"{answer.text} {answer.headers}"):
        wrong.append(f"shows {hidden[0]}")
    if answer.headers.get("x-request-id") != event["requestContext"]["requestId"]:
        wrong.append("no x-request-id")
    if ("retry-after" in answer.headers) != (status in (409, 503)):
        wrong.append(f"retry-after: {answer.headers.get('retry-after')}")
    is_json = answer.headers["content-type"] == "application/json"
    if not is_json or answer.json.keys() != failure.model_fields.keys():
        wrong.append("another dialect")
    if not answer.texts & CODES[HTTPStatus(status)]:
        wrong.append(f"code: {answer.text}")
    honest = any(HONEST.search(text) for text in answer.texts)
    if status >= 500 and honest != (method(name) != "GET"):
        wrong.append(f"says: {answer.text}")
    return wrong


# ---------------------------------------------------------------- routes


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize("name", [name for name in REQUESTS if method(name) == "GET"])
def test_a_read_fails_honestly_and_gets_over_what_happens_once(
    name: str, told: Story, clock: Clock
) -> None:
    wrong = []
    for at in _recorded(lambda: told.tell(name)):
        for fault in faults_of(at.client, at.operation):
            wrong += _failing(name, told, at, fault, clock)
            with _once(at, fault, clock):
                again = told.tell(name)
            if again.status != 200:
                wrong.append(f"{at} {fault.__name__} once: {again}")

    assert wrong == []


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize("name", WRITES)
def test_a_write_fails_honestly_and_is_done_once_when_sent_again(name: str, clock: Clock) -> None:
    calls, undisturbed = _undisturbed(name)
    wrong = []
    for at in calls:
        faults = faults_of(at.client, at.operation).keys()
        lost_answers = [[fault] for fault in faults & AFTER_IT_WAS_DONE]
        for some in [list(faults - AFTER_IT_WAS_DONE), *lost_answers]:
            story = _before(name)
            with Watched() as watched:
                for fault in some:
                    wrong += _failing(name, story, at, fault, clock)
                again = story.tell(name)
            done = some in lost_answers
            gone = done and method(name) == "DELETE" and again.status == 404
            is_replay = done and again.status == 201 and name in EXTERNAL
            replayed = "idempotent-replayed" in again.headers
            if at.operation == "TransactWriteItems" and replayed != is_replay:
                wrong.append(f"{at} {some} again: {again.headers}")
            if again.status not in (201, 204) and not gone:
                wrong.append(f"{at} {some} again: {again}")
            items = watched.items(story.invoke.org_id)
            if items != undisturbed and not (done and _is_new_each_time(name)):
                wrong.append(f"{at} {some} left {items - undisturbed} not {undisturbed - items}")

    assert wrong == []


@pytest.mark.usefixtures("cold")
@pytest.mark.parametrize("name", WRITES)
def test_a_write_gets_over_what_happens_once(name: str, clock: Clock) -> None:
    """What can hit any call is left to the reads, but for the answer of what was done."""
    calls, undisturbed = _undisturbed(name)
    wrong = []
    for at in calls:
        faults = faults_of(at.client, at.operation).keys() - ANYWHERE.keys() - RARER.keys()
        for fault in [lose_the_answer, *(faults - FOR_GOOD)]:
            story = _before(name)
            with Watched() as watched, _once(at, fault, clock):
                answer = story.tell(name)
            items = watched.items(story.invoke.org_id)
            if answer.status not in (201, 204) or items != undisturbed:
                wrong.append(f"{at} {fault.__name__} once: {answer}, {items}")

    assert wrong == []


@pytest.mark.parametrize("seconds", [5, 6, 7, 8, 9, 10, 12, 15])
@pytest.mark.parametrize("fault", [hang, accept_no_connection, throttle, conflict])
def test_begins_no_call_that_cannot_end_in_time(
    billed: Invoker, fault: Fault, seconds: int, clock: Clock
) -> None:
    began = clock.monotonic()

    with Faulty(clients.dynamodb(), 2, clock.passing(fault), FOREVER):
        answer = billed("movements_create", remaining_ms=seconds * 1000)

    assert answer.status in (503, 504)
    assert clock.monotonic() - began < seconds - SPARE_SECONDS


def _undisturbed(name: str) -> tuple[list[Call], Counter[str]]:
    """Tell the calls of a write, and what it leaves."""
    story = _before(name)
    with Watched() as watched:
        calls = _recorded(lambda: story.tell(name))
    return calls, watched.items(story.invoke.org_id)


def _failing(name: str, story: Story, at: Call, fault: Fault, clock: Clock) -> list[str]:
    """Send an event while a call goes wrong at every try; tell what is wrong with the answer."""
    with Faulty(at.client, at.nth, clock.passing(fault), FOREVER):
        began = clock.monotonic()
        answer = story.tell(name)
        took = clock.monotonic() - began
    wrong = _wrong(name, answer, faults_of(at.client, at.operation)[fault])
    if took > seconds_of(function_of(name)) - SPARE_SECONDS:
        wrong.append(f"took {took} s")
    return [f"{at} {fault.__name__}: {each}" for each in wrong]


def _once(at: Call, fault: Fault, clock: Clock) -> Any:
    """Let a fault happen once, where somebody tries again; calling a function takes too long."""
    tried_again = fault not in FOR_GOOD and at.operation != "Invoke"
    return Faulty(at.client, at.nth, clock.passing(fault), 1) if tried_again else nullcontext()


def _is_new_each_time(name: str) -> bool:
    """Tell whether nothing in a request says that it is the same again: so it is with tokens."""
    return method(name) == "POST" and "external_" not in REQUESTS[name].get("body", "")


# ---------------------------------------------------------------- functions without routes


@pytest.mark.parametrize("name", ["documents_make"])
def test_a_function_behind_fails_in_our_words_and_then_answers(
    name: str, told: Story, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks it words the answer."""
    function = function_of(name)
    module = importlib.import_module(f"functions.{function}.app")
    monkeypatch.setattr(module, "render", lambda *_: b"%PDF-", raising=False)
    event = (EVENTS / f"{name}.json").read_text().replace("demo", told.invoke.org_id)

    def ask() -> Any:
        return module.lambda_handler(json.loads(event), Context(seconds_of(function) * 1000))

    def status_asked() -> int:
        try:
            ask()
        except ReportedError as error:
            reported = error.__context__
            return status_of(reported) if isinstance(reported, BillingError) else 500
        return 200

    wrong = []
    for at in _recorded(ask):
        for fault, status in faults_of(at.client, at.operation).items():
            began = clock.monotonic()
            with Faulty(at.client, at.nth, clock.passing(fault), FOREVER):
                failed = status_asked()
            took = clock.monotonic() - began
            again = status_asked()
            # Where a real answer came so late that no try had room behind it, it says that.
            is_late = took > seconds_of(function) - deadline.RESERVE_SECONDS - deadline.CALL_SECONDS
            expected = {status, 504} if is_late else {status}
            is_over = took > seconds_of(function) - SPARE_SECONDS
            if failed not in expected or again != 200 or is_over:
                wrong.append(f"{at} {fault.__name__}: {failed}, then {again}, took {took} s")

    assert wrong == []


# ---------------------------------------------------------------- botocore


def _all(kind: type[Exception]) -> Iterator[type[Exception]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _all(subclass)


@pytest.mark.parametrize("kind", [*_all(HTTPClientError), *_all(ConnectionError)])
def test_whatever_breaks_the_line_is_a_failure_behind_us(kind: type[BotoCoreError]) -> None:
    error = kind(**dict.fromkeys(re.findall(r"{(\w+)", kind.fmt), "canary"))

    def fail() -> None:
        raise error

    with pytest.raises(UpstreamError) as raised:
        call(fail)

    assert raised.value.__cause__ is error
    assert not HIDDEN.search(raised.value.message)
