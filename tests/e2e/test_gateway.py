"""What the deployed gateway hands over: headers that count for nothing, and what nobody has."""

from collections.abc import Callable

import pytest

from billing.domain.tokens import Role
from tests.e2e.conftest import Client


def test_roles_in_a_header_count_for_nothing(make_client: Callable[..., Client]) -> None:
    reader = make_client(Role.READER)

    answer = reader.send("PUT", f"/v1/orgs/{reader.org_id}/billing_info", {}, x_auth_roles="admin")

    assert answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3/account/nowhere", 404),
        ("GET", "/", 404),
        ("DELETE", "/v3/account/invoice", 405),
        ("POST", "/v2/orgs/demo/accounts/1/invoices", 405),
        ("PUT", "/openapi.json", 404),
    ],
)
def test_paths_and_methods_that_are_not_there(
    admin: Client, method: str, path: str, status: int
) -> None:
    answer = admin.send(method, path)

    assert answer.status == status
    assert ("allow" in answer.headers) == (status == 405)
