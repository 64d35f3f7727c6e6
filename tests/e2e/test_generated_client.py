"""A client that a generator makes of the OpenAPI document gets from nothing to a paid invoice."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from billing.domain.periods import next_billing_date
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
RUN_SECONDS = 60


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


def test_through_two_cycles_with_everything_that_can_be_listed(api: Callable[..., Any]) -> None:
    api("v1_billing_info", "put_billing_info", body=("BillingInfo", ORG))
    account = ("AccountBillingDetailsRequestDTO", ACCOUNT)
    api("v1_billing_info", "put_billing_details", "100001", body=account)
    api("v1_billing_info", "put_subscription", "100001", SUBSCRIPTION)
    made = _charge_and_take_back(api)

    [upcoming] = api("v1_invoices", "get_upcoming_invoice", "100001").parsed.documents
    first = next_billing_date(1, datetime.now(UTC).date())
    run_id = _bill(api, first)
    page = api("v1_invoices", "list_account_invoices", "100001", limit=1).parsed
    [invoice], owed = page.invoices, api("v1_invoices", "list_org_invoices").parsed
    assert (invoice.gross, page.next_cursor) == (upcoming.gross, None)
    assert [each.id for each in owed.invoices] == [invoice.id]
    whole = api("v1_invoices", "get_whole_invoice", "100001", invoice.id).parsed
    by_number = api("v1_invoices", "get_whole_invoice_by_number", whole.number).parsed
    assert by_number == whole
    [movement] = api("v1_movements", "list_movements", SUBSCRIPTION).parsed.movements
    assert (movement.id, movement.invoice_id) == (made["movement"], invoice.id)

    paid_at = f"{first}T09:00:00Z"
    payment_id = _pay(api, invoice, "bank-1", paid_at)
    reversal = {
        "reason": "returned",
        "reversed_datetime": paid_at,
        "external_reversal_unique_id": "bank-2",
    }
    request = ("PaymentReversalRequestDTO", reversal)
    api("v1_invoices", "create_payment_reversal", "100001", invoice.id, payment_id, body=request)
    again = _pay(api, invoice, "bank-3", paid_at)
    note = {"description": "Baja", "external_credit_note_unique_id": "note-1"}
    request = ("CreditNoteRequestDTO", note)
    api("v1_invoices", "create_credit_note", "100001", invoice.id, body=request)
    [balance] = api("v1_invoices", "get_balance", "100001").parsed.balances
    assert (balance.unpaid, balance.credit) == (0, invoice.gross)
    payout = {
        "amount": balance.credit,
        "paid_datetime": paid_at,
        "external_payout_unique_id": "bank-4",
    }
    request = ("PayoutRequestDTO", payout)
    paid_out = api("v1_invoices", "create_payout", "100001", invoice.id, body=request).parsed.id

    listed = api("v1_invoices", "list_payments", "100001", invoice.id).parsed.payments
    assert [each.id for each in listed] == [again, payment_id]
    assert [bool(each.reversal) for each in listed] == [False, True]
    one = api("v1_invoices", "get_payment", "100001", invoice.id, payment_id).parsed
    assert one == listed[1]
    [returned] = api("v1_invoices", "list_payouts", "100001", invoice.id).parsed.payouts
    assert api("v1_invoices", "get_payout", "100001", invoice.id, paid_out).parsed == returned
    [balance] = api("v1_invoices", "get_balance", "100001").parsed.balances
    assert (balance.unpaid, balance.credit) == (0, 0)
    [run] = api("v1_billing_runs", "list_billing_runs").parsed.billing_runs
    assert (run.id, run.invoices_issued) == (run_id, 1)
    [account_] = api("v1_billing_info", "list_accounts", name="ana").parsed.accounts
    assert account_.account_id == "100001"
    [subscription] = api("v1_billing_info", "list_subscriptions", "100001").parsed.subscriptions
    assert subscription.subscription_id == SUBSCRIPTION
    [adjustment] = api("v1_movements", "list_adjustments", "100001").parsed
    assert adjustment.id == made["adjustment"]
    refunds = api("v1_movements", "get_movement", SUBSCRIPTION, made["movement"]).parsed
    assert refunds.refunded == 12.1


def _charge_and_take_back(api: Callable[..., Any]) -> dict[str, str]:
    """Charge, delete a charge, adjust, refund, and use; return what was made."""
    charge = ("MovementRequestDTO", _body("movements_create"))
    movement = api("v1_movements", "create_movement", SUBSCRIPTION, body=charge).parsed.id
    mistake = _body("movements_create") | {"external_movement_unique_id": "a mistake"}
    request = ("MovementRequestDTO", mistake)
    wrong = api("v1_movements", "create_movement", SUBSCRIPTION, body=request).parsed.id
    api("v1_movements", "delete_movement", SUBSCRIPTION, wrong)
    request = ("AccountAdjustmentRequestDTO", _body("movements_adjust"))
    adjustment = api("v1_movements", "create_adjustment", "100001", body=request).parsed.id
    assert api("v1_movements", "get_adjustment", "100001", adjustment).parsed.id == adjustment
    request = ("RefundRequestDTO", _body("refunds_create"))
    refund = api("v1_refunds", "create_refund", SUBSCRIPTION, movement, body=request).parsed.id
    [listed] = api("v1_refunds", "list_refunds", SUBSCRIPTION, movement).parsed.refunds
    assert listed.id == refund
    request = ("ConsumptionRequestDTO", _body("consumptions_create"))
    used = api("v1_consumptions", "create_consumptions", SUBSCRIPTION, body=request).parsed
    assert (used.accepted, used.duplicates) == (3, 0)
    return {"movement": movement, "adjustment": adjustment}


def _bill(api: Callable[..., Any], day: date) -> str:
    """Let it be a day in the sandbox, and bill until then; return the run."""
    request = ("SandboxClockDTO", {"now": f"{day}T12:00:00Z"})
    api("v1_sandbox_clock", "put_sandbox_clock", body=request)
    request = ("BillingRunRequestDTO", {"external_billing_run_unique_id": "run-1"})
    run_id: str = api("v1_billing_runs", "create_billing_run", body=request).parsed.id
    ends = time.monotonic() + RUN_SECONDS
    while api("v1_billing_runs", "get_billing_run", run_id).parsed.status != "completed":
        assert time.monotonic() < ends
        time.sleep(0.2)
    return run_id


def _pay(api: Callable[..., Any], invoice: Any, external_id: str, paid_at: str) -> str:
    payment = {
        "amount": invoice.remaining,
        "paid_datetime": paid_at,
        "external_payment_unique_id": external_id,
    }
    request = ("PaymentRequestDTO", payment)
    paid: str = api("v1_invoices", "create_payment", "100001", invoice.id, body=request).parsed.id
    return paid


def _body(event: str) -> Any:
    return json.loads(json.loads((ROOT / "events" / f"{event}.json").read_text())["body"])
