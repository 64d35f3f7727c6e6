"""
What goes wrong at each call to AWS of each write, and what the client's retry makes of it.

A fault hits every try of the SDK (then the answer is an honest 5xx) or only the first (then
nobody notices). Either way the tables end up as if nothing had happened.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from billing import aws as clients
from tests.integration.conftest import Answer, Invoker
from tests.integration.faults import (
    ANYWHERE,
    Fault,
    Faulty,
    conflict,
    hang,
    lose_the_answer,
    throttle,
)
from tests.integration.ledger import Ledger, amount, ledger

pytestmark = pytest.mark.faults

type Write = Callable[[Invoker], Callable[[], Answer]]
"""Prepares an org, and answers a function that sends one write."""


def _first_movement(invoke: Invoker) -> Callable[[], Answer]:
    return lambda: invoke("movements_create")


def _next_movement(invoke: Invoker) -> Callable[[], Answer]:
    invoke("movements_create")
    return lambda: invoke("movements_create", {"external_movement_unique_id": "movement-2"})


def _refund(invoke: Invoker) -> Callable[[], Answer]:
    movement_id = invoke("movements_create").json["id"]
    all_of_it = {"amount": amount(121, 100)}
    return lambda: invoke("refunds_create", all_of_it, movementId=movement_id)


def _refund_of_non_subscribable_products(invoke: Invoker) -> Callable[[], Answer]:
    movement_id = invoke("movements_create").json["id"]
    return lambda: invoke("refunds_create_non_subscribable", movementId=movement_id)


def _change(event: str) -> Write:
    def prepare(invoke: Invoker) -> Callable[[], Answer]:
        movement_id = invoke("movements_create").json["id"]
        refund_id = invoke("refunds_create", movementId=movement_id).json["id"]
        path = {"movementId": movement_id, "refundId": refund_id}
        return lambda: invoke(event, headers={"if-match": '"1"'}, **path)

    return prepare


WRITES: dict[str, Write] = {
    "first movement": _first_movement,
    "next movement": _next_movement,
    "refund": _refund,
    "refund of non-subscribable products": _refund_of_non_subscribable_products,
    "replacement": _change("refunds_put"),
    "withdrawal": _change("refunds_delete"),
}


POINTS = [
    *((nth, fault, status) for nth in (1, 2) for fault, status in ANYWHERE.items()),
    (2, conflict, 503),
]
"""Call, fault, and the status of the answer where the fault goes on."""


@dataclass
class Attempt:
    """One write that is about to be sent by an org of its own, and what the tables keep of it."""

    name: str
    org_id: str
    send: Callable[[], Answer]

    @property
    def is_done(self) -> bool:
        """Tell whether the tables are as if nothing had gone wrong."""
        return ledger(self.org_id) == _undisturbed(self.name)


@cache
def _undisturbed(name: str) -> Ledger:
    invoke = _new_org(f"org-{uuid4().hex}")
    assert WRITES[name](invoke)().status in (201, 204)
    return ledger(invoke.org_id)


def _new_org(org_id: str) -> Invoker:
    invoke = Invoker(org_id)
    invoke("billing_info_put_org")
    invoke("billing_info_put_account")
    invoke("billing_info_put_subscription")
    return invoke


@pytest.fixture(params=WRITES)
def write(
    request: pytest.FixtureRequest, org_id: str, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> Attempt:
    """Prepare each of the writes; pauses between tries take no time."""
    attempt = Attempt(request.param, org_id, WRITES[request.param](_new_org(org_id)))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return attempt


@pytest.mark.parametrize(("nth", "fault", "status"), POINTS)
def test_says_honestly_that_it_failed_and_can_be_sent_again(
    write: Attempt, dynamodb: Any, nth: int, fault: Fault, status: int
) -> None:
    with Faulty(dynamodb, nth, fault, times=10_000):
        failed = write.send()
    again = write.send()

    assert failed.status == status
    assert "may or may not" in failed.json["message"]
    assert ("retry-after" in failed.headers) == (status == 503)
    done = nth == 2 and fault is lose_the_answer
    gone = done and write.name == "withdrawal"
    assert again.status in ((404,) if gone else (201, 204))
    assert ("idempotent-replayed" in again.headers) == (done and again.status == 201)
    assert write.is_done


@pytest.mark.parametrize(
    ("nth", "fault"), [(1, hang), (1, throttle), (2, lose_the_answer), (2, hang), (2, conflict)]
)
def test_gets_over_what_happens_once(write: Attempt, dynamodb: Any, nth: int, fault: Fault) -> None:
    with Faulty(dynamodb, nth, fault, times=1):
        answer = write.send()

    assert answer.status in (201, 204)
    assert "idempotent-replayed" not in answer.headers
    assert write.is_done


@pytest.mark.parametrize("fault", [conflict, hang, throttle])
def test_answers_in_time_whatever_goes_on(org_id: str, dynamodb: Any, fault: Fault) -> None:
    invoke = _new_org(org_id)
    movement_id = invoke("movements_create").json["id"]

    def slowly(client: Any, request: AWSPreparedRequest) -> AWSResponse | None:
        time.sleep(clients.READ_SECONDS if fault is hang else 0.01)
        return fault(client, request)

    with Faulty(dynamodb, 2, slowly, times=10_000):
        started = time.monotonic()
        answer = invoke("refunds_create", movementId=movement_id, remaining_ms=6_000)
        took = time.monotonic() - started

    assert answer.status in ((503,) if fault is conflict else (503, 504))
    assert took < 5


def test_tries_a_conflict_again_with_the_same_token_and_pauses(
    org_id: str, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _refund(_new_org(org_id))
    tokens: list[str] = []
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    def note(client: Any, request: AWSPreparedRequest) -> AWSResponse | None:
        tokens.append(json.loads(cast(bytes, request.body))["ClientRequestToken"])
        return conflict(client, request) if len(tokens) < 6 else None

    with Faulty(dynamodb, 2, note, times=10):
        answer = send()

    assert answer.status == 201
    assert len(tokens) == 6
    assert len(set(tokens)) == 1
    assert len(set(pauses)) == 5
    assert all(0 <= pause <= 0.5 for pause in pauses)
