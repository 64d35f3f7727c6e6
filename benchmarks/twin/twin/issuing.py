"""Invoices that are issued, paid and credited: read what there is, decide, write all or nothing."""

import calendar
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from .models import CreditNoteRequest, InvoiceLineRequest, InvoiceRequest, PaymentRequest
from .rows import head_of, midnight, remaining
from .store import (
    NEW,
    Item,
    Key,
    Write,
    account_of,
    at,
    get,
    get_all,
    put,
    to_json,
    transact,
    update,
)
from .web import External, RefusedError, required

TAXES = {"ES": Decimal(21)}
"""The percentage where a line names none, by the account's country."""
SIGNS = {"EUR": "€"}

type Done = tuple[str, bool]


def issue(request: InvoiceRequest, org_id: str, account_id: str, now: datetime) -> Done:
    external = External(org_id, "invoice", request.external_invoice_unique_id, request, account_id)
    profile = get_profile(org_id, account_id)
    prefix = profile["org"]["invoice_series"]
    ends, found = get_ends(org_id, account_id, prefix, now, external.key)
    if made := external.replayed(found):
        return made, True
    default = TAXES[profile["account"]["country"]]
    items = [to_item(line, default) for line in request.lines]
    write = document(ends, request.description, items, profile, now, unpaid=1)
    transact(*write, external.take(str(ends.ordinal)))
    return str(ends.ordinal), False


def pay(request: PaymentRequest, org_id: str, account_id: str, ordinal: int) -> Done:
    external = External(
        org_id, "payment", request.external_payment_unique_id, request, account_id, str(ordinal)
    )
    account, payment_id = account_of(org_id, account_id), uuid4().hex
    row = account, at("invoice", ordinal)
    found = get_all(row, external.key)
    item = required(found.get(row))
    if made := external.replayed(found):
        return made, True
    amount, owed = cents(request.amount), remaining(item, head_of(item))
    if amount > owed:
        raise RefusedError(409, f"The invoice has {owed} cents left to pay.")
    kept = {"amount": amount, "paid_at": request.paid_datetime.isoformat()}
    transact(
        *settle(row, item, amount, 0, kept["paid_at"]),
        put((account, f"payment#{payment_id}"), {**kept, "method": request.method or ""}),
        external.take(payment_id),
    )
    return payment_id, False


def credit(
    request: CreditNoteRequest, org_id: str, account_id: str, ordinal: int, now: datetime
) -> Done:
    """Credit all of an invoice, by a document with its lines turned."""
    external = External(
        org_id, "credit", request.external_credit_note_unique_id, request, account_id, str(ordinal)
    )
    account = account_of(org_id, account_id)
    row, details = (account, at("invoice", ordinal)), (account, at("details", ordinal))
    profile = get_profile(org_id, account_id)
    prefix = profile["org"]["credit_series"]
    ends, found = get_ends(org_id, account_id, prefix, now, external.key, row, details)
    original = required(found.get(row))
    if made := external.replayed(found):
        return made, True
    gross = head_of(original)["gross"]
    if gross <= 0 or original["credited"]:
        raise RefusedError(409, "There is nothing to credit.")
    items = [turned(item) for item in json.loads(found[details]["details"])["items"]]
    unpaid = -1 if remaining(original, head_of(original)) else 0
    transact(
        *document(ends, request.description, items, profile, now, unpaid, is_credit=1),
        *settle(row, original, 0, gross, counted=False),
        external.take(str(ends.ordinal)),
    )
    return str(ends.ordinal), False


# ---------------------------------------------------------------- what is written


class Ends:
    """What the next document follows."""

    def __init__(self, series: Key, totals: Key, found: dict[Key, Item]) -> None:
        last, counted = found.get(series, {}), found.get(totals, {})
        self.series, self.totals = series, totals
        self.last, self.hash = int(last.get("last_number", 0)), last.get("digest", "")
        self.ordinal = int(counted.get("invoices", 0)) + 1
        self.number = f"{series[1].removeprefix('series#')}-{self.last + 1:06}"


def get_profile(org_id: str, account_id: str) -> dict[str, Any]:
    item = required(get((account_of(org_id, account_id), "profile")))
    profile: dict[str, Any] = json.loads(item["profile"])
    return profile


def get_ends(
    org_id: str, account_id: str, prefix: str, now: datetime, *more: Key
) -> tuple[Ends, dict[Key, Item]]:
    """Read what the next document follows, and other items with it."""
    series = f"org#{org_id}", f"series#{prefix}{now.year}"
    totals = account_of(org_id, account_id), "totals"
    found = get_all(series, totals, *more)
    return Ends(series, totals, found), found


