"""Receive money against an invoice."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import uuid4

from billing import deadline
from billing.domain.errors import ContentionError, InvalidRequestError
from billing.domain.idempotency import ExternalId
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payment, Settlement
from billing.domain.money import Money


class Invoices(Protocol):
    def get_for_payment(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[InvoiceSummary, str | None]: ...

    def add_payment(
        self,
        summary: InvoiceSummary,
        settlement: Settlement,
        payment: Payment,
        external: ExternalId,
    ) -> None: ...


def receive_payment(
    key: InvoiceKey,
    amount: Decimal,
    currency: str | None,
    paid_at: datetime,
    method: str | None,
    external: ExternalId,
    *,
    invoices: Invoices,
) -> tuple[str, bool]:
    """
    Record a payment; tell its id, and whether it had been recorded before.

    Raises PaymentExceedsInvoiceError where less remains, and InvalidRequestError where the
    currency is not the invoice's or the amount has more decimals than it.
    """
    payment_id = uuid4().hex
    for _ in deadline.attempts():
        summary, known_id = invoices.get_for_payment(key, external)
        if known_id:
            return known_id, True
        owed_in = summary.gross.currency
        if currency not in (None, owed_in):
            raise InvalidRequestError.of("currency", f"the invoice is in {owed_in}")
        payment = Payment(payment_id, Money.exactly(amount, owed_in), paid_at, method)
        settlement = summary.settlement.plus_payment(payment.amount, paid_at, summary.remaining)
        try:
            invoices.add_payment(summary, settlement, payment, external)
        except ContentionError:
            continue
        return payment_id, False
    raise ContentionError
