"""What is issued over HTTP is in the local mailbox soon after, and `make mail` shows it."""

import subprocess
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

from local import mail
from local.stack import ROOT, from_environment
from tests.e2e.conftest import Client

SOON_SECONDS = 30
"""The bound of a busy machine; what it took is printed."""
SENDER = {"mail_from": "facturas@example.com"}


def test_a_document_is_mailed_soon_after_its_issue(
    admin: Client, new_invoice: Callable[..., dict[str, Any]]
) -> None:
    profile = f"/v1/orgs/{admin.org_id}/billing_info"
    # What a sandbox mails goes to the org itself.
    address = f"{uuid4().hex}@example.com"
    said = {**admin.get(profile).json, **SENDER, "email": address}
    assert admin.put(profile, said).status == 204

    began = time.monotonic()
    issued = admin.post(f"{admin.account}/invoices", new_invoice())
    assert issued.status == 201, issued
    invoice = f"{admin.account}/invoices/{issued.json['id']}"
    number = admin.get(invoice).json["number"]
    file, message = _wait_for(address, began)
    print(f"mailed after {time.monotonic() - began:.2f} s")
    statuses: list[str] = []
    while statuses != ["sent"] and time.monotonic() - began < SOON_SECONDS:
        listed = admin.get(f"{invoice}/deliveries").json["deliveries"]
        statuses = [each["status"] for each in listed]

    assert statuses == ["sent"]
    assert number in str(message["Subject"])
    [pdf] = message.iter_attachments()
    assert pdf.get_content().startswith(b"%PDF-")
    assert number in str(pdf.get_filename())
    shown = _make_mail(mail.files(from_environment().mail).index(file) + 1)
    assert number in shown
    assert str(file.with_suffix("") / "mail.html") in shown


def _wait_for(address: str, began: float) -> tuple[Path, EmailMessage]:
    while time.monotonic() - began < SOON_SECONDS:
        for file in reversed(mail.files(from_environment().mail)):
            message = mail.read(file)
            if message[mail.ENVELOPE] == address:
                return file, message
        time.sleep(0.02)
    raise AssertionError(f"{address} got no mail")


def _make_mail(number: int) -> str:
    """Run what `make mail N=…` does."""
    command = [sys.executable, "-m", "local", "mail", str(number)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
