"""Roles allow what functions use: no call is denied (roles.py), and nothing is left over."""

from pathlib import Path

import pytest

from tests.integration import roles
from tests.integration.conftest import Invoker

BY_LAMBDA = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
}
"""What Lambda itself does in a function's role, to fetch what the function is called with."""


def test_a_call_that_the_role_does_not_allow_fails_the_test(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(roles.ALLOWED["BillingInfoFunction"], "AccountsTable")

    with pytest.raises(pytest.fail.Exception, match="may not dynamodb:GetItem AccountsTable"):
        billed("billing_info_get_org")


@pytest.mark.last
def test_no_role_allows_more_than_its_function_uses(request: pytest.FixtureRequest) -> None:
    ran = {item.path for item in request.session.items}
    if not set(Path(__file__).parent.glob("test_*.py")) <= ran:
        pytest.skip("needs all integration tests to run before")

    allowed = {
        (role, where, action)
        for role, grants in roles.ALLOWED.items()
        for where, actions in grants.items()
        for action in actions
        if role != "SchedulesRole" and not where.endswith("DeadLetters")
    }

    assert {each for each in allowed - roles.used if each[2] not in BY_LAMBDA} == set()
