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
from billing.persistence.issuing import MAX_WRITES
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


def test_invoices_that_are_issued_meanwhile_are_followed(
    billed: Invoker, runs: Runs, customers: list[Subscriber]
) -> None:
    run = runs.start(until=UNTIL)
    runs.list_accounts()
    others = customers[::7]
    count = len(others)

    def issue(params: Any, **_: Any) -> None:
        if "last_hash" in params["body"].decode() and others:
            external_id = {"external_invoice_unique_id": others[-1].account_id}
            account_id = others.pop().account_id
            answer = billed(
                "invoices_create", external_id, caller={"accounts": "*"}, accountId=account_id
            )
            assert answer.status == 201, answer

    events = aws.dynamodb().meta.events
    events.register("before-call.dynamodb.TransactWriteItems", issue, unique_id="issue")
    try:
        for batch in runs.batches():
            assert runs.again("bill_accounts", batch) == {"batchItemFailures": []}
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", unique_id="issue")

    assert others == []
    assert audited(billed.org_id) == ACCOUNTS + count
    assert runs.get(run)["status"] == "completed"
    assert runs.get(run)["invoices_issued"] == ACCOUNTS


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


def test_a_batch_of_which_nothing_can_be_billed_names_all_of_it(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are more than one transaction can name."""
    count = MAX_WRITES + 10
    for each in subscribers(billed, count):
        each.charge()

    def fail(*_: Any) -> CycleBill:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("billing.services.bill_accounts.draft_bill", fail)
        ended = runs.run(until=UNTIL)

    assert (ended["status"], ended["accounts_done"]) == ("completed", count)
    assert len({each["account_id"] for each in ended["failures"]}) == count
    assert runs.run(until=UNTIL)["invoices_issued"] == audited(billed.org_id) == count


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
            with killing(dice.randint(1, 2), is_sent=dice.random() < 0.5):
                assert call("bill_accounts", {"Records": [batch]}) == {"batchItemFailures": []}
            batches.remove(batch)
        except KilledError:
            kills += 1

    assert kills > 1
    for batch in runs.batches():
        runs.again("bill_accounts", batch)
    _check(billed, runs, run, customers)
