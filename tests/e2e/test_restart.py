"""The local stack ends and begins again with all that it had: data, tokens, queues and streams."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from billing.domain.invoices import InvoiceKey
from billing.persistence.invoices import InvoiceRepository
from local import emulator
from local.stack import Stack, from_environment
from tests.e2e.conftest import Client

SECONDS = 30


@pytest.mark.last
def test_a_stack_that_was_stopped_goes_on(
    admin: Client, customer: Client, new_invoice: Callable[..., dict[str, Any]]
) -> None:
    assert admin.post(f"{admin.account}/invoices", new_invoice()).status == 201
    _wait_for_pdf(admin, 1)
    before = customer.get("/v3/account/invoice").json

    stack = from_environment()
    emulator.stop(stack)
    emulator.start(stack)

    assert customer.get("/v3/account/invoice").json == before
    assert customer.get("/v3/account/invoice/1/pdf").content.startswith(b"%PDF-")
    assert admin.post(f"{admin.account}/invoices", new_invoice()).status == 201
    _wait_for_pdf(admin, 2)


@pytest.mark.last
def test_a_stack_that_was_killed_goes_on(
    admin: Client, customer: Client, new_invoice: Callable[..., dict[str, Any]]
) -> None:
    assert admin.post(f"{admin.account}/invoices", new_invoice()).status == 201
    _wait_for_pdf(admin, 1)
    before = customer.get("/v3/account/invoice").json
    stack = from_environment()
    _wait_until_saved(stack)

    os.kill(int((stack.directory / "emulator.pid").read_text()), signal.SIGKILL)
    while emulator.is_running(stack):
        time.sleep(0.05)
    emulator.start(stack)

    assert customer.get("/v3/account/invoice").json == before
    assert customer.get("/v3/account/invoice/1/pdf").content.startswith(b"%PDF-")
    assert admin.post(f"{admin.account}/invoices", new_invoice()).status == 201
    assert customer.get("/v3/account/invoice/2/pdf").status in (200, 409)


def _wait_until_saved(stack: Stack) -> None:
    """Wait until what is there now was written, by a save that began later."""
    now, give_up = time.time(), time.monotonic() + SECONDS
    while (stack.state / "dynamodb.json").stat().st_mtime < now:
        assert time.monotonic() < give_up, "nothing was saved"
        time.sleep(0.2)


def _wait_for_pdf(client: Client, ordinal: int) -> None:
    """Wait until the stream has made it, without anybody asking."""
    key = InvoiceKey(client.org_id, client.account_id, ordinal)
    give_up = time.monotonic() + SECONDS
    while InvoiceRepository().find_pdf(key) is None:
        assert time.monotonic() < give_up, f"no PDF of invoice {ordinal}"
        time.sleep(0.2)
