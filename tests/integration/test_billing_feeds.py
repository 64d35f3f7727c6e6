"""A large run is fed to the queue as it is billed, whatever dies on the way."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from billing import aws as clients
from billing.domain import billing_runs
from tests.integration.billing import Runs, audited, call, in_lanes, subscribers
from tests.integration.conftest import Invoker, Json

UNTIL = "2026-12-27"
pytestmark = in_lanes

ACCOUNTS = 11
WAITING, EVERY = 4, 2


@pytest.fixture
def large(billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a run far larger than what may wait of it, and check that all of it is billed."""
    monkeypatch.setattr(billing_runs, "MAX_WAITING", WAITING)
    monkeypatch.setattr(billing_runs, "FEED_EVERY", EVERY)
    monkeypatch.setattr("billing.persistence.billing_runs.BATCH_ACCOUNTS", 1)
    customers = subscribers(billed, ACCOUNTS)
    for each in customers:
        each.charge()
    run_id = runs.start(until=UNTIL)
    yield run_id
    ended = runs.get(run_id)
    assert (ended["status"], ended["accounts_done"]) == ("completed", ACCOUNTS)
    assert ended["invoices_issued"] == audited(billed.org_id) == ACCOUNTS
    for each in customers:
        each.check()


@pytest.mark.usefixtures("large")
def test_no_more_than_some_batches_wait_at_once(runs: Runs) -> None:
    sent: list[int] = []
    while runs.list_accounts() or sent[-1:] != [0]:
        batches = runs.batches()
        sent.append(len(batches))
        for each in batches:
            assert runs.again("bill_accounts", each) == {"batchItemFailures": []}

    assert sent[0] == WAITING
    assert sum(sent) == ACCOUNTS


def test_a_batch_that_nobody_can_bill_does_not_keep_the_others(large: str, runs: Runs) -> None:
    runs.list_accounts()
    first, feeding, *others = runs.batches()
    for each in others:
        runs.again("bill_accounts", each)

    runs.deliver()

    assert runs.get(large)["accounts_done"] == ACCOUNTS - 2
    for each in (first, feeding):  # replayed from the dead letters
        runs.again("bill_accounts", each)


class KilledError(BaseException):
    """The end of a process; nobody catches it."""


@pytest.mark.faults
@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("seed", range(6))
def test_whoever_is_killed_at_any_write_the_run_goes_on(seed: int, runs: Runs) -> None:
    dice = random.Random(seed)
    kills = 0
    listings: list[Json] = runs.listings()
    batches: list[Json] = []
    while listings or batches:
        # Of a run any message may be the next to come, of its batches only the first.
        waiting = dice.choice([each for each in (listings, batches) if each])
        function = "bill_accounts" if waiting is batches else "dispatch_billing"
        message = waiting[0] if waiting is batches else dice.choice(waiting)
        try:
            with killing(dice.randint(1, 6), is_sent=dice.random() < 0.5):
                assert call(function, {"Records": [message]}) == {"batchItemFailures": []}
            waiting.remove(message)
        except KilledError:
            kills += 1
        listings += runs.listings()
        batches += runs.batches()
        assert len({each["body"] for each in batches}) <= WAITING

    assert kills > 5


@contextmanager
def killing(nth: int, *, is_sent: bool) -> Iterator[None]:
    """End a function at its nth write: before it is sent, or after."""
    writes = 0

    def kill(send: Callable[[Any], Any], request: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == nth:
            if is_sent:
                send(request)
            raise KilledError

    watched: list[tuple[Any, str]] = [
        (clients.dynamodb(), "before-send.dynamodb.TransactWriteItems"),
        (clients.sqs(), "before-send.sqs.SendMessage"),
        (clients.sqs(), "before-send.sqs.SendMessageBatch"),
    ]
    handlers = [
        (client.meta.events, event, _killer(kill, client._endpoint.http_session.send))
        for client, event in watched
    ]
    for events, event, handler in handlers:
        events.register(event, handler)
    try:
        yield
    finally:
        for events, event, handler in handlers:
            events.unregister(event, handler)


def _killer(kill: Callable[..., None], send: Callable[[Any], Any]) -> Callable[..., None]:
    return lambda request, **_: kill(send, request)
