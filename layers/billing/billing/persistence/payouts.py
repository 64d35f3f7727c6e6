"""
Payouts, in the invoices' table, among the items of their document: see invoice_items.py.

    pk                              sk          what
    external#<org>#payout#<id>      external    the one payout with that external id
"""

from dataclasses import replace

from billing import config
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.invoice_record import read_record
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payout, Settlement
from billing.domain.money import Money
from billing.domain.records import instant, to_instant
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
    transact,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.invoice_items import (
    document_key,
    invoice_pk,
    summary_key,
    to_record,
    to_summary,
)
from billing.persistence.issuing import settlement_writes


class PayoutRepository:
    """The payouts of all documents."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    def get_for_payout(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[InvoiceSummary, IdempotencyRecord | None]:
        """Read the document of a new payout, and what has its external id already."""
        taken = external_key(key.org_id, "payout", external.value)
        found = get_items_of(self._table, summary_key(key), taken)
        summary = to_summary(key, existing(found.get(summary_key(key))))
        if summary.is_correction is None:
            record = to_record(get_items_of(self._table, document_key(key))[document_key(key)])
            summary = replace(summary, is_correction=read_record(record).corrects is not None)
        return summary, to_idempotency_record(found.get(taken))

    def get(self, key: InvoiceKey, payout_id: str) -> Payout:
        return to_payout(existing(get_item(self._table, _payout_key(key, payout_id))))

    def list_page(self, key: InvoiceKey, after: str | None, limit: int) -> list[Payout]:
        """List a document's payouts, newest first, from the one after `after` on."""
        items = list_after(self._table, _payout_key(key, ""), after, limit)
        return [to_payout(item) for item in items]

    def add(
        self,
        summary: InvoiceSummary,
        settlement: Settlement,
        payout: Payout,
        external: ExternalId,
    ) -> None:
        """
        Record a payout and what the document owes after it, all or nothing.

        Raise ContentionError where the settlement is not what `summary` says any more.
        """
        attributes = {
            "amount": {"N": str(payout.amount.minor)},
            "currency": {"S": payout.amount.currency},
            "paid_at": {"S": instant(payout.paid_at)},
            "method": {"S": payout.method or ""},
            "external_id": {"S": payout.external_id},
        }
        taken = external_key(summary.key.org_id, "payout", external.value)
        transact(
            [
                put(self._table, _payout_key(summary.key, payout.id), attributes),
                put_external(self._table, taken, payout.id, external, summary.key.account_id),
                *settlement_writes(self._table, summary, settlement),
            ]
        )


def _payout_key(key: InvoiceKey, payout_id: str) -> Key:
    return invoice_pk(key), joined("payout", payout_id)


def to_payout(item: Item) -> Payout:
    return Payout(
        id=item["sk"]["S"].removeprefix(joined("payout", "")),
        amount=Money(int_of(item, "amount"), item["currency"]["S"]),
        paid_at=to_instant(item["paid_at"]["S"]),
        method=item["method"]["S"] or None,
        external_id=item["external_id"]["S"],
    )
