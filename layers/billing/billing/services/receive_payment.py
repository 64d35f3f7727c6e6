"""Receive money against an invoice."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from billing import deadline
from billing.domain.errors import InvalidRequestError, PaymentReversedError
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payment, Settlement
from billing.domain.money import Money
from billing.domain.records import instant

AHEAD = timedelta(days=1)
"""How far a payment may lie ahead: as much as clocks and time zones may differ."""


def check_not_ahead(at: datetime, now: datetime, field: str) -> None:
    """Raise InvalidRequestError where money is said to have moved in the future."""
    if at > now + AHEAD:
        latest = instant((now + AHEAD).replace(microsecond=0))
        raise InvalidRequestError.of(field, f"is in the future; at present {latest} is the latest")


class Payments(Protocol):
    def get_for_payment(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[InvoiceSummary, IdempotencyRecord | None]: ...

    def get(self, key: InvoiceKey, payment_id: str) -> Payment: ...

    def add(
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
    now: datetime,
    org_time: datetime,
    payments: Payments,
) -> Created:
    """
    Record a payment.

    Raise PaymentExceedsInvoiceError where less remains, InvalidRequestError where it was paid in
    the future, the currency is not the invoice's, or the amount has more decimals than it, and
    PaymentReversedError where the same payment was recorded and reversed before.
    """
    payment_id = new_id(now)

    def receive() -> Created:
        summary, record = payments.get_for_payment(key, external)
        if known := external.replay(record):
            if payments.get(key, known.id).reversal:
                raise PaymentReversedError(record.existing if record else None)
            return known
        check_not_ahead(paid_at, org_time, "paid_datetime")
        owed_in = summary.gross.currency
        if currency not in (None, owed_in):
            raise InvalidRequestError.of("currency", f"the invoice is in {owed_in}")
        payment = Payment(payment_id, Money.exactly(amount, owed_in), paid_at, method)
        settlement = summary.settlement.plus_payment(payment.amount, paid_at, summary.remaining)
        payments.add(summary, settlement, payment, external)
        return Created(payment_id)

    return deadline.retry(receive)
