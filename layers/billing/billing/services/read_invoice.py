"""Read an invoice whole."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from billing.domain.invoices import InvoiceKey, Payment, WholeInvoice

MAX_PAYMENTS = 100
"""Payments that are shown with their invoice; all of them are a list of its own."""


class Invoices(Protocol):
    def get_whole(self, key: InvoiceKey) -> WholeInvoice: ...


class Payments(Protocol):
    def list_page(self, key: InvoiceKey, after: str | None, limit: int) -> Sequence[Payment]: ...


def read_invoice(key: InvoiceKey, *, invoices: Invoices, payments: Payments) -> WholeInvoice:
    """
    Return an invoice with all that has become of it.

    Payments are read only where there may be some: something was paid or credited once. Raise
    NotFoundError where there is no such invoice.
    """
    whole = invoices.get_whole(key)
    settlement = whole.summary.settlement
    if not settlement.paid and not settlement.version:
        return whole
    return replace(whole, payments=payments.list_page(key, None, MAX_PAYMENTS))
