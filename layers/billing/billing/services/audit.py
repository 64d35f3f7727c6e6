"""Verify what is kept: numbers without gaps, unbroken chains, totals and refunds that add up."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

from billing.domain.chains import ChainLink, Stretch
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payment, Payout, StoredDocument
from billing.domain.money import Money
from billing.domain.movements import Movement
from billing.domain.numbering import ChainEnd, SeriesEnd, invoice_number
from billing.domain.records import to_tax
from billing.domain.refunds import Refund
from billing.domain.tax import Tax


class Chains(Protocol):
    def list_lanes(self, org_id: str) -> Mapping[str, ChainEnd]: ...

    def list_series(self, org_id: str) -> Mapping[str, SeriesEnd]: ...

    def list_links(
        self, org_id: str, lane: str, series: Mapping[str, SeriesEnd], after: Mapping[str, int]
    ) -> Iterable[ChainLink]: ...


class Pdfs(Protocol):
    def find(self, key: InvoiceKey) -> StoredDocument | None: ...

    def read(self, pdf: StoredDocument) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Audited:
    """A document that was verified, what is wrong about it, and what is left of its lane."""

    number: str
    faults: list[str]
    erased: bool
    left: Stretch


def audit_invoices(org_id: str, *, chains: Chains, pdfs: Pdfs | None = None) -> Iterator[Audited]:
    """Verify each document of an org, lane by lane, in the order of the chain."""
    for stretch in stretches(org_id, chains):
        yield from audit_stretch(stretch, chains=chains, pdfs=pdfs)


def stretches(org_id: str, chains: Chains) -> Iterator[Stretch]:
    """Return what there is to verify of an org now: each of its lanes, whole."""
    for lane, end in chains.list_lanes(org_id).items():
        yield Stretch(org_id, lane, end.position, end.hash)


def audit_stretch(
    stretch: Stretch, *, chains: Chains, pdfs: Pdfs | None = None
) -> Iterator[Audited]:
    """Verify one document of a lane after the other."""
    left = stretch
    series = chains.list_series(stretch.org_id)
    kinds = {name: end.kind.value for name, end in series.items()}
    for link in chains.list_links(stretch.org_id, stretch.lane, series, stretch.sequences):
        if left.position >= left.last:
            return  # it was issued meanwhile
        before = left
        left = replace(
            left,
            position=link.position,
            hash=link.hash,
            sequences={**left.sequences, link.series: link.sequence},
        )
        faults = [
            f"{invoice_number(link.series, missing)} is missing"
            for missing in range(before.sequences.get(link.series, 0) + 1, link.sequence)
        ]
        if not faults and link.position != before.position + 1:
            faults.append(
                f"it is document {link.position} of its lane, and follows {before.position}"
            )
        faults += _faults(link, before.hash, kinds)
        if pdfs is not None and not link.erased:
            faults += _pdf_faults(link.key, pdfs)
        yield Audited(link.number, faults, link.erased, left)
    if left.position < left.last:
        said = f"the lane counts {left.last} documents, {left.position} were found"
        number = f"lane {left.lane}"
        yield Audited(number, [said], False, replace(left, position=left.last))
    elif left.hash != left.last_hash:
        said = "the last hash of the lane is not that of its last document"
        yield Audited(f"lane {left.lane}", [said], False, left)


def audit_refunds(movement: Movement, refunds: Iterable[Refund]) -> list[str]:
    """Verify the refunded amount of a movement; return what is wrong."""
    faults, given_back = [], Money.zero(movement.currency)
    for refund in refunds:
        given_back += refund.amount.gross
    if given_back != movement.refunded:
        faults.append(f"{movement.refunded} are noted as refunded, its refunds are {given_back}")
    if movement.amount.gross < given_back:
        faults.append(f"its refunds are {given_back}, it has only {movement.amount.gross}")
    return faults


def audit_settlement(
    summary: InvoiceSummary, payments: Iterable[Payment], payouts: Iterable[Payout]
) -> list[str]:
    """Verify what a document says was paid of it and paid out; return what is wrong."""
    faults, settlement = [], summary.settlement
    counted = [each for each in payments if not each.reversal]
    paid = sum((each.amount for each in counted), Money.zero(summary.gross.currency))
    returned = sum((each.amount for each in payouts), Money.zero(summary.gross.currency))
    if settlement.paid != paid:
        faults.append(f"{settlement.paid} are noted as paid, its payments are {paid}")
    if settlement.paid_at != max((each.paid_at for each in counted), default=None):
        faults.append(f"its latest payment is noted as of {settlement.paid_at}, which it is not")
    if settlement.paid_out != returned:
        faults.append(f"{settlement.paid_out} are noted as paid out, its payouts are {returned}")
    return faults


def _faults(link: ChainLink, previous: str, kinds: Mapping[str, str]) -> Iterator[str]:
    if link.record is None:
        yield "its record is missing"
        return
    if link.previous_hash != previous:
        yield "it does not follow the hash before it"
    if link.record.hash(link.previous_hash) != link.hash:
        yield "its record was changed after it was issued"
    if not link.record.is_intact:
        yield "its personal part was changed after it was issued"
    if link.record.personal is None and not link.erased:
        yield "its personal part is missing"
    record = json.loads(link.record.record)
    if record["number"] != link.number:
        yield f"its record says {record['number']}"
    if record["kind"] != (kind := kinds.get(link.series[:-4])):
        yield f"it is a document of the kind {record['kind']} in a series of the kind {kind}"
    nets: dict[Tax, int] = {}
    for line in record["lines"]:
        tax = to_tax(line["tax"])  # by value: older records have 2E+1 and 20 for the same rate
        nets[tax] = nets.get(tax, 0) + line["net"]
    if nets != {to_tax(total["tax"]): total["net"] for total in record["taxes"]}:
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
