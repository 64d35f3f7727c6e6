"""The data that an audit reads: everything stored for an org."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from billing import config
from billing.adapters.documents import DocumentStore
from billing.domain.errors import ErasedError, NotFoundError
from billing.domain.invoices import InvoiceKey, StoredDocument
from billing.domain.refunds import Refund
from billing.persistence.chains import ChainRepository
from billing.persistence.dynamodb import SEPARATOR, int_of, joined
from billing.persistence.invoice_items import invoice_pk, to_summary
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.movements import to_movement
from billing.persistence.payments import to_payment
from billing.persistence.payouts import to_payout
from billing.persistence.refunds import to_refund
from billing.services.audit import Audited, audit_invoices, audit_refunds, audit_settlement


class Pdfs:
    """The PDFs of an org: what is recorded of them, and what is in the bucket."""

    def __init__(self) -> None:
        self._invoices, self._store = InvoiceRepository(), DocumentStore()

    def find(self, key: InvoiceKey) -> StoredDocument | None:
        try:
            return self._invoices.find_pdf(key)
        except (ErasedError, NotFoundError):
            return None

    def read(self, pdf: StoredDocument) -> bytes | None:
        try:
            return self._store.get(pdf)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise


def count(org_id: str) -> int:
    """Return how many documents an org has issued, by the ends of its lanes."""
    return sum(end.position for end in ChainRepository().list_lanes(org_id).values())


def documents(org_id: str, *, pdfs: bool) -> Iterator[Audited]:
    """Verify all documents of an org and their fiscal records, lane by lane."""
    return audit_invoices(org_id, chains=ChainRepository(), pdfs=Pdfs() if pdfs else None)


@dataclass(frozen=True, slots=True)
class AuditedMovement:
    """A movement that was verified, and what is wrong about it."""

    id: str
    faults: list[str]
    erased: bool = False


def movements(org_id: str) -> Iterator[AuditedMovement]:
    """
    Verify all movements of an org.

    The tables know movements by subscription and cycle only, and what an audit is to find may be
    in neither: so it reads both tables whole.
    """
    refunds: dict[str, list[Refund]] = defaultdict(list)
    for item in _scan(config.refunds_table(), joined("movement", org_id, "")):
        refund = to_refund(item)
        refunds[repr(refund.key.movement)].append(refund)
    for item in _scan(config.movements_table(), joined("subscription", org_id, "")):
        if "record" in item:
            movement = to_movement(item)
            faults = audit_refunds(movement, refunds.pop(repr(movement.key), []))
            yield AuditedMovement(movement.key.id, faults, "erased_at" in item)
    for orphans in refunds.values():
        yield AuditedMovement(orphans[0].key.movement.id, ["it is missing, but has refunds"])


def settlements(org_id: str) -> Iterator[tuple[str, list[str]]]:
    """
    Verify what is noted of all documents of an org as paid, and the balances of its accounts.

    Return each number or account, with what is wrong about it.
    """
    table, invoices = config.invoices_table(), InvoiceRepository()
    items: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for item in _scan(table, joined("invoice", org_id, "")):
        items[item["pk"]["S"], item["sk"]["S"].split(SEPARATOR)[0]].append(item)
    for item in _scan(table, joined("account", org_id, "")):
        account_id = item["pk"]["S"].split(SEPARATOR)[2]
        if "head" in item:
            key = InvoiceKey(org_id, account_id, int_of(item, "ordinal"))
            summary, pk = to_summary(key, item), invoice_pk(key)
            payments = map(to_payment, items[pk, "payment"])
            payouts = map(to_payout, items[pk, "payout"])
            yield summary.number, audit_settlement(summary, payments, payouts)
        elif "balanced" in item and not invoices.has_right_balances(org_id, account_id):
            yield f"account {account_id}", ["its balances are not those of its documents"]


def _scan(table: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    pages = (
        boto3.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=table,
            ConsistentRead=True,
            FilterExpression="begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
        )
    )
    for page in pages:
        yield from page["Items"]
