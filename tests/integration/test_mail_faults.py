"""A mail goes out once, whatever fails on its way; but for the one case that docs/mail.md names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from billing import aws, clock
from billing.domain.invoices import InvoiceKey
from billing.domain.mails import LEASE
from billing.persistence.invoices import InvoiceRepository
from tests.integration.conftest import Json
from tests.integration.faults import (
    Fault,
    balance_no_load,
    break_down,
    hang,
    lose_the_answer,
    reset,
    throttle,
)
from tests.integration.post import Post, post  # noqa: F401 - a fixture

pytestmark = pytest.mark.faults

MAILING = [
    "BatchGetItem",
    "GetObject",
    "TransactWriteItems",
    "TransactWriteItems",
    "SendEmail",
    "TransactWriteItems",
]
"""The calls that it takes to mail a document: the third takes it, the fourth makes its link."""
MAKING = ["BatchGetItem", "PutObject", "TransactWriteItems", "SendMessage"]
"""The calls that it takes to make a PDF, and have it mailed."""
FAULTS: list[Fault] = [
    lose_the_answer, reset, hang, break_down, balance_no_load, throttle,
]  # fmt: skip


class Killed(BaseException):
    """What ends a process, as no handler of errors catches it."""


@pytest.fixture
def key(post: Post) -> InvoiceKey:  # noqa: F811
    return post.issue()


@pytest.fixture
def message(post: Post, key: InvoiceKey) -> Json:  # noqa: F811
    assert post.make_pdf(key) == []
    [waiting] = post.take()
    return waiting


@pytest.mark.parametrize("nth", range(len(MAILING)), ids=lambda nth: f"{nth} {MAILING[nth]}")
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_killed_at_any_call_it_is_mailed_once_but_for_the_named_case(
    post: Post,  # noqa: F811
    key: InvoiceKey,
    message: Json,
    nth: int,
    sent: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Killed), killing(nth, sent=sent) as called:
        post.deliver(message)
    assert called == MAILING[: nth + 1]
    is_held = (2, True) <= (nth, sent) <= (5, False)

    assert post.deliver(message) == int(is_held)  # somebody may still be sending it
    _wait(monkeypatch)
    assert post.deliver(message) == 0
    assert post.deliver(message) == 0

    is_the_named_case = (nth, sent) in {(4, True), (5, False)}
    assert len(post.sent()) == 1 + is_the_named_case
    assert post.statuses(key) == ["sent"]


@pytest.mark.parametrize("nth", range(len(MAILING)), ids=lambda nth: f"{nth} {MAILING[nth]}")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_after_a_fault_of_any_call_it_is_mailed_once_but_for_the_named_case(
    post: Post,  # noqa: F811
    key: InvoiceKey,
    message: Json,
    nth: int,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with failing(nth, fault):
        post.deliver(message)

    _wait(monkeypatch)
    assert post.deliver(message) == 0
    post.go()

    is_the_named_case = MAILING[nth] == "SendEmail" and fault is lose_the_answer
    assert len(post.sent()) == 1 + is_the_named_case
    assert post.statuses(key) == ["sent"]


@pytest.mark.parametrize("nth", range(len(MAKING)), ids=lambda nth: f"{nth} {MAKING[nth]}")
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_killed_at_any_call_the_pdf_is_made_and_mailed_once(
    post: Post,  # noqa: F811
    key: InvoiceKey,
    nth: int,
    sent: bool,
) -> None:
    with pytest.raises(Killed), killing(nth, sent=sent) as called:
        post.make_pdf(key)
    assert called == MAKING[: nth + 1]

    assert post.make_pdf(key) == []
    assert post.go() == 0

    assert InvoiceRepository().find_pdf(key)
    assert len(post.sent()) == 1
    assert post.statuses(key) == ["sent"]


def test_a_request_whose_message_got_lost_is_sent_again_by_the_client(
    post: Post,  # noqa: F811
    key: InvoiceKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post.make_pdf(key)
    post.take()
    with monkeypatch.context() as patch:
        patch.setenv("MAIL_QUEUE", f"{post.queue}-that-is-not-there")
        assert post.invoke("invoices_deliver").status == 500
    assert post.statuses(key) == ["pending"]

    again = post.invoke("invoices_deliver")
    assert post.go() == 0

    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert post.statuses(key) == ["sent"]
    assert len(post.sent()) == 1


def _wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so much time go by that every lease is over."""
    later = clock.now() + LEASE
    monkeypatch.setattr(clock, "now", lambda: later)


@contextmanager
def killing(nth: int, *, sent: bool) -> Iterator[list[str]]:
    """End the process at the nth call to AWS: before it is sent, or after."""

    def kill(client: Any, request: Any) -> None:
        if sent:
            client._endpoint.http_session.send(request)
        raise Killed

    with _at_call(nth, kill) as called:
        yield called


@contextmanager
def failing(nth: int, fault: Fault) -> Iterator[None]:
    """Let a fault hit each try of the nth call to AWS."""
    with _at_call(nth, fault):
        yield


@contextmanager
def _at_call(nth: int, what: Any) -> Iterator[list[str]]:
    """Let something happen to all tries of the nth call of any client, and note the calls."""
    called: list[str] = []
    clients = [aws.dynamodb(), aws.s3(), aws.sqs(), aws.ses()]

    def count(model: Any, **_: Any) -> None:
        called.append(model.name)

    for client in clients:

        def interfere(request: Any, client: Any = client, **_: Any) -> Any:
            return what(client, request) if len(called) == nth + 1 else None

        client.meta.events.register("before-call", count, unique_id="count")
        client.meta.events.register_last("before-send", interfere, unique_id="interfere")
    try:
        yield called
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", unique_id="count")
            client.meta.events.unregister("before-send", unique_id="interfere")
