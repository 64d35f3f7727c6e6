"""
Payments, in the invoices' table, among the items of their invoice: see invoice_items.py.

    pk                                       sk          what
    external#<org>#payment#<id>              external    the one payment with that external id
    external#<org>#payment_reversal#<id>     external    the one payment that was reversed with
                                                         that external id
"""

import orjson

from billing import config
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payment, Reversal, Settlement
from billing.domain.money import Money
from billing.domain.records import instant, to_instant, to_json
from billing.persistence.dynamodb import (
    Item,
    Key,
    existing,
    get_item,
    get_items_of,
    int_of,
    joined,
    list_after,
    put,
    query_beginning,
    transact,
    update,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.invoice_items import invoice_pk, summary_key, to_summary
from billing.persistence.issuing import settlement_writes


class PaymentRepository:
    """The payments of all invoices."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    # ---------------------------------------------------------------- read

    def get(self, key: InvoiceKey, payment_id: str) -> Payment:
        return to_payment(existing(get_item(self._table, payment_key(key, payment_id))))

    def get_for_payment(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[InvoiceSummary, IdempotencyRecord | None]:
        """Read the invoice of a new payment, and what has its external id already."""
        taken = external_key(key.org_id, "payment", external.value)
        found = get_items_of(self._table, summary_key(key), taken)
        summary = to_summary(key, existing(found.get(summary_key(key))))
        return summary, to_idempotency_record(found.get(taken))

    def list_page(self, key: InvoiceKey, after: str | None, limit: int) -> list[Payment]:
        """List the payments of an invoice, newest first, from the one after `after` on."""
        items = list_after(self._table, payment_key(key, ""), after, limit)
        return [to_payment(item) for item in items]

    def get_for_reversal(
        self, key: InvoiceKey, payment_id: str, external: ExternalId
    ) -> tuple[InvoiceSummary, Payment, IdempotencyRecord | None]:
        """Read a payment with its invoice, and what has the reversal's external id already."""
        taken = external_key(key.org_id, "payment_reversal", external.value)
        payment = payment_key(key, payment_id)
        found = get_items_of(self._table, summary_key(key), payment, taken)
        return (
            to_summary(key, existing(found.get(summary_key(key)))),
            to_payment(existing(found.get(payment))),
            to_idempotency_record(found.get(taken)),
        )

    def list_all(self, key: InvoiceKey) -> list[Payment]:
        """List all payments of an invoice, those that were reversed too."""
        return list(map(to_payment, query_beginning(self._table, payment_key(key, ""))))

    # ---------------------------------------------------------------- write

    def add(
        self,
        summary: InvoiceSummary,
        settlement: Settlement,
        payment: Payment,
        external: ExternalId,
    ) -> None:
        """
        Record a payment and what it leaves of the invoice, all or nothing.

        Raise ContentionError where the settlement is not what `summary` says any more.
        """
        recorded = put(
            self._table,
            payment_key(summary.key, payment.id),
            {
                "amount": {"N": str(payment.amount.minor)},
                "currency": {"S": payment.amount.currency},
                "paid_at": {"S": instant(payment.paid_at)},
                "method": {"S": payment.method or ""},
                "external_id": {"S": external.value},
            },
        )
        taken = external_key(summary.key.org_id, "payment", external.value)
        transact(
            [
                recorded,
                put_external(self._table, taken, payment.id, external, summary.key.account_id),
                *settlement_writes(self._table, summary, settlement),
            ]
        )

    def reverse(
        self,
        summary: InvoiceSummary,
        settlement: Settlement,
        payment: Payment,
        reversal: Reversal,
        external: ExternalId,
    ) -> None:
        """
        Reverse a payment, once, and record what the invoice is owed then, all or nothing.

        Raise ContentionError where the payment or the settlement has changed.
        """
        record = {
            "reason": reversal.reason,
            "reversed_at": instant(reversal.reversed_at),
            "external_id": external.value,
        }
        reversed_ = update(
            self._table,
            payment_key(summary.key, payment.id),
            "SET reversal = :reversal",
            {":reversal": {"S": to_json(record)}},
            expected={"amount": payment.amount.minor, "reversal": None},
        )
        taken = external_key(summary.key.org_id, "payment_reversal", external.value)
        transact(
            [
                reversed_,
                put_external(self._table, taken, payment.id, external, summary.key.account_id),
                *settlement_writes(self._table, summary, settlement),
            ]
        )


def payment_key(key: InvoiceKey, payment_id: str) -> Key:
    return invoice_pk(key), joined("payment", payment_id)


def to_payment(item: Item) -> Payment:
    record = orjson.loads(item["reversal"]["S"]) if "reversal" in item else None
    return Payment(
        id=item["sk"]["S"].removeprefix(joined("payment", "")),
        amount=Money(int_of(item, "amount"), item["currency"]["S"]),
        paid_at=to_instant(item["paid_at"]["S"]),
        method=item["method"]["S"] or None,
        reversal=record and Reversal(record["reason"], to_instant(record["reversed_at"])),
    )
