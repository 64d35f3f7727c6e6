"""A client that a generator makes of the OpenAPI document gets from nothing to a paid invoice."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from billing.domain.tokens import Role
from local.stack import ROOT
from tests.e2e.conftest import ACCOUNT, ORG, Client
from tools.openapi import FILE

PACKAGE = "generated_client"
CONFIG = {
    # Bytes stay bytes, and text stays text, whatever else they are.
    "content_type_overrides": {
        "application/pdf": "application/octet-stream",
        "application/xml": "text/plain",
        "image/png": "application/octet-stream",
        "image/svg+xml": "application/octet-stream",
    },
    "post_hooks": [],
}
SUBSCRIPTION = "600123456"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Generate the client and make it importable."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    generator = Path(sys.executable).parent / "openapi-python-client"
    made = subprocess.run(
        [
            generator, "generate", "--meta", "none", "--fail-on-warning",
            "--path", FILE, "--config", "config.json", "--output-path", PACKAGE,
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture
def api(generated: None, make_client: Callable[..., Client]) -> Callable[..., Any]:
    """Call operations by their names, each with the token that it takes; answer what it made."""
    from_generator = import_module(PACKAGE)
    tokens = {
        "v1": make_client(Role.ADMIN),
        "v2": make_client(Role.READER),
        "v3": make_client(Role.READER, accounts="100001"),
    }
    org_id = tokens["v1"].org_id

    def call(group: str, operation: str, *path: Any, body: Any = None, **more: Any) -> Any:
        ours = tokens[group.partition("_")[0]]
        client = from_generator.AuthenticatedClient(
            ours.base_url, ours.token or "", prefix="", auth_header_name="PRIVATE-TOKEN"
        )
        module = import_module(f"{PACKAGE}.api.{group}.{operation}")
        if body is not None:
            name, fields = body
            more["body"] = getattr(import_module(f"{PACKAGE}.models"), name).from_dict(fields)
        org = [] if group.startswith("v3_") else [org_id]
        answer = module.sync_detailed(*org, *path, client=client, **more)
        assert answer.status_code < HTTPStatus.BAD_REQUEST, answer.content
        return SimpleNamespace(parsed=answer.parsed, headers=answer.headers)

    return call


def test_from_nothing_to_a_paid_invoice(
    api: Callable[..., Any], new_invoice: Callable[..., dict[str, Any]]
) -> None:
    api("v1_billing_info", "put_billing_info", body=("BillingInfo", ORG))
    account = ("AccountBillingDetailsRequestDTO", ACCOUNT)
    api("v1_billing_info", "put_billing_details", "100001", body=account)

    request = ("InvoiceRequestDTO", new_invoice())
    created = api("v1_invoices", "create_invoice", "100001", body=request).parsed
    again = api("v1_invoices", "create_invoice", "100001", body=request)
    assert (created.id, again.parsed.id) == ("1", "1")
    assert again.headers["idempotent-replayed"] == "true"

    page = api("v3_invoices", "list_invoices", ranged_data="start=0,results=10")
    [listed] = page.parsed
    assert page.headers["ranged-data"] == "start=0,results=10,total=1"
    [details] = api("v3_invoices", "get_invoice", 1).parsed
    assert (listed.amount_inc_vat, details.amount_inc_vat) == ("3691", "3691")
    [in_v2] = api("v2_invoices", "list_invoices_of_period", "100001").parsed.invoices
    assert (in_v2.number, in_v2.value) == (listed.invoice_number, 36.91)

    pdf = api("v3_invoices", "get_invoice_pdf", 1).parsed.payload.read()
    link = api("v1_invoices", "get_public_link", "100001", created.id).parsed
    assert Client("", None, "", "").get(link.url).content == pdf

    payment = {
        "amount": 36.91,
        "paid_datetime": "2026-11-21T12:00:00Z",
        "external_payment_unique_id": "bank-1",
    }
    api("v1_invoices", "create_payment", "100001", "1", body=("PaymentRequestDTO", payment))
    assert api("v3_invoices", "list_unpaid_invoices").parsed == []


def test_from_a_charge_to_its_refund(api: Callable[..., Any]) -> None:
    api("v1_billing_info", "put_billing_info", body=("BillingInfo", ORG))
    account = ("AccountBillingDetailsRequestDTO", ACCOUNT)
    api("v1_billing_info", "put_billing_details", "100001", body=account)

    charge = ("MovementRequestDTO", _body("movements_create"))
    movement = api("v1_movements", "create_movement", SUBSCRIPTION, body=charge).parsed.id
    refund = ("RefundRequestDTO", _body("refunds_create"))
    made = api("v1_refunds", "create_refund", SUBSCRIPTION, movement, body=refund).parsed.id

    given_back = api("v1_refunds", "get_refund", SUBSCRIPTION, movement, made).parsed
    assert given_back.status == "pending"
    left = api("v1_movements", "get_movement", SUBSCRIPTION, movement).parsed
    assert left.refunded == given_back.amount.value_with_taxes
    assert left.refundable == left.amount.value_with_taxes - left.refunded


def _body(event: str) -> Any:
    return json.loads(json.loads((ROOT / "events" / f"{event}.json").read_text())["body"])
