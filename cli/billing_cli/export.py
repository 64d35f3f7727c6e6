"""Invoices as rows, for spreadsheets and ledgers."""

import csv
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from itertools import batched
from typing import IO, Any

from billing import clock
from billing.domain.invoices import InvoiceSummary, IssuedInvoice, Line
from billing.persistence.chains import ChainRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.org_time import get_clock

type Row = dict[str, Any]

AT_ONCE = 16
FIELDS = (
    "number", "kind", "issue_date", "due_date", "account_id", "name", "company_name", "tax_id",
    "country", "description", "currency", "net", "tax", "gross", "paid", "credited", "remaining",
    "status", "corrects", "hash",
)  # fmt: skip
AMOUNTS = {"net", "tax", "gross", "paid", "credited", "remaining"}
BYTE_ORDER_MARK = "\ufeff"
"""By which spreadsheets know UTF-8."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, also in full width, by OWASP's page on CSV injection."""


def rows(org_id: str, start: date | None, end: date | None) -> Iterator[Row | None]:
    """Read all documents of an org in the order of their numbers; None for one out of range."""
    invoices, now = InvoiceRepository(), get_clock(org_id).now or clock.now()
    keys = ChainRepository().list_keys(org_id)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for batch in batched(keys, 10 * AT_ONCE, strict=False):
            for invoice, summary in pool.map(invoices.get, batch):
                outside = (start and invoice.issue_date < start) or (
                    end and invoice.issue_date > end
                )
                yield None if outside else _row(invoice, summary, now)


def write_csv(found: Iterable[Row | None], delimiter: str, output: IO[str]) -> None:
    """Write rows for spreadsheets."""
    output.write(BYTE_ORDER_MARK)
    table = csv.writer(output, delimiter=delimiter, lineterminator="\n")
    table.writerow(FIELDS)
    for row in found:
        if row is not None:
            table.writerow(row[name] if name in AMOUNTS else _text(row[name]) for name in FIELDS)


def write_jsonl(found: Iterable[Row | None], output: IO[str]) -> None:
    """Write a line of JSON for each row, with the lines of its invoice."""
    for row in found:
        if row is not None:
            output.write(json.dumps(row, ensure_ascii=False) + "\n")


def _text(value: str | None) -> str | None:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{value}" if value and value.startswith(FORMULA) else value


def _row(invoice: IssuedInvoice, summary: InvoiceSummary, now: datetime) -> Row:
    buyer, settlement = invoice.buyer, summary.settlement
    return {
        "number": invoice.number,
        "kind": invoice.kind.value,
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "account_id": buyer.id,
        "name": buyer.name,
        "company_name": buyer.company_name,
        "tax_id": buyer.tax_id,
        "country": buyer.country,
        "description": invoice.description,
        "currency": invoice.currency,
        "net": str(invoice.net.major),
        "tax": str(invoice.tax.major),
        "gross": str(invoice.gross.major),
        "paid": str(settlement.paid.major),
        "credited": str(settlement.credited.major),
        "remaining": str(summary.remaining.major),
        "status": summary.status(now).name,
        "corrects": invoice.corrects and invoice.corrects.number,
        "hash": summary.hash,
        "lines": [_line(line) for line in invoice.lines],
    }


def _line(line: Line) -> Row:
    return {
        "description": line.description,
        "quantity": str(line.quantity),
        "unit_price": str(line.unit_price),
        "setup_costs": str(line.setup_costs.major),
        "net": str(line.net.major),
        "tax_type": line.tax.type.value,
        "tax_percentage": str(line.tax.percentage),
        "period_start": line.period and line.period.start.isoformat(),
        "period_end": line.period and line.period.end.isoformat(),
        "order_id": line.order_id,
        "subscription_id": line.subscription_id,
    }
