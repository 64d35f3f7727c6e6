"""What tools/costs.py reckons with is what the operations write."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from billing import clock
from billing.domain.events import Event, EventType
from billing.persistence.events import EventRepository
from tests.integration.billing import Runs
from tests.integration.conftest import Invoker
from tests.integration.post import Post, post  # noqa: F401 - a fixture
from tests.integration.receiver import receiver
from tests.integration.test_webhooks import Org
from tools import costs

READS = {"BatchGetItem", "GetItem", "Query"}

type Written = Callable[[], float]


@pytest.fixture
def written(dynamodb: Any) -> Iterator[Written]:
    """Add up the write units that DynamoDB counts, since the last time."""
    units: list[float] = []

    def ask(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "ReturnConsumedCapacity": "TOTAL"}

    def note(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        if model.name not in READS:
            tables = consumed if isinstance(consumed, list) else [consumed]
            units.extend(table["CapacityUnits"] for table in tables)

    def since_last_time() -> float:
        total = sum(units)
        units.clear()
        return total

    hooks = [("provide-client-params.dynamodb", ask), ("after-call.dynamodb", note)]
    for event, hook in hooks:
        dynamodb.meta.events.register(event, hook)
    yield since_last_time
    for event, hook in hooks:
        dynamodb.meta.events.unregister(event, hook)


def test_operations_write_what_they_are_reckoned_with(runs: Runs, written: Written) -> None:
    invoke = runs.invoke
    _begin_series(invoke)
    first = invoke("movements_create").json["id"]
    written()

    invoke("movements_create", {"external_movement_unique_id": "another"})
    assert written() == costs.MOVEMENT.writes
    assert invoke("refunds_create", movementId=first).status == 201
    assert written() == costs.REFUND.writes
    answer = invoke("consumptions_create")
    assert (answer.status, answer.json["accepted"]) == (201, costs.USAGE_RECORDS)
    assert written() == costs.USAGE.writes
    assert invoke("invoices_create").status == 201
    assert written() == costs.INVOICE.writes
    assert invoke("invoices_pay", invoiceId=3).status == 201
    assert written() == costs.PAYMENT.writes
    assert invoke("invoices_create", {"external_invoice_unique_id": "another"}).status == 201
    written()
    assert invoke("invoices_credit", invoiceId=4).status == 201
    assert written() == costs.CREDIT.writes


def test_a_shared_page_writes_what_it_is_reckoned_with(billed: Invoker, written: Written) -> None:
    assert billed("invoices_create").status == 201
    written()

    answer = billed("share_create", {"expires_at": None})

    assert written() == costs.SHARE.writes
    assert billed("shared_page_get", token=answer.json["url"].rpartition("/")[2]).status == 200
    assert written() == costs.SHARED_PAGE.writes


def test_an_event_writes_what_it_is_reckoned_with(invoke: Invoker, written: Written) -> None:
    now = clock.now()
    event = Event(EventType.ACCOUNT_CHANGED, invoke.org_id, {"account_id": "100001"}, 1, now)

    EventRepository().append(invoke.org_id, [event], now)

    assert written() == costs.EVENT.writes


def test_a_webhook_writes_what_it_is_reckoned_with(
    invoke: Invoker, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as receiving:
        org = Org(invoke, monkeypatch)
        org.create(receiving.url)
        org.happen()
        written()
        org._told = 0
        org.fan_out()
        assert written() == 0  # it is there
        org.happen()
        org.deliver()

    assert written() == costs.EVENT.writes + 2 * costs.WEBHOOK.writes - 1


def test_a_mail_writes_what_it_is_reckoned_with(post: Post, written: Written) -> None:  # noqa: F811
    key = post.issue()
    post.make_pdf(key)
    written()

    assert post.go() == 0

    assert post.statuses(key) == ["sent"]
    assert written() == costs.MAIL.writes


def test_a_run_writes_what_it_is_reckoned_with(runs: Runs, written: Written) -> None:
    _begin_series(runs.invoke)
    runs.invoke("movements_create")
    written()

    assert runs.run(until="2026-12-01")["invoices_issued"] == 1

    assert written() == costs.BILL.writes


def _begin_series(invoke: Invoker) -> None:
    """
    Issue the first documents of an org, which check its profile besides.

    The records of one that has no sender are a little smaller.
    """
    assert invoke("billing_info_put_org", {"mail_from": None}).status == 204
    invoice = invoke("invoices_create", {"external_invoice_unique_id": "first"})
    credit = {"external_credit_note_unique_id": "first"}
    assert invoke("invoices_credit", credit, invoiceId=invoice.json["id"]).status == 201
