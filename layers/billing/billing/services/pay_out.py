"""Return money that a document owes to the customer."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol

from billing import deadline
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payout, Settlement
from billing.domain.money import Money
from billing.services.receive_payment import check_not_ahead


class Payouts(Protocol):
    def get_for_payout(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[InvoiceSummary, IdempotencyRecord | None]: ...

    def add(
        self,
        summary: InvoiceSummary,
        settlement: Settlement,
        payout: Payout,
        external: ExternalId,
    ) -> None: ...


def pay_out(
    key: InvoiceKey,
    amount: Decimal,
    paid_at: datetime,
    method: str | None,
    external: ExternalId,
    *,
    now: datetime,
    org_time: datetime,
    payouts: Payouts,
) -> Created:
    """
    Record money that was returned to the customer, or set off.

    Raise PayoutExceedsCreditError where the document owes less, and InvalidRequestError where it
    was paid in the future, or the amount has more decimals than the currency.
    """
    payout_id = new_id(now)

    def pay() -> Created:
        summary, record = payouts.get_for_payout(key, external)
        if known := external.replay(record):
            return known
        check_not_ahead(paid_at, org_time, "paid_datetime")
        returned = Money.exactly(amount, summary.gross.currency)
        settlement = summary.settlement.plus_payout(returned, summary.credit)
        payout = Payout(payout_id, returned, paid_at, method, external.value)
        payouts.add(summary, settlement, payout, external)
        return Created(payout_id)

    return deadline.retry(pay)
