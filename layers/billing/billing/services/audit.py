"""Verify what is kept: numbers without gaps, an unbroken chain, totals and refunds that add up."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from billing.domain.invoices import ChainLink, InvoiceKey, StoredPdf, Stretch, invoice_hash
from billing.domain.money import Money
from billing.domain.movements import Movement
from billing.domain.refunds import Refund


class Invoices(Protocol):
    def list_series(self, org_id: str) -> list[tuple[str, int]]: ...

    def list_numbers(
        self, org_id: str, series: str, *, after: int, last: int
    ) -> Iterable[ChainLink]: ...


class Pdfs(Protocol):
    def find(self, key: InvoiceKey) -> StoredPdf | None: ...

    def read(self, pdf: StoredPdf) -> bytes | None: ...


def audit_invoices(
    org_id: str, *, invoices: Invoices, pdfs: Pdfs | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Verify each number of each series of an org; tell it, with what is wrong about it."""
    for stretch in stretches(org_id, invoices):
        for left, faults in audit_stretch(stretch, invoices=invoices, pdfs=pdfs):
            yield left.number, faults


def stretches(org_id: str, invoices: Invoices) -> Iterator[Stretch]:
    """Tell what there is to verify of an org now: each of its series, whole."""
    for series, last in invoices.list_series(org_id):
        yield Stretch(org_id, series, last)


def audit_stretch(
    stretch: Stretch, *, invoices: Invoices, pdfs: Pdfs | None = None
) -> Iterator[tuple[Stretch, list[str]]]:
    """Verify one number after the other; tell what is left then, and what was wrong about it."""
    found = stretch.sequence
    for link in invoices.list_numbers(
        stretch.org_id, stretch.series, after=stretch.sequence, last=stretch.last
    ):
        before, stretch = stretch, replace(stretch, sequence=link.sequence, hash=link.hash)
        faults = [
            f"{replace(stretch, sequence=missing).number} is missing"
            for missing in range(before.sequence + 1, link.sequence)
        ]
        faults += _faults(link, stretch.number, before.hash)
        if pdfs is not None:
            faults += _pdf_faults(link.key, pdfs)
        found = link.sequence
        yield stretch, faults
    if found < stretch.last:
        said = f"the series counts {stretch.last} numbers, {found} found"
        yield replace(stretch, sequence=stretch.last), [said]


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
