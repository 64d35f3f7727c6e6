"""
A movement accepted is billed exactly once: whatever arrives meanwhile, comes twice, fails or dies.

All that the API accepted is looked for in all documents that were issued.
"""

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from billing import clock
from tests.integration.billing import (
    Runs,
    Subscriber,
    audited,
    call,
    in_lanes,
    subscribers,
)
from tests.integration.conftest import Invoker, Json
from tests.integration.faults import Fault, Faulty, lose_the_answer, reset

pytestmark = [pytest.mark.faults, in_lanes]

UNTIL = [f"{year}-{month:02}-27" for year in (2026, 2027) for month in range(1, 13)][11:21]
"""Each of these closes one more cycle."""

# Processes that fork from one that has imported all of it already.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["tests.integration.billing", "functions.bill_accounts.app", "functions.dispatch_billing.app"]
)


@pytest.fixture
def customers(billed: Invoker) -> list[Subscriber]:
    """Open three accounts, each with something of all there is to bill."""
    customers = subscribers(billed, 3)
    for each in customers:
        movement = each.charge(1000)
        each.charge(200, operation_type="CREDIT", kind="discount")
        each.give_back(movement, 100)
        each.use(77)
    return customers


@contextmanager
def dawdling(client: Any) -> Iterator[None]:
    """Let others come in between the time that a write is prepared and that it is sent."""

    def dawdle(**_: Any) -> None:
        time.sleep(random.choice((0, 0.01, 0.05)))

    client.meta.events.register("before-call.dynamodb.TransactWriteItems", dawdle)
    yield
    client.meta.events.unregister("before-call.dynamodb.TransactWriteItems", dawdle)


def test_while_movements_and_refunds_keep_arriving(
    billed: Invoker, runs: Runs, dynamodb: Any
) -> None:
    customers = subscribers(billed, 4)
    ended = threading.Event()
    for each in customers:
        each.charge()

    def arrive(customer: Subscriber) -> None:
        dice = random.Random(customer.account_id)
        while not ended.is_set():
            movement = customer.charge(dice.randint(100, 9999))
            if dice.random() < 0.5:
                customer.give_back(movement, 50)
            if dice.random() < 0.3:
                earlier = dice.choice([id_ for id_, net in customer.movements.items() if net > 99])
                if sum(cents for of, cents in customer.refunds.values() if of == earlier) < 50:
                    customer.give_back(earlier, 50)
            if dice.random() < 0.3:
                customer.use(dice.randint(1, 99))

    with dawdling(dynamodb), ThreadPoolExecutor(len(customers)) as pool:
        arriving = [pool.submit(arrive, each) for each in customers]
        try:
            for number, until in enumerate(UNTIL, 1):
                while sum(len(each.movements) for each in customers) < 10 * number:
                    time.sleep(0.001)
                assert runs.run(until=until)["status"] == "completed"
        finally:
            ended.set()
        for writer in arriving:
            writer.result()
    runs.run(until="2027-11-01")
    last = runs.run(until="2027-11-01")

    assert last["invoices_issued"] == 0
    for each in customers:
        each.check()
    assert audited(billed.org_id) > len(customers)


def test_twice_the_same_run_changes_nothing(
    billed: Invoker, runs: Runs, customers: list[Subscriber]
) -> None:
    first = runs.run(until=UNTIL[1])
    documents = audited(billed.org_id)

    again = runs.run(until=UNTIL[1])

    assert (first["accounts_total"], first["invoices_issued"]) == (3, 3)
    itself = {name: again[name] for name in ("id", "created_at")}
    assert again == {
        **first,
        **itself,
        "accounts_total": 0,
        "accounts_done": 0,
        "invoices_issued": 0,
    }
    assert audited(billed.org_id) == documents
    for each in customers:
        each.check()


