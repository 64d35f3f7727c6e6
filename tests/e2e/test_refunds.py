"""From a charge to what was given back of it, over HTTP, on the deployed stack."""

from typing import Any

import pytest

from tests.e2e.conftest import Client

VAT = {"type": "IVA", "percentage": 21}


@pytest.fixture
def movement(admin: Client) -> str:
    """Charge 121 EUR, and answer where that is."""
    charged = admin.post(
        f"/v1/orgs/{admin.org_id}/subscription/600123456/movement",
        {
            "account_id": admin.account_id,
            "movement_datetime": "2026-11-01T00:00:00Z",
            "amount": {"value_with_taxes": 121, "value_without_taxes": 100, "tax": VAT},
            "operation_type": "DEBIT",
            "kind": "one_off",
            "external_movement_unique_id": "router-1",
            "description": "Router",
        },
    )
    assert charged.status == 201
    return charged.headers["location"]


def refund(external_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "refund_datetime": "2026-11-21T10:00:00Z",
        "amount": {"value_with_taxes": 12.1, "value_without_taxes": 10, "tax": VAT},
        "external_refund_unique_id": external_id,
        "billable": True,
        "description": "Goodwill",
        **fields,
    }


def test_a_refund_from_issue_to_withdrawal(admin: Client, movement: str) -> None:
    created = admin.post(f"{movement}/refund", refund("ticket-1"))
    where = created.headers["location"]
    assert (created.status, created.headers["etag"]) == (201, '"1"')

    read = admin.get(where)
    assert (read.headers["etag"], read.json["status"]) == ('"1"', "pending")

    more = refund("ticket-1", description="More goodwill")
    replaced = admin.send("PUT", where, more, if_match='"1"')
    stale = admin.send("PUT", where, refund("ticket-1", billable=False), if_match='"1"')
    assert (replaced.status, replaced.content, stale.status) == (204, b"", 412)

    [listed] = admin.get(f"{movement}/refund?limit=1").json["refunds"]
    assert listed["description"] == "More goodwill"
    assert admin.get(movement).json["refundable"] == 108.9

    products = refund("ticket-2", transaction_type_id="router_return")
    products["amount"]["billable"] = products.pop("billable")
    other = admin.post(f"{movement}/refund/non_subscribable_products", products)
    assert other.status == 201

    assert admin.send("DELETE", where).status == 204
    assert admin.get(where).status == 404
    assert admin.get(movement).json["refunded"] == 12.1
    [charge] = admin.get(f"{movement.rpartition('/')[0]}?limit=1").json["movements"]
    assert charge == admin.get(movement).json
