"""Calls of functions are held against their roles: roles.py."""

import pytest

from tests.integration import roles
from tests.integration.conftest import Invoker


def test_a_call_that_the_role_does_not_allow_fails_the_test(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(roles.ALLOWED["BillingInfoFunction"], "AccountsTable")

    with pytest.raises(pytest.fail.Exception, match="may not dynamodb:GetItem AccountsTable"):
        billed("billing_info_get_org")
