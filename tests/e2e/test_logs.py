"""Last of all: what the deployed functions have logged of all that the tests did."""

import json
from collections.abc import Iterator

import pytest

from billing import config
from billing.aws import dynamodb
from billing.persistence.accounts import account_key
from billing.persistence.dynamodb import key_of
from local import deploy
from local.stack import from_environment
from tests.e2e.conftest import Client
from tests.logs import secrets_in

SECRET = "Ana García López, Calle Mayor 12, ES91 2100 0418 4502 0005 1332, 12345678Z"

AT_ONCE = 10_000
"""Lines that are answered at once, at most."""


@pytest.mark.last
def test_nothing_secret_was_logged(admin: Client) -> None:
    """Not even by a function that fails with a text full of it, as here."""
    _damage_profile(admin)
    assert admin.get(f"{admin.account}/billing_details").status == 500

    lines = list(_lines())

    assert [line for line in lines if "unforeseen" in line and "ZoneInfoNotFoundError" in line]
    assert secrets_in(lines) == []


def _damage_profile(client: Client) -> None:
    """Have the account's time zone be something that the error will name."""
    key = key_of(account_key(client.org_id, client.account_id))
    table = config.accounts_table()
    item = dynamodb().get_item(TableName=table, Key=key)["Item"]
    profile = {**json.loads(item["profile"]["S"]), "time_zone": SECRET}
    damaged = {**item, "profile": {"S": json.dumps(profile)}}
    dynamodb().put_item(TableName=table, Item=damaged)


def _lines() -> Iterator[str]:
    """Read all groups of the stack; the emulator has no token for what one answer cannot hold."""
    cloudwatch = deploy.client(from_environment(), "logs")
    for group in cloudwatch.describe_log_groups()["logGroups"]:
        since: int | None = 0
        while since is not None:
            read = cloudwatch.filter_log_events(
                logGroupName=group["logGroupName"], startTime=since, limit=AT_ONCE
            )["events"]
            yield from (event["message"] for event in read)
            since = read[-1]["timestamp"] if len(read) == AT_ONCE else None