def test_messages_that_come_twice_late_and_in_any_order(
    billed: Invoker,
    runs: Runs,
    customers: list[Subscriber],
    dynamodb: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.persistence.billing_runs.BATCH_ACCOUNTS", 1)
    started = [runs.start(until=UNTIL[1]), runs.start(until=UNTIL[3]), runs.start(until=UNTIL[2])]
    runs.list_accounts()
    batches = runs.batches()
    random.Random(1).shuffle(batches)
    assert len(batches) == 9

    with dawdling(dynamodb), ThreadPoolExecutor(6) as pool:
        list(
            pool.map(lambda each: runs.again("bill_accounts", each), sorted(batches * 2, key=repr))
        )
    for each in [*batches, *reversed(batches)]:
        assert runs.again("bill_accounts", each) == {"batchItemFailures": []}

    ended = [runs.get(each) for each in started]
    assert [each["status"] for each in ended] == ["completed"] * 3
    assert [each["accounts_done"] for each in ended] == [3, 3, 3]
    assert sum(each["invoices_issued"] for each in ended) == audited(billed.org_id) == 3
    for customer in customers:
        customer.check()


def _deliver_and_die(
    environment: dict[str, str], now: datetime, function: str, event: Json, nth: int, sent: bool
) -> None:
    """Deliver an event, and kill this process at its nth write: before it is sent, or after."""
    from billing import aws, clock

    os.environ.update(environment)
    clock.now = lambda: now
    writes = 0

    def kill(client: Any, request: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == nth:
            if sent:
                client._endpoint.http_session.send(request)
            os.kill(os.getpid(), signal.SIGKILL)

    for write in ("dynamodb.TransactWriteItems", "sqs.SendMessageBatch"):
        client = getattr(aws, write.split(".")[0])()
        client.meta.events.register(
            f"before-send.{write}", lambda request, client=client, **_: kill(client, request)
        )
    call(function, event)


def _is_killed(function: str, event: Json, nth: int, sent: bool) -> bool:
    # The server that they fork from finds what it preloads by this alone.
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    arguments = (dict(os.environ), clock.now(), function, event, nth, sent)
    process = _PROCESSES.Process(target=_deliver_and_die, args=arguments)
    process.start()
    process.join(30)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_a_worker_that_is_killed_at_every_write(
    billed: Invoker, runs: Runs, customers: list[Subscriber]
) -> None:
    runs.run(until=UNTIL[1])
    for each in customers:
        each.charge(300)
        each.give_back(next(iter(each.movements)), 50)
    documents = audited(billed.org_id)
    run = runs.start(until=UNTIL[2])
    runs.list_accounts()
    batches = runs.batches()

    for batch in batches:
        # Killed before its next write, then after it: so each delivery comes one write further.
        kills = 0
        while kills < 20 and _is_killed(
            "bill_accounts", {"Records": [batch]}, nth=1, sent=kills % 2 == 1
        ):
            kills += 1
        assert kills == 2 * len(["close", "issue", "finish"])

    ended = runs.get(run)
    assert (ended["status"], ended["accounts_done"], ended["invoices_issued"]) == (
        "completed",
        3,
        6,
    )
    assert audited(billed.org_id) == documents + 6
    for each in customers:
        each.check()


@pytest.mark.parametrize("nth", [1, 2, 3], ids=["list", "send", "mark"])
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_a_dispatcher_that_is_killed_at_every_write(
    runs: Runs, customers: list[Subscriber], nth: int, sent: bool
) -> None:
    run = runs.start(until=UNTIL[1])
    [message] = runs.listings()

    assert _is_killed("dispatch_billing", {"Records": [message]}, nth, sent)
    runs.bill()
    runs.again("dispatch_billing", message)
    while runs.bill():
        pass

    ended = runs.get(run)
    assert (ended["status"], ended["accounts_total"], ended["invoices_issued"]) == (
        "completed",
        3,
        3,
    )
    for each in customers:
        each.check()


@pytest.mark.parametrize("fault", [lose_the_answer, reset])
def test_a_worker_whose_calls_fail_from_every_point_on(
    billed: Invoker,
    runs: Runs,
    customers: list[Subscriber],
    dynamodb: Any,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between tries
    run = runs.start(until=UNTIL[1])
    runs.list_accounts()

    failed = 0
    for batch in runs.batches():
        for nth in range(1, 100):
            with Faulty(dynamodb, nth, fault, times=10_000):
                if not runs.again("bill_accounts", batch)["batchItemFailures"]:
                    break
            failed += 1

    assert failed > 5
    assert runs.get(run)["invoices_issued"] == audited(billed.org_id) == 3
    assert runs.get(run)["status"] == "completed"
    for each in customers:
        each.check()
