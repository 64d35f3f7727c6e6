"""
The items of invoices and their keys, in the invoices' table.

    pk                                sk                what
    account#<org>#<account>           invoice#<n>       the head of the account's nth document
                                                        and its settlement: what lists show; the
                                                        hash before it, `before`
                                      day#<date>        the first and last ordinal of a day
                                      unpaid#<n>        the description of one that is unpaid;
                                                        `due`, from when it is overdue
                                      unpaid#totals     how many documents, how many unpaid; by
                                                        currency, what is unpaid and what is owed to
                                                        the customer
                                      unpaid-block#<b>  how many unpaid among a thousand
    invoice#<org>#<account>#<n>       document          the record and its personal part,
                                                        compressed; `erased_at` once the personal
                                                        part was erased
                                      payment#<id>      money received, and its reversal
                                      payout#<id>       money returned
                                      credits           the net amounts of its lines that were
                                                        credited and reserved for refunds; the
                                                        newest 100 credit notes of it
                                      pdf               where its PDF is, and its hash

Ordinals are written with ten digits, so that they sort. `unpaid#totals` sorts behind the unpaid
ordinals, so that one descending query answers the total and the newest. The index `descriptions`
has the description of every document and nothing else. The index `owed` lists the unpaid ones of an
org's lane by `due`.
"""

import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import orjson

from billing.domain.credit_notes import Creditable, Nets
from billing.domain.invoice_record import InvoiceRecord, read_record
from billing.domain.invoices import (
    Correction,
    InvoiceKey,
    InvoiceKind,
    InvoiceSummary,
    Settlement,
    StoredDocument,
)
from billing.domain.money import Money
from billing.domain.numbering import LANE
from billing.domain.parties import DeliveryMode
from billing.domain.records import instant, period_record, to_instant, to_json, to_period
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    bytes_of,
    int_of,
    joined,
    padded,
    put,
)
from billing.persistence.lanes import lane_of

BLOCK = 1000
"""Ordinals whose unpaid documents are counted together."""


# ---------------------------------------------------------------- keys


def account_pk(org_id: str, account_id: str) -> str:
    return joined("account", org_id, account_id)


def invoice_pk(key: InvoiceKey) -> str:
    return joined("invoice", key.org_id, key.account_id, key.ordinal)


def summary_key(key: InvoiceKey) -> Key:
    return account_pk(key.org_id, key.account_id), joined("invoice", padded(key.ordinal))


def unpaid_key(key: InvoiceKey) -> Key:
    return account_pk(key.org_id, key.account_id), joined("unpaid", padded(key.ordinal))


def totals_key(org_id: str, account_id: str) -> Key:
    return account_pk(org_id, account_id), joined("unpaid", "totals")


def unpaid_in(currency: str) -> str:
    """Return the attribute of the totals that sums up what is unpaid in a currency."""
    return f"unpaid_{currency}"


def credit_in(currency: str) -> str:
    """Return the attribute of the totals that sums up what is owed to the customer."""
    return f"credit_{currency}"


def document_key(key: InvoiceKey) -> Key:
    return invoice_pk(key), "document"


def pdf_key(key: InvoiceKey) -> Key:
    return invoice_pk(key), "pdf"


def creditable_keys(key: InvoiceKey) -> tuple[Key, Key, Key]:
    """Return the keys of the items that say what is left of an invoice to be credited."""
    return summary_key(key), document_key(key), _credits_key(key)


def invoice_of_document(pk: str) -> InvoiceKey:
    """Return the invoice of a document's item, by its partition key, as the stream has it."""
    _, org_id, account_id, ordinal = pk.split(SEPARATOR)
    return InvoiceKey(org_id, account_id, int(ordinal))


def _credits_key(key: InvoiceKey) -> Key:
    return invoice_pk(key), "credits"


# ---------------------------------------------------------------- shapes


def issued_item(summary: InvoiceSummary, previous_hash: str) -> dict[str, Any]:
    """Write the head of a new document in one attribute, as it never changes; and the rest."""
    head = {
        "number": summary.number,
        "hash": summary.hash,
        "kind": summary.kind.value,
        "issued_at": instant(summary.issued_at),
        "issue_date": summary.issue_date.isoformat(),
        "due_date": summary.due_date.isoformat(),
        "time_zone": summary.time_zone,
        "currency": summary.gross.currency,
        "net": summary.net.minor,
        "gross": summary.gross.minor,
        "delivery_mode": summary.delivery_mode.value,
        "cycle": period_record(summary.cycle),
        **({"is_correction": summary.is_correction} if summary.is_credit else {}),
    }
    return {
        "ordinal": {"N": str(summary.key.ordinal)},
        "description": {"S": summary.description},
        "head": {"S": to_json(head)},
        "paid": {"N": str(summary.settlement.paid.minor)},
        "credited": {"N": str(summary.settlement.credited.minor)},
        "paid_at": paid_at(summary.settlement),
        "before": {"B": bytes.fromhex(previous_hash)},
    }


