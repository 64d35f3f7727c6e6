"""What is of no use any more says when DynamoDB is to delete it; all else stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing import clock, config
from billing.aws import dynamodb
from billing.domain.records import instant
from billing.persistence.billing_runs import KEPT
from billing.persistence.dynamodb import EXPIRES_AT
from billing.persistence.tokens import KEPT_EXPIRED
from tests.integration.billing import Runs, subscribers
from tests.integration.conftest import Invoker


def test_a_token_goes_a_month_after_it_expired(invoke: Invoker) -> None:
    expires = clock.now() + timedelta(hours=1)
    for body in ({"expires_at": instant(expires)}, {"expires_at": None}):
        assert invoke("tokens_create", body).status == 201

    times = [_expiry(item) for item in _items(config.tokens_table(), f"org#{invoke.org_id}")]

    gone = (expires + KEPT_EXPIRED).replace(microsecond=0)
    assert times == [gone, None]


def test_batches_and_failures_of_a_run_go_and_the_run_stays(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    [customer] = subscribers(billed, 1)
    customer.charge()

    def fail(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr("billing.services.bill_accounts.draft_bill", fail)
    run_id = runs.start(until="2026-12-27")
    runs.deliver()

    items = _items(config.billing_runs_table(), f"run#{billed.org_id}#{run_id}")

    times = {item["sk"]["S"].split("#")[0]: _expiry(item) for item in items}
    assert times.keys() == {"batch", "failure", "run"}
    assert times["run"] is None
    for kind in ("batch", "failure"):
        gone = times[kind] or pytest.fail(f"a {kind} stays")
        assert abs(gone - (clock.now() + KEPT)) < timedelta(minutes=10)


def _items(table: str, pk: str) -> list[Any]:
    answer = dynamodb().query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
    )
    return list(answer["Items"])


def _expiry(item: Any) -> datetime | None:
    return datetime.fromtimestamp(int(item[EXPIRES_AT]["N"]), UTC) if EXPIRES_AT in item else None
