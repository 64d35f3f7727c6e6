"""A page of v1 takes hardly more of a processor than one of v3, which says less."""

import statistics
import time

from tests.integration.conftest import Invoker

MOST = 1.1
"""Of the time of v3."""
PAIRS = 100
TRIES = 5
"""A machine that is busy disturbs one of them, and not all."""


def test_a_page_of_25(billed: Invoker) -> None:
    for number in range(25):
        body = {"external_invoice_unique_id": f"of the page {number}"}
        assert billed("invoices_create", body).status == 201

    def took(event: str) -> float:
        began = time.process_time()
        assert billed(event).status == 200
        return time.process_time() - began

    def ratio() -> float:
        pairs = [(took("invoices_list_of_account"), took("invoices_list")) for _ in range(PAIRS)]
        return statistics.median(ours / theirs for ours, theirs in pairs)

    assert any(ratio() <= MOST for _ in range(TRIES))
