"""Each function acts in its own role, which AWS enforces: without one action its route fails."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local import deploy
from local.stack import from_environment
from tests.e2e.conftest import Answer, Client


def get_profile(admin: Client) -> Answer:
    return admin.get(f"/v1/orgs/{admin.org_id}/billing_info")


def list_invoices(admin: Client) -> Answer:
    return admin.get(f"{admin.account.replace('v1', 'v2')}/invoices")


def put_tax(admin: Client) -> Answer:
    tax = {"tax": {"type": "IVA", "percentage": 21}, "valid_from": "2027-01-01"}
    return admin.put(f"/v1/orgs/{admin.org_id}/location-taxes/28", tax)


def start_run(admin: Client) -> Answer:
    run = {"external_billing_run_unique_id": "run-1"}
    return admin.post(f"/v1/orgs/{admin.org_id}/billing_runs", run)


@pytest.mark.parametrize(
    ("role", "action", "route"),
    [
        ("BillingInfoFunctionRole", "dynamodb:GetItem", get_profile),
        ("InvoicesFunctionRole", "dynamodb:Query", list_invoices),
        ("LocationTaxFunctionRole", "dynamodb:PutItem", put_tax),
        ("BillingRunFunctionRole", "sqs:SendMessage", start_run),
    ],
)
def test_a_route_fails_without_one_action_of_its_role(
    admin: Client, role: str, action: str, route: Any
) -> None:
    with without(role, action):
        refused = route(admin)
    answered = route(admin)

    assert refused.status == 500
    assert b"not authorized" not in refused.content
    assert answered.status < 300, answered


@contextmanager
def without(role: str, action: str) -> Iterator[None]:
    """Take an action away from a role of the running stack, and give it back."""
    stack = from_environment()
    iam = deploy.client(stack, "iam")
    name = deploy.physical_id(stack, role)
    policies = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    fewer = copy.deepcopy(policies)
    taken = 0
    for document in fewer.values():
        for statement in document["Statement"]:
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            taken += action in actions
            statement["Action"] = [each for each in actions if each != action] or ["none:None"]
    assert taken, f"{role} has no {action}"
    try:
        _write(iam, name, fewer)
        yield
    finally:
        _write(iam, name, policies)


def _write(iam: Any, role: str, policies: dict[str, Any]) -> None:
    for policy, document in policies.items():
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
