"""
From the items of the table to what is answered.

What of a document never changes is one attribute of JSON, as that is read in less time than an
attribute for each; it is named as the API names it.
"""

import json
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from .models import Invoice, InvoiceCycle, InvoiceDetails, InvoiceInfoDetail, InvoiceStatus
from .store import Item


def head_of(item: Item) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(item["head"])
    return head


def remaining(item: Item, head: Item) -> int:
    if head["isCredit"]:
        return 0
    return max(0, int(head["gross"]) - int(item["paid"]) - int(item["credited"]))


def payment(item: Item, owed: int) -> dict[str, Any]:
    """Write what both forms of an invoice say of its payment."""
    status = 1 if not owed else 2 if item["paid"] else 0
    return {"paymentStatus": status, "paymentDate": seconds("" if owed else item["paid_at"])}


def to_invoice(item: Item) -> Invoice:
    head = head_of(item)
    owed = remaining(item, head)
    return Invoice(
        id=str(item["ordinal"]),
        creationDate=head["creationDate"],
        dueDate=int(midnight(head["due_date"], head["time_zone"]).timestamp()),
        invoiceNumber=head["invoiceNumber"],
        invoiceHash=head["invoiceHash"],
        description=item["description"],
        currency=head["currency"],
        currencySign=head["currencySign"],
        amountIncVAT=str(head["gross"]),
        amountExclVAT=str(head["net"]),
        isCredit=head["isCredit"],
        remainingAmount=str(owed),
        totalPaidAmount=str(item["paid"]),
        **payment(item, owed),
    )


def to_info(item: Item) -> InvoiceInfoDetail:
    head = head_of(item)
    is_paid = item["paid_at"] and not remaining(item, head)
    settled = {"pay_date": item["paid_at"]} if is_paid else {}
    return InvoiceInfoDetail(
        value=head["gross"] / 100,
        delivery_mode=head["delivery_mode"],
        date=midnight(head["issue_date"], head["time_zone"]),
        number=head["invoiceNumber"],
        path=f"/invoices/{head['issue_date'].replace('-', '')}/{head['invoiceNumber']}.pdf",
        status=to_status(item, head),
        cycle=InvoiceCycle(**head["cycle"]),
        **settled,
    )


def to_status(item: Item, head: Item) -> InvoiceStatus:
    if item["credited"] and item["credited"] == head["gross"]:
        return InvoiceStatus(id=4, value="ABONADO")
    if not remaining(item, head):
        return InvoiceStatus(id=2, value="PAGADO")
    today = datetime.now(ZoneInfo(head["time_zone"])).date()
    if today > date.fromisoformat(head["due_date"]):
        return InvoiceStatus(id=3, value="IMPAGADO")
    return InvoiceStatus(id=1, value="PENDIENTE")


def to_details(details: Item, item: Item) -> InvoiceDetails:
    head = head_of(item)
    return InvoiceDetails(**json.loads(details["details"]), **payment(item, remaining(item, head)))


def midnight(day: str, time_zone: str) -> datetime:
    local = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(time_zone))
    return local.astimezone(UTC)


def seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp()) if instant else 0
