"""Records: domain objects as JSON, the form in which tables keep them."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.domain.invoices import (
    CorrectedInvoice,
    InvoiceKey,
    InvoiceKind,
    IssuedInvoice,
    Line,
    LinePeriod,
)
from billing.domain.money import Money
from billing.domain.parties import Account, Address, DeliveryMode, Org
from billing.domain.periods import BillingPeriod, Moment, MomentPeriod
from billing.domain.tax import AskedAmount, Tax, TaxTotal, TaxType

type Record = dict[str, Any]


def instant(value: datetime) -> str:
    """Write an instant in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def org_record(org: Org) -> Record:
    return asdict(org)


def to_org(record: Record) -> Org:
    return Org(**{**record, "address": Address(**record["address"])})


def account_record(account: Account) -> Record:
    return asdict(account)


def to_account(record: Record) -> Account:
    return Account(
        **{
            **record,
            "address": Address(**record["address"]),
            "delivery_mode": DeliveryMode(record["delivery_mode"]),
        }
    )


def period_record(period: BillingPeriod) -> Record:
    return {"start": instant(period.start), "end": instant(period.end)}


def to_period(record: Record) -> BillingPeriod:
    return BillingPeriod(to_instant(record["start"]), to_instant(record["end"]))


def tax_record(tax: Tax) -> Record:
    return {"type": tax.type.value, "percentage": str(tax.percentage)}


def to_tax(record: Record) -> Tax:
    return Tax(TaxType(record["type"]), Decimal(record["percentage"]))


def moments_record(period: MomentPeriod | None) -> list[str] | None:
    """Write a period as the caller named it."""
    return [period.start.text, period.end.text] if period else None


def to_moments(record: list[str] | None) -> MomentPeriod | None:
    return MomentPeriod(*map(Moment.of, record)) if record else None


def asked_record(amount: AskedAmount) -> Record:
    """Write an amount as the caller named it, digit for digit."""
    return {
        "gross": str(amount.gross),
        "net": str(amount.net),
        "tax": amount.tax and tax_record(amount.tax),
        "currency": amount.currency,
    }


def to_asked(record: Record) -> AskedAmount:
    return AskedAmount(
        gross=Decimal(record["gross"]),
        net=Decimal(record["net"]),
        tax=record["tax"] and to_tax(record["tax"]),
        currency=record["currency"],
    )


def invoice_record(invoice: IssuedInvoice) -> Record:
    """Write an invoice down; amounts are minor units of its currency."""
    corrects = invoice.corrects
    return {
        "org_id": invoice.key.org_id,
        "account_id": invoice.key.account_id,
        "ordinal": invoice.key.ordinal,
        "number": invoice.number,
        "kind": invoice.kind.value,
        "issued_at": instant(invoice.issued_at),
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "currency": invoice.currency,
        "description": invoice.description,
        "seller": org_record(invoice.seller),
        "buyer": account_record(invoice.buyer),
        "cycle": period_record(invoice.cycle),
        "lines": [_line_record(line) for line in invoice.lines],
        "taxes": [
            {
                "tax": tax_record(total.tax),
                "net": total.net.minor,
                "amount": total.amount.minor,
            }
            for total in invoice.taxes
        ],
        "corrects": corrects
        and {
            "ordinal": corrects.ordinal,
            "number": corrects.number,
            "issue_date": corrects.issue_date.isoformat(),
        },
    }


def to_invoice(record: Record) -> IssuedInvoice:
    currency = record["currency"]
    corrects = record["corrects"]
    return IssuedInvoice(
        key=InvoiceKey(record["org_id"], record["account_id"], record["ordinal"]),
        number=record["number"],
        kind=InvoiceKind(record["kind"]),
        issued_at=to_instant(record["issued_at"]),
        issue_date=date.fromisoformat(record["issue_date"]),
        due_date=date.fromisoformat(record["due_date"]),
        currency=currency,
        description=record["description"],
        seller=to_org(record["seller"]),
        buyer=to_account(record["buyer"]),
        cycle=to_period(record["cycle"]),
        lines=tuple(_to_line(line, currency) for line in record["lines"]),
        taxes=tuple(
            TaxTotal(
                to_tax(total["tax"]),
                Money(total["net"], currency),
                Money(total["amount"], currency),
            )
            for total in record["taxes"]
        ),
        corrects=corrects
        and CorrectedInvoice(
            corrects["ordinal"], corrects["number"], date.fromisoformat(corrects["issue_date"])
        ),
    )


def _line_record(line: Line) -> Record:
    return {
        "description": line.description,
        "quantity": str(line.quantity),
        "unit_price": str(line.unit_price),
        "setup_costs": line.setup_costs.minor,
        "tax": tax_record(line.tax),
        "net": line.net.minor,
        "period": line.period and [line.period.start.isoformat(), line.period.end.isoformat()],
        "order_id": line.order_id,
        "remarks": line.remarks,
        "movement_id": line.movement_id,
    }


def _to_line(record: Record, currency: str) -> Line:
    period = record["period"]
    return Line(
        description=record["description"],
        quantity=Decimal(record["quantity"]),
        unit_price=Decimal(record["unit_price"]),
        setup_costs=Money(record["setup_costs"], currency),
        tax=to_tax(record["tax"]),
        net=Money(record["net"], currency),
        period=period and LinePeriod(*map(date.fromisoformat, period)),
        order_id=record["order_id"],
        remarks=record["remarks"],
        movement_id=record["movement_id"],
    )
