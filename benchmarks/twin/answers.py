"""From the rows of the table to what is answered."""

import json
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing.domain.money import Money, currency_sign

from .models import (
    ClientDetails,
    CompanyDetails,
    Invoice,
    InvoiceCycle,
    InvoiceDetails,
    InvoiceInfoDetail,
    InvoiceItem,
    InvoiceStatus,
)

type Row = dict[str, Any]


def remaining(item: Row, head: Row) -> int:
    if head["kind"] == "CREDIT_NOTE":
        return 0
    return max(0, int(head["gross"]) - int(item["paid"]) - int(item["credited"]))


def payment_status(item: Row, owed: int) -> int:
    if not owed:
        return 1
    return 2 if item["paid"] else 0


def to_invoice(item: Row) -> Invoice:
    head = json.loads(item["head"])
    owed = remaining(item, head)
    return Invoice(
        id=str(item["ordinal"]),
        creationDate=seconds(head["issued_at"]),
        dueDate=int(midnight(head["due_date"], head["time_zone"]).timestamp()),
        invoiceNumber=head["number"],
        invoiceHash=head["hash"],
        description=item["description"],
        currency=head["currency"],
        currencySign=currency_sign(head["currency"]),
        amountIncVAT=str(head["gross"]),
        amountExclVAT=str(head["net"]),
        paymentStatus=payment_status(item, owed),
        paymentDate=seconds(item["settled_at"]),
        isCredit=int(head["kind"] == "CREDIT_NOTE"),
        remainingAmount=str(owed),
        totalPaidAmount=str(item["paid"]),
    )


def to_info(item: Row) -> InvoiceInfoDetail:
    head = json.loads(item["head"])
    owed = remaining(item, head)
    settled = {"pay_date": item["settled_at"]} if item["settled_at"] else {}
    return InvoiceInfoDetail(
        value=Money(head["gross"], head["currency"]).major,
        delivery_mode=head["delivery_mode"],
        date=midnight(head["issue_date"], head["time_zone"]),
        number=head["number"],
        path=f"/invoices/{head['issue_date'].replace('-', '')}/{head['number']}.pdf",
        status=to_status(item, head, owed),
        cycle=InvoiceCycle(
            start_date=head["cycle"]["start"],
            end_date=head["cycle"]["end"],
        ),
        **settled,
    )


def to_status(item: Row, head: Row, owed: int) -> InvoiceStatus:
    if item["credited"] and int(item["credited"]) == head["gross"]:
        return InvoiceStatus(id=4, value="ABONADO")
    if not owed:
        return InvoiceStatus(id=2, value="PAGADO")
    today = datetime.now(ZoneInfo(head["time_zone"])).date()
    if today > date.fromisoformat(head["due_date"]):
        return InvoiceStatus(id=3, value="IMPAGADO")
    return InvoiceStatus(id=1, value="PENDIENTE")


def to_details(record: Row, item: Row) -> InvoiceDetails:
    head = json.loads(item["head"])
    buyer, seller = record["buyer"], record["seller"]
    tax = sum(total["amount"] for total in record["taxes"])
    net = sum(total["net"] for total in record["taxes"])
    issued, due = date.fromisoformat(record["issue_date"]), date.fromisoformat(record["due_date"])
    return InvoiceDetails(
        id=record["ordinal"],
        invoiceNumber=record["number"],
        invoiceHash=head["hash"],
        clientNumber=buyer["id"],
        creationDate=record["issue_date"],
        dueDate=record["due_date"],
        paymentStatus=payment_status(item, remaining(item, head)),
        paymentDate=seconds(item["settled_at"]),
        isCredit=int(head["kind"] == "CREDIT_NOTE"),
        paymentTerm=(due - issued).days,
        currency=record["currency"],
        currencySign=currency_sign(record["currency"]),
        vatPercentage=max(whole(total["tax"]["percentage"]) for total in record["taxes"]),
        vatAmount=str(tax),
        amountIncVat=str(net + tax),
        amountExclVat=str(net),
        items=[to_item(line, record["currency"]) for line in record["lines"]],
        clientDetails=ClientDetails(
            fullName=buyer["name"],
            companyName=buyer["company_name"] or "",
            email=buyer["email"],
            address=buyer["address"]["street"],
            zip=buyer["address"]["postal_code"],
            city=buyer["address"]["city"],
            country=buyer["address"]["country"],
            vatNumber=buyer["tax_id"] or "",
            iban=buyer["iban"] or "",
            bic=buyer["bic"] or "",
        ),
        companyDetails=CompanyDetails(
            name=seller["legal_name"],
            address=seller["address"]["street"],
            zip=seller["address"]["postal_code"],
            city=seller["address"]["city"],
            country=seller["address"]["country"],
            phone=seller["phone"] or "",
            email=seller["email"],
            url=seller["url"] or "",
            iban=seller["iban"] or "",
            bic=seller["bic"] or "",
        ),
    )


def to_item(line: Row, currency: str) -> InvoiceItem:
    quantity = Decimal(line["quantity"])
    is_whole = quantity == quantity.to_integral_value()
    vat = int((line["net"] * Decimal(line["tax"]["percentage"]) / 100).quantize(1, ROUND_HALF_UP))
    price = (
        Money.rounded(Decimal(line["unit_price"]), currency).minor
        if is_whole
        else line["net"] - line["setup_costs"]
    )
    start, end = line["period"] or ("", "")
    return InvoiceItem(
        orderId=line["order_id"] or "",
        description=line["description"],
        periodFrom=start,
        periodTo=end,
        remarks=line["remarks"] or "",
        quantity=int(quantity) if is_whole else 1,
        setupCosts=str(line["setup_costs"]),
        unitPrice=str(price),
        vatPercentage=whole(line["tax"]["percentage"]),
        vatAmount=str(vat),
        amountIncVat=str(line["net"] + vat),
        amountExclVat=str(line["net"]),
    )


def midnight(day: str, time_zone: str) -> datetime:
    local = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(time_zone))
    return local.astimezone(UTC)


def seconds(instant: str | None) -> int:
    return int(datetime.fromisoformat(instant).timestamp()) if instant else 0


def whole(percentage: str) -> int:
    return int(Decimal(percentage).to_integral_value(ROUND_HALF_UP))
