"""While some accounts of a batch are issued, the next are closed and gathered, whatever dies."""

import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from billing import aws
from billing.domain.credit_notes import Creditable
from billing.domain.cycle_invoices import CycleBill, Step, draft_bill
from billing.domain.parties import Org
from tests.integration.billing import Runs, Subscriber, audited, call, in_lanes, subscribers
from tests.integration.conftest import Invoker
from tests.integration.test_billing_feeds import KilledError, killing

pytestmark = in_lanes

UNTIL = "2026-12-27"
ACCOUNTS = 60


@pytest.fixture
def customers(billed: Invoker) -> list[Subscriber]:
    customers = subscribers(billed, ACCOUNTS)
    for each in customers:
        each.charge()
    return customers


def _check(billed: Invoker, runs: Runs, run: str, customers: list[Subscriber]) -> None:
    ended = runs.get(run)
    assert (ended["status"], ended["accounts_done"]) == ("completed", ACCOUNTS)
    assert ended["invoices_issued"] == audited(billed.org_id)
    for each in customers:
        each.check()


def test_the_next_are_closed_while_one_is_issued(
    billed: Invoker, runs: Runs, customers: list[Subscriber]
) -> None:
    run = runs.start(until=UNTIL)
    runs.list_accounts()
    closed = threading.Semaphore(0)
    overlaps: list[bool] = []

    def watch(params: Any, **_: Any) -> None:
        writes = params["body"].decode()
        if "closing = :closing" in writes:
            closed.release()
        elif "last_hash" in writes and not overlaps:
            overlaps.append(closed.acquire(timeout=10) and closed.acquire(timeout=10))

    events = aws.dynamodb().meta.events
    events.register("before-call.dynamodb.TransactWriteItems", watch, unique_id="watch")
    try:
        for batch in runs.batches():
            assert runs.again("bill_accounts", batch) == {"batchItemFailures": []}
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", unique_id="watch")

    assert overlaps == [True]
    _check(billed, runs, run, customers)


def test_who_cannot_be_billed_is_named_alone(
    billed: Invoker, runs: Runs, customers: list[Subscriber], monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = customers[33].account_id

    def fail(org: Org, step: Step, originals: Sequence[Creditable]) -> CycleBill:
        if step.cycle.account.id == poor:
            raise RuntimeError
        return draft_bill(org, step, originals)

    monkeypatch.setattr("billing.services.bill_accounts.draft_bill", fail)
    ended = runs.run(until=UNTIL)

    assert (ended["status"], ended["accounts_done"]) == ("completed", ACCOUNTS)
    assert [each["account_id"] for each in ended["failures"]] == [poor]
    assert ended["invoices_issued"] == audited(billed.org_id) == ACCOUNTS - 1


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(4))
def test_whoever_is_killed_at_any_write_nothing_is_lost_or_billed_twice(
    billed: Invoker, runs: Runs, customers: list[Subscriber], seed: int
) -> None:
    dice = random.Random(seed)
    run = runs.start(until=UNTIL)
    runs.list_accounts()
    batches, kills = runs.batches(), 0
    while batches:
        batch = dice.choice(batches)
        try:
            with killing(dice.randint(1, 3), is_sent=dice.random() < 0.5):
                assert call("bill_accounts", {"Records": [batch]}) == {"batchItemFailures": []}
            batches.remove(batch)
        except KilledError:
            kills += 1

    assert kills >= 3
    for batch in runs.batches():
        runs.again("bill_accounts", batch)
    _check(billed, runs, run, customers)