def previous_hash_of(item: Item) -> str | None:
    """Read the hash before a document; None where release 1.0.0 wrote it, which kept none here."""
    return bytes_of(item, "before").hex() if "before" in item else None


def paid_at(settlement: Settlement) -> Mapping[str, Any]:
    at = settlement.paid_at
    return {"S": instant(at)} if at else {"NULL": True}


def to_summary(key: InvoiceKey, item: Item) -> InvoiceSummary:
    head = orjson.loads(item["head"]["S"])
    currency = head["currency"]
    at = item["paid_at"].get("S")
    return InvoiceSummary(
        key=key,
        number=head["number"],
        hash=head["hash"],
        kind=InvoiceKind(head["kind"]),
        issued_at=to_instant(head["issued_at"]),
        issue_date=date.fromisoformat(head["issue_date"]),
        due_date=date.fromisoformat(head["due_date"]),
        time_zone=head["time_zone"],
        description=item["description"]["S"],
        net=Money(head["net"], currency),
        gross=Money(head["gross"], currency),
        delivery_mode=DeliveryMode(head["delivery_mode"]),
        cycle=to_period(head["cycle"]),
        settlement=Settlement(
            paid=Money(int_of(item, "paid"), currency),
            credited=Money(int_of(item, "credited"), currency),
            paid_out=Money(int_of(item, "paid_out"), currency),
            paid_at=to_instant(at) if at else None,
            version=int_of(item, "settlements"),
        ),
        is_correction=head.get("is_correction") if head["kind"] == "CREDIT_NOTE" else False,
    )


def put_unpaid(table: str, summary: InvoiceSummary, lane: str = LANE.letter) -> dict[str, Any]:
    """Write, within a transaction, that something of an invoice is owed."""
    return put(
        table,
        unpaid_key(summary.key),
        {"description": {"S": summary.description}, **place_in_owed(summary, lane)},
    )


def place_in_owed(summary: InvoiceSummary, lane: str = LANE.letter) -> dict[str, Any]:
    """
    Return the attributes that list an invoice among all unpaid ones: by when it is overdue.

    It may be listed in any lane of the org: in lane A where the account's is not known.
    """
    key = summary.key
    due = joined(overdue_since(summary.overdue_from), key.account_id, padded(key.ordinal))
    return {"org": {"S": lane_of(key.org_id, lane)}, "due": {"S": due}}


def overdue_since(at: datetime) -> str:
    """Write an instant in whole seconds, so that it sorts."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def document_item(record: InvoiceRecord) -> dict[str, Any]:
    """Write a record and its personal part, one a line: compressed together they take less."""
    lines = [record.record] if record.personal is None else [record.record, record.personal]
    return {"record": {"B": zlib.compress(b"\n".join(lines))}}


def to_record(item: Item) -> InvoiceRecord:
    record, _, personal = zlib.decompress(bytes_of(item, "record")).partition(b"\n")
    return InvoiceRecord(record, personal or None)


def to_pdf(item: Item | None) -> StoredDocument | None:
    return StoredDocument(item["object_key"]["S"], item["sha256"]["S"]) if item else None


def to_creditable(key: InvoiceKey, found: Mapping[Key, Item]) -> Creditable:
    """Read what is left of an invoice, from the items of creditable_keys()."""
    summary, document, credits_ = creditable_keys(key)
    invoice = read_record(to_record(found[document]))
    item = found.get(credits_, {})

    def nets(name: str) -> Nets:
        lines = orjson.loads(item[name]["S"]) if name in item else {}
        return {int(number): Money(net, invoice.currency) for number, net in lines.items()}

    return Creditable(
        invoice=invoice,
        summary=to_summary(key, found[summary]),
        credited=nets("credited"),
        reserved=nets("reserved"),
        version=int_of(item, "version"),
        corrections=tuple(
            Correction(*each) for each in orjson.loads(item.get("corrected_by", {}).get("S", "[]"))
        ),
    )


def put_credits(table: str, after: Creditable) -> dict[str, Any]:
    """Write what is credited and reserved of an invoice, as long as nobody else changed it."""
    corrections = [[each.ordinal, each.number] for each in after.corrections]
    return put(
        table,
        _credits_key(after.invoice.key),
        {
            "credited": {"S": _nets(after.credited)},
            "reserved": {"S": _nets(after.reserved)},
            "corrected_by": {"S": to_json(corrections)},
            "version": {"N": str(after.version + 1)},
        },
        expected={"version": after.version} if after.version else None,
    )


def _nets(nets: Nets) -> str:
    return to_json({str(number): net.minor for number, net in nets.items()})
