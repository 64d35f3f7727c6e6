"""
While a new version takes over, and after it was taken back, the old one reads what it wrote.

So a field that is not known is left alone, in items and in messages.
"""

import json
from typing import Any

import pytest

from billing import aws, config
from billing.persistence.dynamodb import key_of
from tests.integration.billing import Runs, charge
from tests.integration.conftest import Invoker

NEW = {"of_a_later_version": True}


@pytest.mark.parametrize("event", ["billing_info_get_org", "billing_info_get_account"])
def test_reads_a_profile_with_a_field_more(billed: Invoker, event: str) -> None:
    before = billed(event).json
    for pk in (f"org#{billed.org_id}", f"account#{billed.org_id}#100001"):
        _add_field((pk, "profile"))

    assert billed(event).json == before
    assert billed("invoices_create").status == 201


@pytest.mark.parametrize("function", ["dispatch_billing", "bill_accounts"])
def test_takes_a_message_with_a_field_more(billed: Invoker, runs: Runs, function: str) -> None:
    charge(billed)
    runs.start(until="2026-12-01")
    if function == "bill_accounts":
        runs.list_accounts()
    [message] = runs.batches() if function == "bill_accounts" else runs.listings()
    message["body"] = json.dumps(json.loads(message["body"]) | NEW)

    assert runs.again(function, message) == {"batchItemFailures": []}


def _add_field(key: tuple[str, str]) -> None:
    where: Any = {"TableName": config.accounts_table(), "Key": key_of(key)}
    item = aws.dynamodb().get_item(**where)["Item"]
    profile = json.loads(item["profile"]["S"])
    profile["address"] |= NEW
    item["profile"]["S"] = json.dumps(profile | NEW)
    aws.dynamodb().put_item(TableName=where["TableName"], Item=item)
