"""
No role allows more than its function uses; roles.py sees that it allows no less.

This file has one test, the last of all: it waits for the others, in whichever process they run.
"""

from pathlib import Path

import pytest

from tests.integration import roles
from tests.integration.conftest import folder_of_this_run

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


@pytest.mark.last
def test_no_role_allows_more_than_its_function_uses(
    request: pytest.FixtureRequest,
) -> None:
    folder = Path(__file__).parent
    ours = [item.path for item in request.session.items if item.path.parent == folder]
    if not set(folder.glob("test_*.py")) <= set(ours):
        pytest.skip("needs all integration tests to run before")
    used = roles.noted(folder_of_this_run(request.config), len(ours) - 1)

    allowed = {
        (role, where, action)
        for role, grants in roles.ALLOWED.items()
        for where, actions in grants.items()
        for action in actions
        if role != "SchedulesRole" and not where.endswith("DeadLetters")
    }

    assert {each for each in allowed - used if each[2] not in BY_LAMBDA} == set()
