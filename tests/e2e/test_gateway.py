"""What the gateway and the authorizer answer on the deployed stack."""

from collections.abc import Callable
from typing import Any

import pytest

from billing.domain.tokens import Role, new_token
from tests.e2e.conftest import Client

V1, V2, V3 = (
    {"code", "message", "details", "trace_id"},
    {"code", "status", "message", "detailMsg"},
    {"errorCode", "errorMessage", "errors"},
)


def test_the_gateway_itself_refuses_a_call_without_a_token(admin: Client) -> None:
    without = Client(admin.base_url, None, admin.org_id, admin.account_id)

    answers = [
        without.get("/v3/account/invoice"),
        without.get(f"{admin.account}/billing_details"),
        without.get("/nowhere"),
    ]

    assert {answer.status for answer in answers} == {401}
    assert {answer.content for answer in answers} == {b'{"message":"Unauthorized"}'}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/orgs/{org}/billing_info", V1),
        ("/v2/orgs/{org}/accounts/100001/invoices", V2),
        ("/v3/account/invoice", V3),
    ],
)
def test_a_token_that_is_no_good_is_refused_in_the_dialect_of_the_path(
    admin: Client, path: str, fields: set[str]
) -> None:
    for token in ("nonsense", new_token()):
        stranger = Client(admin.base_url, token, admin.org_id, admin.account_id)

        answer = stranger.get(path.format(org=admin.org_id))

        assert (answer.status, set(answer.json)) == (401, fields)
        assert answer.headers["x-request-id"]


def test_another_org_is_out_of_reach(admin: Client, stack: dict[str, Any]) -> None:
    other = stack["other"]
    paths = [
        f"/v1/orgs/{other['org_id']}/billing_info",
        f"/v1/orgs/{other['org_id']}/accounts/{other['account_id']}/billing_details",
        f"/v1/orgs/{other['org_id']}/accounts/{other['account_id']}/invoices/1/public_link",
        f"/v2/orgs/{other['org_id']}/accounts/{other['account_id']}/invoices",
        "/v1/orgs/nobody/billing_info",
    ]

    assert {admin.get(path).status for path in paths} == {403}


def test_a_reader_cannot_write(admin: Client, make_client: Callable[..., Client]) -> None:
    reader = make_client(Role.READER)

    assert reader.get(f"{admin.account}/billing_details").status == 200
    assert reader.put(f"{admin.account}/billing_details", {}).status == 403
    assert reader.post(f"{admin.account}/invoices", {}).status == 403


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


def test_the_document_and_its_page_are_open_to_everybody(stack: dict[str, Any]) -> None:
    anonymous = Client(stack["base_url"], None, "", "")

    assert anonymous.get("/openapi.json").json["openapi"] == "3.1.0"
    assert anonymous.get("/docs").headers["content-type"].startswith("text/html")


def test_every_route_of_the_document_answers(admin: Client, stack: dict[str, Any]) -> None:
    document = admin.get("/openapi.json").json
    for path, operations in document["paths"].items():
        for method in operations:
            url = path.replace("{orgId}", "another")
            while "{" in url:
                url = url[: url.index("{")] + "1" + url[url.index("}") + 1 :]

            answer = admin.send(method.upper(), url, {} if method in ("post", "put") else None)

            assert answer.status == 403, (method, path, answer)
