"""Fiscal records of the deployed API, from the issue of a document to the agency's answer."""

import time
from typing import Any
from uuid import uuid4

from local import deploy
from local.stack import from_environment
from tests.e2e.conftest import Client

SOON_SECONDS = 180
"""The agency asks to wait a minute between messages."""


def test_what_is_issued_and_corrected_is_accepted(stack: dict[str, Any]) -> None:
    fiscal = stack["verifactu"]
    names = ("admin_token", "org_id", "account_id")
    client = Client(stack["base_url"], *(fiscal[name] for name in names))
    account = client.account
    line = {"description": "Dominio .es", "quantity": 1, "unit_price": 9.9}
    issued = client.post(
        f"{account}/invoices",
        {
            "external_invoice_unique_id": uuid4().hex,
            "description": "Dominio .es",
            "lines": [line],
        },
    )
    assert issued.status == 201, issued
    invoice = f"{account}/invoices/{issued.json['id']}"
    credited = client.post(
        f"{invoice}/credit_note",
        {"external_credit_note_unique_id": uuid4().hex, "description": "No se renovó"},
    )
    assert credited.status == 201, credited
    documents = [invoice, f"{account}/invoices/{credited.json['id']}"]

    began, states = time.monotonic(), list[str]()
    while states != ["accepted"] * 2 and time.monotonic() - began < SOON_SECONDS:
        _sweep()
        time.sleep(2)
        states = [client.get(f"{each}/fiscal_record").json["state"] for each in documents]
    print(f"accepted after {time.monotonic() - began:.0f} s")

    assert states == ["accepted"] * 2
    first, second = (client.get(f"{each}/fiscal_record").json for each in documents)
    assert (first["type"], second["type"]) == ("F1", "R1")
    assert first["csv"]
    assert second["previous_huella"] == first["huella"]


def _sweep() -> None:
    """Send the message of the schedule, which comes each minute."""
    local = from_environment()
    queue = deploy.outputs(local)["FiscalRecordsQueue"]
    deploy.client(local, "sqs").send_message(QueueUrl=queue, MessageBody='{"after": ""}')
