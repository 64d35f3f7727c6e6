"""
Records: value objects as plain JSON, the form in which tables keep them and hashes are taken.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from billing.domain.parties import (
    Account,
    Address,
    DeliveryMode,
    ElectronicAddress,
    FiscalRegime,
    Logo,
    Org,
    VatNumberStatus,
)
from billing.domain.periods import BillingPeriod, Moment, MomentPeriod
from billing.domain.tax import AskedAmount, Tax, TaxType, VatCategory

type Record = dict[str, Any]


def to_json(value: Any) -> str:
    """Write a record canonically: the same record gives the same text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def instant(value: datetime) -> str:
    """Write an instant in UTC, as RFC 3339 has it."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def org_record(org: Org) -> Record:
    return {**_said(org), "address": _said(org.address)}


def to_org(record: Record) -> Org:
    logo = record.get("logo")
    return Org(
        **{
            **known(Org, record),
            **_to_addresses(record),
            "logo": logo and Logo(**known(Logo, logo)),
            "fiscal_regime": FiscalRegime(record.get("fiscal_regime", "NONE")),
        }
    )


def account_record(account: Account) -> Record:
    return {**_said(account), "address": _said(account.address)}


def to_account(record: Record) -> Account:
    return Account(
        **{
            **known(Account, record),
            **_to_addresses(record),
            "delivery_mode": DeliveryMode(record["delivery_mode"]),
            "vat_number_status": VatNumberStatus(record.get("vat_number_status", "unchecked")),
        }
    )


def _said(value: Org | Account | Address) -> Record:
    """Write what differs from the defaults: all documents hold the profiles, which have many."""
    kind: type = type(value)
    said = {name: getattr(value, name) for name in _fields(kind)}
    return {
        name: asdict(part) if isinstance(part, ElectronicAddress | Logo) else part
        for name, part in said.items()
        if part != _fields(kind)[name]
    }


def _to_addresses(record: Record) -> Record:
    """Read the addresses of a party; version 1.0 knew no electronic one."""
    electronic = record.get("electronic_address")
    return {
        "address": Address(**known(Address, record["address"])),
        "electronic_address": electronic
        and ElectronicAddress(**known(ElectronicAddress, electronic)),
    }


def known(kind: type, record: Mapping[str, Any]) -> Record:
    """
    Return the fields of a record that this version knows.

    While a new version takes over, and after it was taken back, the old one reads what it wrote.
    """
    names = _fields(kind)
    return {name: value for name, value in record.items() if name in names}


@cache
def _fields(kind: type) -> Mapping[str, Any]:
    """Return the fields of a kind of value, and their defaults."""
    return {each.name: each.default for each in fields(kind)}


def period_record(period: BillingPeriod) -> Record:
    return {"start": instant(period.start), "end": instant(period.end)}


def to_period(record: Record) -> BillingPeriod:
    return BillingPeriod(to_instant(record["start"]), to_instant(record["end"]))


def tax_record(tax: Tax) -> Record:
    more = {
        "category": tax.category and tax.category.value,
        "ground": tax.ground,
        "reason": tax.reason,
        "place": tax.place,
        "vat_id": tax.vat_id,
    }
    return {
        "type": tax.type.value,
        "percentage": str(tax.percentage),
        **{name: value for name, value in more.items() if value is not None},
    }


def to_tax(record: Record) -> Tax:
    """Read a tax; version 1.0 kept its kind and rate only."""
    category = record.get("category")
    return Tax(
        type=TaxType(record["type"]),
        percentage=Decimal(record["percentage"]),
        category=VatCategory(category) if category else None,
        ground=record.get("ground"),
        reason=record.get("reason"),
        place=record.get("place"),
        vat_id=record.get("vat_id"),
    )


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