def document(
    ends: Ends,
    description: str,
    items: list[Item],
    profile: Item,
    now: datetime,
    unpaid: int,
    is_credit: int = 0,
) -> Iterator[Write]:
    """Write a document behind the last one, and how many more are unpaid from then on."""
    account, org = profile["account"], profile["org"]
    time_zone, ordinal = account["time_zone"], ends.ordinal
    today = now.astimezone(ZoneInfo(time_zone)).date()
    due = today if is_credit else today + timedelta(days=account["payment_term_days"])
    net, tax = totals_of(items)
    shared = {
        "invoiceNumber": ends.number,
        "currency": org["currency"],
        "currencySign": SIGNS[org["currency"]],
        "isCredit": is_credit,
    }
    details = {
        **shared,
        "id": ordinal,
        "clientNumber": account["id"],
        "creationDate": today.isoformat(),
        "dueDate": due.isoformat(),
        "paymentTerm": (due - today).days,
        "vatPercentage": max(item["vatPercentage"] for item in items),
        "vatAmount": str(tax),
        "amountIncVat": str(net + tax),
        "amountExclVat": str(net),
        "items": items,
        "clientDetails": client(account),
        "companyDetails": company(org),
    }
    digest = sha256((ends.hash + to_json(details)).encode()).hexdigest()
    head = {
        **shared,
        "invoiceHash": digest,
        "creationDate": int(now.timestamp()),
        "issue_date": today.isoformat(),
        "due_date": due.isoformat(),
        "time_zone": time_zone,
        "net": net,
        "gross": net + tax,
        "delivery_mode": account["delivery_mode"],
        "cycle": cycle(account["billing_day"], today, time_zone),
    }
    account_at, org_at = ends.totals[0], ends.series[0]
    before = {":before": ends.last} if ends.last else {}
    yield update(
        ends.series,
        "SET last_number = :next, digest = :digest",
        {":next": ends.last + 1, ":digest": digest, **before},
        "last_number = :before" if before else NEW,
    )
    before = {":before": ordinal - 1} if ordinal > 1 else {}
    yield update(
        ends.totals,
        "SET invoices = :next ADD unpaid :more",
        {":next": ordinal, ":more": unpaid, **before},
        "invoices = :before" if before else NEW,
    )
    yield update(
        (account_at, f"day#{today}"),
        "SET oldest = if_not_exists(oldest, :ordinal), newest = :ordinal",
        {":ordinal": ordinal},
    )
    number = {"account_id": account["id"], "ordinal": ordinal}
    yield put((org_at.replace("org", "number", 1), ends.number), number)
    row: Item = {
        "account": account_at,
        "ordinal": ordinal,
        "description": description,
        "head": to_json(head),
        "paid": 0,
        "credited": 0,
        "paid_at": "",
    }
    yield put(
        (account_at, at("invoice", ordinal)), row if is_credit else {**row, "unpaid_of": account_at}
    )
    details["invoiceHash"] = digest
    yield put((account_at, at("details", ordinal)), {"details": to_json(details)})


def settle(
    row: Key, item: Item, paid: int, credited: int, paid_at: str = "", *, counted: bool = True
) -> Iterator[Write]:
    """
    Add to what was paid and credited of an invoice; a settled one leaves the unpaid.

    It was paid at the time of its latest payment.
    """
    owed = remaining(item, head_of(item))
    closes = 0 < owed <= paid + credited
    values = {
        ":paid_at": max(item["paid_at"], paid_at),
        ":paid": item["paid"] + paid,
        ":credited": item["credited"] + credited,
        ":paid_before": item["paid"],
        ":credited_before": item["credited"],
    }
    yield update(
        row,
        "SET paid = :paid, credited = :credited, paid_at = :paid_at"
        + (" REMOVE unpaid_of" if closes else ""),
        values,
        "paid = :paid_before AND credited = :credited_before",
    )
    if closes and counted:
        yield update((row[0], "totals"), "ADD unpaid :less", {":less": -1})


# ---------------------------------------------------------------- amounts, days, names


def cents(amount: Decimal) -> int:
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP))


def to_item(line: InvoiceLineRequest, default: Decimal) -> Item:
    percentage = line.tax.percentage if line.tax else default
    net = cents(line.quantity * line.unit_price + line.setup_costs)
    whole = line.quantity == line.quantity.to_integral_value()
    price = cents(line.unit_price) if whole else net - cents(line.setup_costs)
    vat = cents(net * percentage / 10_000)
    return {
        "orderId": line.order_id or "",
        "description": line.description,
        "periodFrom": line.period_start.isoformat() if line.period_start else "",
        "periodTo": line.period_end.isoformat() if line.period_end else "",
        "remarks": line.remarks or "",
        "quantity": int(line.quantity) if whole else 1,
        "setupCosts": str(cents(line.setup_costs)),
        "unitPrice": str(price),
        "vatPercentage": int(percentage.to_integral_value(ROUND_HALF_UP)),
        "vatAmount": str(vat),
        "amountIncVat": str(net + vat),
        "amountExclVat": str(net),
    }


def turned(item: Item) -> Item:
    amounts = ("setupCosts", "unitPrice", "vatAmount", "amountIncVat", "amountExclVat")
    return {**item, **{name: str(-int(item[name])) for name in amounts}}


def totals_of(items: list[Item]) -> tuple[int, int]:
    """Add up the lines: tax is computed once for each percentage."""
    nets: dict[int, int] = {}
    for item in items:
        percentage = item["vatPercentage"]
        nets[percentage] = nets.get(percentage, 0) + int(item["amountExclVat"])
    tax = sum(cents(Decimal(net * percentage) / 10_000) for percentage, net in nets.items())
    return sum(nets.values()), tax


def cycle(billing_day: int, today: date, time_zone: str) -> dict[str, str]:
    """Find the month between two billing days that a day is in."""

    def anchor(months: int) -> date:
        year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
        return date(year, month + 1, min(billing_day, calendar.monthrange(year, month + 1)[1]))

    begins = 0 if anchor(0) <= today else -1
    return {
        name: midnight(anchor(months).isoformat(), time_zone).isoformat()
        for name, months in (("start_date", begins), ("end_date", begins + 1))
    }


def client(account: Item) -> Item:
    return {
        "fullName": account["name"],
        "companyName": account.get("company_name", ""),
        "vatNumber": account["tax_id"],
        **party(account),
    }


def company(org: Item) -> Item:
    return {"name": org["legal_name"], "phone": org["phone"], "url": org["url"], **party(org)}


def party(profile: Item) -> Item:
    address = profile["address"]
    return {
        "email": profile["email"],
        "address": address["street"],
        "zip": address["postal_code"],
        "city": address["city"],
        "country": address["country"],
        "iban": profile.get("iban", ""),
        "bic": profile.get("bic", ""),
    }
