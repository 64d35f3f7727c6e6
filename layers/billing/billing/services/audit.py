"""Verify what is kept: numbers without gaps, an unbroken chain, totals and refunds that add up."""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Protocol

from billing.domain.invoices import ChainLink, InvoiceKey, StoredPdf, invoice_hash
from billing.domain.money import Money
from billing.domain.movements import Movement
from billing.domain.refunds import Refund


class Invoices(Protocol):
    def list_series(self, org_id: str) -> list[tuple[str, int]]: ...

    def list_numbers(self, org_id: str, series: str) -> Iterable[ChainLink]: ...


class Pdfs(Protocol):
    def find(self, key: InvoiceKey) -> StoredPdf | None: ...

    def read(self, pdf: StoredPdf) -> bytes | None: ...


def audit_invoices(
    org_id: str, *, invoices: Invoices, pdfs: Pdfs | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Verify each number of each series of an org; tell it, with what is wrong about it."""
    for series, last in invoices.list_series(org_id):
        expected, previous = 1, ""
        for link in invoices.list_numbers(org_id, series):
            number = f"{series}-{link.sequence:06}"
            faults = [
                f"{series}-{missing:06} is missing" for missing in range(expected, link.sequence)
            ]
            faults += _faults(link, number, previous)
            if pdfs is not None:
                faults += _pdf_faults(link.key, pdfs)
            yield number, faults
            expected, previous = link.sequence + 1, link.hash
        if expected != last + 1:
            yield f"{series}-{last:06}", [f"the series counts {last} numbers, {expected - 1} found"]


def audit_refunds(movement: Movement, refunds: Iterable[Refund]) -> list[str]:
    """Verify what a movement says of its refunds; tell what is wrong."""
    faults, given_back = [], Money.zero(movement.currency)
    for refund in refunds:
        given_back += refund.amount.gross
    if given_back != movement.refunded:
        faults.append(f"{movement.refunded} are noted as refunded, its refunds are {given_back}")
    if movement.amount.gross < given_back:
        faults.append(f"its refunds are {given_back}, it has only {movement.amount.gross}")
    return faults


def _faults(link: ChainLink, number: str, previous: str) -> Iterator[str]:
    if link.record is None:
        yield "its record is missing"
        return
    if link.previous_hash != previous:
        yield "it does not follow the hash before it"
    if invoice_hash(link.record, link.previous_hash) != link.hash:
        yield "its record was changed after it was issued"
    record = json.loads(link.record)
    if record["number"] != number:
        yield f"its record says {record['number']}"
    nets: dict[str, int] = {}
    for line in record["lines"]:
        tax = json.dumps(line["tax"], sort_keys=True)
        nets[tax] = nets.get(tax, 0) + line["net"]
    if nets != {
        json.dumps(total["tax"], sort_keys=True): total["net"] for total in record["taxes"]
    }:
        yield "its totals are not those of its lines"


def _pdf_faults(key: InvoiceKey, pdfs: Pdfs) -> Iterator[str]:
    """Compare a PDF with its hash; one that was not made yet can still be made."""
    stored = pdfs.find(key)
    if stored is None:
        return
    content = pdfs.read(stored)
    if content is None:
        yield "its PDF is missing"
    elif sha256(content).hexdigest() != stored.sha256:
        yield "its PDF was changed after it was stored"
