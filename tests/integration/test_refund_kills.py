"""A function's process is killed before and after each call to AWS; then the client tries again."""

import multiprocessing
import os
import signal
import sys
from typing import Any

import pytest

from billing import clock
from billing.api.authentication import authenticate
from tests.integration import callers
from tests.integration.conftest import Invoker, Json
from tests.integration.ledger import Ledger, ledger

pytestmark = pytest.mark.faults

WRITES: dict[str, list[str]] = {
    "movements_create": [],
    "refunds_create": ["movements_create"],
    "refunds_create_non_subscribable": ["movements_create"],
    "refunds_put": ["movements_create", "refunds_create"],
    "refunds_delete": ["movements_create", "refunds_create"],
}
"""Each write, and what there must be before."""

_PROCESSES = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def _fork_from_one_that_has_imported_everything(aws: None) -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    _PROCESSES.set_forkserver_preload(
        [__name__, "functions.movements.app", "functions.refunds.app"]
    )


def _invoke_and_die(function: str, event: Json, nth: int, sent: bool) -> None:
    """Call a function, and kill its process at the nth call to AWS: before it is sent, or after."""
    from billing import aws

    client: Any = aws.dynamodb()
    calls = 0

    def kill(request: Any, **_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            if sent:
                client._endpoint.http_session.send(request)
            os.kill(os.getpid(), signal.SIGKILL)

    authenticate(event["headers"], clock.now())  # what a warm process knows
    client.meta.events.register("before-send", kill)
    Invoker("").call(function, event)


def _prepared(invoke: Invoker, write: str) -> Json:
    """Make what a write needs, and answer its event."""
    ids: dict[str, str] = {}
    for name in WRITES[write]:
        event = invoke.event(name, **_path(ids, name))
        ids[name] = invoke.call(_function(name), event).json["id"]
    return invoke.event(write, **_path(ids, write))


def _function(write: str) -> str:
    return write.partition("_")[0]


def _path(ids: dict[str, str], event: str) -> dict[str, str]:
    path = {"movementId": ids.get("movements_create", "")}
    if event in ("refunds_put", "refunds_delete"):
        path["refundId"] = ids["refunds_create"]
    return path if event != "movements_create" else {}


def _undisturbed(invoke: Invoker, write: str) -> Ledger:
    other = Invoker(f"{invoke.org_id}-undisturbed"[-64:])
    other("billing_info_put_org")
    other("billing_info_put_account")
    other("billing_info_put_subscription")
    event = _prepared(other, write)
    assert other.call(_function(write), event).status in (201, 204)
    return ledger(other.org_id)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_is_done_wholly_or_not_at_all(billed: Invoker, write: str, nth: int, sent: bool) -> None:
    function = _function(write)
    event = _prepared(billed, write)
    callers.write(event)
    before, after = ledger(billed.org_id), _undisturbed(billed, write)
    done = nth == 2 and sent

    process = _PROCESSES.Process(target=_invoke_and_die, args=(function, event, nth, sent))
    process.start()
    process.join(30)
    left = ledger(billed.org_id)
    again = billed.call(function, event)

    assert process.exitcode == -signal.SIGKILL
    assert left == (after if done else before)
    gone = done and write == "refunds_delete"
    assert again.status in ((404,) if gone else (201, 204))
    assert ledger(billed.org_id) == after
