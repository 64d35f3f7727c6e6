"""
Payments, in the invoices' table, among the items of their invoice: see invoice_items.py.

    pk                                sk          what
    external#<org>#payment#<id>       external    the one payment with that external id
"""

from billing import config
from billing.domain.errors import NotFoundError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payment, Settlement
from billing.domain.records import instant
from billing.persistence.dynamodb import get_items, joined, put, transact
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.invoice_items import invoice_pk, summary_key, to_summary
from billing.persistence.issuing import AccountChanges, settle


class PaymentRepository:
    """The payments of all invoices."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    def get_for_payment(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[InvoiceSummary, IdempotencyRecord | None]:
        """Read the invoice of a new payment, and what has its external id already."""
        taken = external_key(key.org_id, "payment", external.value)
        found = get_items({self._table: [summary_key(key), taken]})
        summary = found.get((self._table, *summary_key(key)))
        if summary is None:
            raise NotFoundError
        known = to_idempotency_record(found.get((self._table, *taken)))
        return to_summary(key, summary), known

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
        key, table = summary.key, self._table
        changes: dict[str, AccountChanges] = {}
        writes = [
            put(
                table,
                (invoice_pk(key), joined("payment", payment.id)),
                {
                    "amount": {"N": str(payment.amount.minor)},
                    "currency": {"S": payment.amount.currency},
                    "paid_at": {"S": instant(payment.paid_at)},
                    "method": {"S": payment.method or ""},
                    "external_id": {"S": external.value},
                },
            ),
            put_external(
                table,
                external_key(key.org_id, "payment", external.value),
                payment.id,
                external,
            ),
            *settle(table, summary, settlement, changes),
        ]
        for account_id, change in changes.items():
            writes += change.writes(table, key.org_id, account_id)
        transact(writes)
