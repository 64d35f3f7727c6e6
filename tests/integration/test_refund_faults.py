"""Refunds that others keep in the way of: in time, and by one token for all tries."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from billing import aws as clients
from tests.integration.conftest import Answer, Invoker
from tests.integration.faults import (
    Fault,
    Faulty,
    conflict,
    hang,
    throttle,
)

pytestmark = pytest.mark.faults


@pytest.fixture
def refund(billed: Invoker) -> Callable[..., Answer]:
    """Send a refund of a movement."""
    return partial(billed, "refunds_create", movementId=billed("movements_create").json["id"])


@pytest.mark.parametrize("fault", [conflict, hang, throttle])
def test_answers_in_time_whatever_goes_on(
    refund: Callable[..., Answer], dynamodb: Any, fault: Fault
) -> None:
    def slowly(client: Any, request: AWSPreparedRequest) -> AWSResponse | None:
        time.sleep(clients.READ_SECONDS if fault is hang else 0.01)
        return fault(client, request)

    with Faulty(dynamodb, 2, slowly, times=10_000):
        started = time.monotonic()
        answer = refund(remaining_ms=6_000)
        took = time.monotonic() - started

    assert answer.status in ((503,) if fault is conflict else (503, 504))
    assert took < 5


def test_tries_a_conflict_again_with_the_same_token_and_pauses(
    refund: Callable[..., Answer], dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[str] = []
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    def note(client: Any, request: AWSPreparedRequest) -> AWSResponse | None:
        tokens.append(json.loads(cast(bytes, request.body))["ClientRequestToken"])
        return conflict(client, request) if len(tokens) < 6 else None

    with Faulty(dynamodb, 2, note, times=10):
        answer = refund()

    assert answer.status == 201
    assert len(tokens) == 6
    assert len(set(tokens)) == 1
    assert len(set(pauses)) == 5
    assert all(0 <= pause <= 0.5 for pause in pauses)
