"""
What goes wrong at each call to AWS of a request of two transactions, and what comes of it.

The same request again ends, wherever the first broke off, with each record taken once and totals
that are the sum of the records: kept() verifies that. In between, the records of a transaction are
there with their total, or not at all.
"""

import time
from collections import Counter
from typing import Any, NoReturn

import pytest
from botocore.awsrequest import AWSPreparedRequest

from tests.integration.conftest import Answer, Invoker
from tests.integration.faults import ANYWHERE, Fault, Faulty, conflict, lose_the_answer
from tests.integration.ledger import close_cycle
from tests.integration.usage import kept, receipt, record, send

pytestmark = pytest.mark.faults

RECORDS = [record(number) for number in range(60)]
FIRST_TRANSACTION = 49
"""How many records go with one total and the check of the cycle into 100 actions."""
EACH_ONCE = Counter(f"cdr-{number}" for number in range(60))
READS, WRITES = (1, 2), (3, 4)
"""The places of the request's calls."""


class Killed(BaseException):
    """Ends a call as a kill does: nothing that follows it is run, no handler and no retry."""


def die(*_: Any) -> NoReturn:
    raise Killed


def die_after(client: Any, request: AWSPreparedRequest) -> NoReturn:
    client._endpoint.http_session.send(request)
    raise Killed


def _stored(nth: int, fault: Fault) -> int:
    """Tell how many records stand in the table when the nth call goes wrong for good."""
    done = nth - len(READS) - (fault not in (lose_the_answer, die_after))
    return {1: FIRST_TRANSACTION, 2: 60}.get(done, 0)


@pytest.fixture
def used(billed: Invoker, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Invoker:
    """Prepare a subscription; pauses between tries take no time."""
    assert billed("movements_create").status == 201
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return billed


@pytest.mark.parametrize(
    ("nth", "fault", "status"),
    [
        *((nth, fault, status) for nth in (*READS, *WRITES) for fault, status in ANYWHERE.items()),
        *((nth, conflict, 503) for nth in WRITES),
    ],
)
def test_says_honestly_that_it_failed_and_can_be_sent_again(
    used: Invoker, dynamodb: Any, nth: int, fault: Fault, status: int
) -> None:
    with Faulty(dynamodb, nth, fault, times=10_000):
        failed = send(used, *RECORDS)
    stored = kept(used.org_id)
    again = send(used, *RECORDS)

    assert failed.status == status
    assert "may or may not" in failed.json["message"]
    assert stored.total() == _stored(nth, fault)
    assert receipt(again) == (201, 60 - stored.total(), stored.total())
    assert kept(used.org_id) == EACH_ONCE


@pytest.mark.parametrize(
    ("nth", "fault"),
    [
        *((nth, fault) for nth in (*READS, *WRITES) for fault in ANYWHERE),
        *((nth, conflict) for nth in WRITES),
    ],
)
def test_gets_over_what_happens_once(used: Invoker, dynamodb: Any, nth: int, fault: Fault) -> None:
    with Faulty(dynamodb, nth, fault, times=1):
        answer = send(used, *RECORDS)

    assert receipt(answer) == (201, 60, 0)
    assert kept(used.org_id) == EACH_ONCE


@pytest.mark.parametrize("nth", [*READS, *WRITES])
@pytest.mark.parametrize("fault", [die, die_after])
def test_a_kill_leaves_whole_transactions(
    used: Invoker, dynamodb: Any, nth: int, fault: Fault
) -> None:
    with Faulty(dynamodb, nth, fault, times=1), pytest.raises(Killed):
        send(used, *RECORDS)
    stored = kept(used.org_id)
    again = send(used, *RECORDS)

    assert stored.total() == _stored(nth, fault)
    assert receipt(again) == (201, 60 - stored.total(), stored.total())
    assert kept(used.org_id) == EACH_ONCE


def test_what_was_cut_off_by_a_closing_cycle_falls_into_the_next(
    used: Invoker, dynamodb: Any
) -> None:
    with Faulty(dynamodb, WRITES[-1], die, times=1), pytest.raises(Killed):
        send(used, *RECORDS)
    closed = close_cycle(used.org_id)

    again = send(used, *RECORDS)

    assert receipt(again) == (201, 60 - FIRST_TRANSACTION, FIRST_TRANSACTION)
    assert kept(used.org_id, closed) == EACH_ONCE


def test_runs_out_of_time_with_an_answer_and_goes_on_when_asked_again(
    used: Invoker, dynamodb: Any
) -> None:
    """Each call takes half a second: too long for all of it, but each request gets further."""
    records = [record(number) for number in range(300)]
    answers: list[Answer] = []

    def send_slowly() -> Answer:
        def slowly(*_: Any) -> None:
            elapsed[0] += 0.5

        elapsed = [0.0]
        monotonic = time.monotonic
        with pytest.MonkeyPatch.context() as patch, Faulty(dynamodb, 1, slowly, times=10_000):
            patch.setattr(time, "monotonic", lambda: monotonic() + elapsed[0])
            return send(used, *records, remaining_ms=10_000)

    while not answers or answers[-1].status != 201:
        answers.append(send_slowly())
        assert len(answers) < 10

    assert {answer.status for answer in answers[:-1]} <= {503, 504}
    assert len(answers) > 1
    assert kept(used.org_id) == Counter(f"cdr-{number}" for number in range(300))
