"""
The record of an issued document: what its hash is taken of, and what can be erased.

The record is canonical JSON and never changes. What is personal in it (names, address, e-mail,
bank account, the tax id of a natural person, references, descriptions, remarks and order ids, which
hold phone numbers) stands beside it, with a random salt, and the record holds only the SHA-256 of
that. So the personal part can be erased after the legal term, and the hash chain still verifies.
"""

import json
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from hashlib import sha256

from billing.domain.exchange_rates import Conversion
from billing.domain.invoices import (
    CorrectedInvoice,
    FiscalSummary,
    InvoiceKey,
    InvoiceKind,
    IssuedInvoice,
    Line,
    LinePeriod,
)
from billing.domain.money import Money
from billing.domain.parties import Account, FiscalService
from billing.domain.records import (
    Record,
    account_record,
    instant,
    org_record,
    period_record,
    tax_record,
    to_account,
    to_instant,
    to_json,
    to_org,
    to_period,
    to_tax,
)
from billing.domain.tax import Tax, TaxTotal, VatCategory
from billing.domain.tax_ids import vat_id
from billing.domain.vat import treated_by_version_1_0

SCHEMA = 2
"""The version of the record's form; a change of the form is a new version."""

_PERSONAL = (
    "name",
    "company_name",
    "tax_id",
    "email",
    "address",
    "iban",
    "bic",
    "buyer_reference",
    "electronic_address",
)
"""Fields of the buyer that are personal; a tax id only where it names a natural person."""


@dataclass(frozen=True, slots=True)
class InvoiceRecord:
    """A document as it is kept; `personal` is None once it was erased."""

    record: bytes
    personal: bytes | None

    def hash(self, previous: str) -> str:
        """Return the SHA-256, in hex, over the record and the hash of the document before it."""
        return sha256(self.record + previous.encode()).hexdigest()

    @property
    def is_intact(self) -> bool:
        """Return whether the personal part is the one that was issued, or was erased."""
        said = json.loads(self.record)["personal_hash"]
        return self.personal is None or sha256(self.personal).hexdigest() == said


