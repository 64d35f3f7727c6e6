"""From movements to an invoice, from a refund to a credit note: over HTTP, queues and schedules."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.e2e.conftest import Client

WAIT_SECONDS = 30


def _move(admin: Client, net: int, operation_type: str = "DEBIT", kind: str = "recurring") -> str:
    path = f"/v1/orgs/{admin.org_id}/subscription/600123456/movement"
    answer = admin.post(
        path,
        {
            "account_id": admin.account_id,
            "movement_datetime": "2026-11-02T10:00:00Z",
            "amount": _amount(net),
            "operation_type": operation_type,
            "kind": kind,
            "external_movement_unique_id": uuid4().hex,
            "description": f"{kind} {net}",
        },
    )
    assert answer.status == 201, answer
    return f"{path}/{answer.json['id']}"


def _amount(net: int) -> dict[str, Any]:
    tax = {"type": "IVA", "percentage": 21}
    return {"value_with_taxes": net * 1.21, "value_without_taxes": net, "tax": tax}


def _bill(admin: Client, days_ahead: int) -> dict[str, Any]:
    """Set the org's clock ahead, run billing, and wait until it is completed."""
    until = (datetime.now(UTC) + timedelta(days=days_ahead)).date()
    put = admin.put(f"/v1/orgs/{admin.org_id}/sandbox_clock", {"now": f"{until}T12:00:00Z"})
    assert put.status == 204, put
    runs = f"/v1/orgs/{admin.org_id}/billing_runs"
    started = admin.post(
        runs, {"until": until.isoformat(), "external_billing_run_unique_id": uuid4().hex}
    )
    assert started.status == 201, started
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        run: dict[str, Any] = admin.get(f"{runs}/{started.json['id']}").json
        if run["status"] == "completed":
            return run
        time.sleep(0.2)
    raise AssertionError(run)


def test_from_a_movement_to_a_credit_note(admin: Client, customer: Client) -> None:
    charge = _move(admin, 100)
    _move(admin, 20, "CREDIT", "discount")

    run = _bill(admin, 40)
    assert {name: run[name] for name in run.keys() - {"id", "until", "created_at"}} == {
        "status": "completed",
        "accounts_total": 1,
        "accounts_done": 1,
        "invoices_issued": 1,
        "failures": [],
    }
    [invoice] = customer.get("/v3/account/invoice/unpaid").json
    assert (invoice["amountIncVAT"], invoice["isCredit"]) == ("9680", 0)
    assert admin.get(charge).json["invoice_id"] == invoice["id"]

    refund = admin.post(
        f"{charge}/refund",
        {
            "refund_datetime": "2026-11-03T10:00:00Z",
            "amount": _amount(50),
            "external_refund_unique_id": uuid4().hex,
            "billable": True,
            "description": "Half of it",
        },
    )
    assert _bill(admin, 80)["invoices_issued"] == 1
    note, original = customer.get("/v3/account/invoice").json
    assert (note["amountIncVAT"], note["isCredit"]) == ("-6050", 1)
    assert original["remainingAmount"] == "3630"
    told = admin.get(f"{charge}/refund/{refund.json['id']}").json
    assert (told["status"], told["invoice_id"]) == ("billed", note["id"])

    credited = admin.post(
        f"{admin.account}/invoices/{original['id']}/credit_note",
        {"external_credit_note_unique_id": uuid4().hex, "description": "The rest"},
    )
    assert credited.status == 201
    assert customer.get("/v3/account/invoice/unpaid").json == []
    pdf = customer.get(f"/v3/account/invoice/{credited.json['id']}/pdf")
    assert pdf.content.startswith(b"%PDF-")

    again = _bill(admin, 80)
    assert (again["accounts_total"], again["invoices_issued"]) == (0, 0)
