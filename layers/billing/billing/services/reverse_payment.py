"""Reverse a payment."""

from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.errors import PaymentReversedError
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payment, Reversal, Settlement
from billing.services.receive_payment import check_not_ahead


class Payments(Protocol):
    def get_for_reversal(
        self, key: InvoiceKey, payment_id: str, external: ExternalId
    ) -> tuple[InvoiceSummary, Payment, IdempotencyRecord | None]: ...

    def list_all(self, key: InvoiceKey) -> list[Payment]: ...

    def reverse(
        self,
        summary: InvoiceSummary,
        settlement: Settlement,
        payment: Payment,
        reversal: Reversal,
        external: ExternalId,
    ) -> None: ...


def reverse_payment(
    key: InvoiceKey,
    payment_id: str,
    reason: str,
    reversed_at: datetime,
    external: ExternalId,
    *,
    now: datetime,
    payments: Payments,
) -> Created:
    """
    Undo a payment that did not last, such as a direct debit that was returned.

    A payment has one reversal, so its id names both. The invoice is owed again what it would be
    owed without the payment. Raise PaymentReversedError where it was reversed before, and
    InvalidRequestError where it would be in the future.
    """
    reversal = Reversal(reason, reversed_at)

    def reverse() -> Created:
        summary, payment, record = payments.get_for_reversal(key, payment_id, external)
        if known := external.replay(record):
            return known
        check_not_ahead(reversed_at, now, "reversed_datetime")
        if payment.reversal:
            raise PaymentReversedError
        paid_at = summary.settlement.paid_at
        if paid_at == payment.paid_at:
            others = [each for each in payments.list_all(key) if each.id != payment_id]
            counted = (each.paid_at for each in others if not each.reversal)
            paid_at = max(counted, default=None)
        settlement = summary.settlement.minus_payment(payment.amount, paid_at)
        payments.reverse(summary, settlement, payment, reversal, external)
        return Created(payment.id)

    return deadline.retry(reverse)