def write_record(invoice: IssuedInvoice, salt: str) -> InvoiceRecord:
    """Write a document as a record; amounts are minor units of its currency."""
    buyer = account_record(invoice.buyer)
    is_company = bool(invoice.buyer.company_name)
    personal: Record = {
        "salt": salt,
        "description": invoice.description,
        "buyer": {
            name: buyer.pop(name)
            for name in _PERSONAL
            if name in buyer and (name != "tax_id" or not is_company)
        },
        "lines": [
            [line.description, line.order_id, line.remarks, line.subscription_id]
            for line in invoice.lines
        ],
    }
    beside = to_json(personal).encode()
    corrects = invoice.corrects
    record = {
        "schema": SCHEMA,
        "org_id": invoice.key.org_id,
        "account_id": invoice.key.account_id,
        "ordinal": invoice.key.ordinal,
        "number": invoice.number,
        "kind": invoice.kind.value,
        "issued_at": instant(invoice.issued_at),
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "currency": invoice.currency,
        "seller": org_record(invoice.seller),
        "buyer": buyer,
        "cycle": period_record(invoice.cycle),
        "lines": [_line_record(line) for line in invoice.lines],
        "taxes": [
            {
                "tax": _treatment_record(total.tax),
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
        "personal_hash": sha256(beside).hexdigest(),
    }
    if invoice.conversion:
        record["conversion"] = _conversion_record(invoice.conversion)
    if invoice.fiscal:
        fiscal = invoice.fiscal
        record["fiscal"] = {
            "type": fiscal.type,
            "total": str(fiscal.total),
            "service": fiscal.service.value,
        }
    return InvoiceRecord(to_json(record).encode(), beside)


def read_record(kept: InvoiceRecord) -> IssuedInvoice:
    """Read a document; where its personal part was erased, its texts are empty."""
    record: Record = json.loads(kept.record)
    currency, corrects = record["currency"], record["corrects"]
    personal: Record | None = json.loads(kept.personal) if kept.personal else None
    texts = personal["lines"] if personal else [["", None, None]] * len(record["lines"])
    seller, buyer = to_org(record["seller"]), _to_buyer(record, personal)

    def taxes_of(parts: list[Record]) -> list[Tax]:
        taxes = [_to_treatment(part["tax"], buyer) for part in parts]
        return treated_by_version_1_0(taxes, seller, buyer)

    return IssuedInvoice(
        key=InvoiceKey(record["org_id"], record["account_id"], record["ordinal"]),
        number=record["number"],
        kind=InvoiceKind(record["kind"]),
        issued_at=to_instant(record["issued_at"]),
        issue_date=date.fromisoformat(record["issue_date"]),
        due_date=date.fromisoformat(record["due_date"]),
        currency=currency,
        description=personal["description"] if personal else "",
        seller=seller,
        buyer=buyer,
        cycle=to_period(record["cycle"]),
        lines=tuple(
            _to_line(line, tax, currency, *text)
            for line, tax, text in zip(
                record["lines"], taxes_of(record["lines"]), texts, strict=True
            )
        ),
        taxes=tuple(
            TaxTotal(tax, Money(total["net"], currency), Money(total["amount"], currency))
            for total, tax in zip(record["taxes"], taxes_of(record["taxes"]), strict=True)
        ),
        corrects=corrects
        and CorrectedInvoice(
            corrects["ordinal"], corrects["number"], date.fromisoformat(corrects["issue_date"])
        ),
        conversion=_to_conversion(record.get("conversion")),
        fiscal=_to_fiscal(record.get("fiscal")),
        erased=personal is None,
    )


def _to_buyer(record: Record, personal: Record | None) -> Account:
    if personal:
        return to_account({**record["buyer"], **personal["buyer"]})
    country = record["buyer"]["country"]
    address = {"street": "", "postal_code": "", "city": "", "country": country}
    erased = {"name": "", "company_name": None, "email": "", "address": address}
    nothing = {"tax_id": None, "iban": None, "bic": None}
    return to_account({**erased, **nothing, **record["buyer"]})


def _conversion_record(conversion: Conversion) -> Record:
    return {
        "currency": conversion.tax.currency,
        "tax": conversion.tax.minor,
        "day": conversion.day.isoformat(),
        "foreign": str(conversion.foreign),
        "national": str(conversion.national),
    }


def _to_conversion(record: Record | None) -> Conversion | None:
    if record is None:
        return None
    return Conversion(
        tax=Money(record["tax"], record["currency"]),
        day=date.fromisoformat(record["day"]),
        foreign=Decimal(record["foreign"]),
        national=Decimal(record["national"]),
    )


def _to_fiscal(record: Record | None) -> FiscalSummary | None:
    if record is None:
        return None
    return FiscalSummary(record["type"], Decimal(record["total"]), FiscalService(record["service"]))


def _line_record(line: Line) -> Record:
    return {
        "quantity": str(line.quantity),
        "unit_price": str(line.unit_price),
        "setup_costs": line.setup_costs.minor,
        "tax": _treatment_record(line.tax),
        "net": line.net.minor,
        "period": line.period and [line.period.start.isoformat(), line.period.end.isoformat()],
        "movement_id": line.movement_id,
    }


def _treatment_record(tax: Tax) -> Record:
    """Write a treatment without the VAT id, which is the buyer's tax id."""
    return tax_record(replace(tax, vat_id=None) if tax.vat_id else tax)


def _to_treatment(record: Record, buyer: Account) -> Tax:
    tax = to_tax(record)
    if tax.category is not VatCategory.REVERSE_CHARGE or not (tax.place and buyer.tax_id):
        return tax
    return replace(tax, vat_id=vat_id(buyer.tax_id, tax.place[:2]))


def _to_line(
    record: Record,
    tax: Tax,
    currency: str,
    description: str,
    order_id: str | None,
    remarks: str | None,
    subscription_id: str | None = None,
) -> Line:
    """Read a line; version 1.0 wrote the id of a subscription as that of an order."""
    period = record["period"]
    return Line(
        description=description,
        quantity=Decimal(record["quantity"]),
        unit_price=Decimal(record["unit_price"]),
        setup_costs=Money(record["setup_costs"], currency),
        tax=tax,
        net=Money(record["net"], currency),
        period=period and LinePeriod(*map(date.fromisoformat, period)),
        order_id=order_id,
        remarks=remarks,
        movement_id=record["movement_id"],
        subscription_id=subscription_id,
    )
