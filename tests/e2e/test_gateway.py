"""What the deployed gateway hands over: files, and what nobody has."""

import json
from base64 import b64decode

import pytest

from local.stack import ROOT
from tests.e2e.conftest import Client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3/account/nowhere", 404),
        ("DELETE", "/", 404),
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


@pytest.mark.parametrize("event", ["billing_info_put_logo", "billing_info_put_logo_png"])
def test_a_file_arrives_and_comes_back_byte_by_byte(admin: Client, event: str) -> None:
    sent = json.loads((ROOT / "events" / f"{event}.json").read_text())
    content, kind = b64decode(sent["body"]), sent["headers"]["content-type"]
    path = f"/v1/orgs/{admin.org_id}/billing_info/logo"

    put = admin.send("PUT", path, content, content_type=kind)
    got = admin.get(path)
    removed = admin.send("DELETE", path)

    assert (put.status, got.status, removed.status) == (204, 200, 204)
    assert (got.headers["content-type"], got.content) == (kind, content)
