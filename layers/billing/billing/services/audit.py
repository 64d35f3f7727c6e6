"""Verify what is kept: numbers without gaps, unbroken chains, totals and refunds that add up."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

from billing.domain.chains import ChainLink, Correction, LaneEnds, Stretch, link_text
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Payment, Payout, StoredDocument
from billing.domain.money import Money
from billing.domain.movements import Movement
from billing.domain.numbering import SeriesEnd, invoice_number
from billing.domain.records import Record, to_tax
from billing.domain.refunds import Refund
from billing.domain.tax import Tax
from billing.domain.verifactu import Declaration, KeptRecord, RecordState


class Chains(Protocol):
    def list_ends(self, org_id: str) -> Mapping[str, LaneEnds]: ...

    def list_series(self, org_id: str) -> Mapping[str, SeriesEnd]: ...

    def list_links(
        self, org_id: str, lane: str, series: Mapping[str, SeriesEnd], after: Mapping[str, int]
    ) -> Iterable[ChainLink]: ...

    def list_corrections(self, org_id: str, after: int, before: int) -> Iterable[Correction]: ...


class Pdfs(Protocol):
    def find(self, key: InvoiceKey) -> StoredDocument | None: ...

    def read(self, pdf: StoredDocument) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Audited:
    """
    A document that was verified, what is wrong about it, and what is left of its lane.

    One that is no document is a correction of a fiscal record, or an end of its lane.
    """

    number: str
    faults: list[str]
    erased: bool
    left: Stretch
    is_document: bool = True


def audit_invoices(org_id: str, *, chains: Chains, pdfs: Pdfs | None = None) -> Iterator[Audited]:
    """Verify each document of an org, lane by lane, in the order of the chain."""
    for stretch in stretches(org_id, chains):
        yield from audit_stretch(stretch, chains=chains, pdfs=pdfs)


def stretches(org_id: str, chains: Chains) -> Iterator[Stretch]:
    """Return what there is to verify of an org now: each of its lanes, whole."""
    for lane, ends in chains.list_ends(org_id).items():
        yield Stretch(
            org_id,
            lane,
            ends.chain.position,
            ends.chain.hash,
            fiscal_last=ends.fiscal.position,
            fiscal_last_link=link_text(ends.fiscal.link),
            fiscal_answered=ends.answered_through,
        )


def audit_stretch(
    stretch: Stretch, *, chains: Chains, pdfs: Pdfs | None = None
) -> Iterator[Audited]:
    """Verify one document of a lane after the other."""
    left = stretch
    series = chains.list_series(stretch.org_id)
    kinds = {name: end.kind.value for name, end in series.items()}
    for link in chains.list_links(stretch.org_id, stretch.lane, series, stretch.sequences):
        if left.position >= left.last:
            break  # it was issued meanwhile
        if link.fiscal:
            for audited in _corrections(left, link.fiscal.record.position, chains):
                yield audited
                left = audited.left
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
        record = json.loads(link.record.record) if link.record else None
        faults += _faults(link, record, before.hash, kinds)
        fiscal, left = _fiscal_faults(link, record, left)
        faults += fiscal
        if pdfs is not None and not link.erased:
            faults += _pdf_faults(link.key, pdfs)
        yield Audited(link.number, faults, link.erased, left)
    if left.position < left.last:
        said = f"the lane counts {left.last} documents, {left.position} were found"
        left = replace(left, position=left.last)
        yield Audited(f"lane {left.lane}", [said], False, left, is_document=False)
    elif left.hash != left.last_hash:
        said = "the last hash of the lane is not that of its last document"
        yield Audited(f"lane {left.lane}", [said], False, left, is_document=False)
    yield from _end_of_fiscal(left, chains)


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


def _faults(
    link: ChainLink, record: Record | None, previous: str, kinds: Mapping[str, str]
) -> Iterator[str]:
    if link.record is None or record is None:
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


# ---------------------------------------------------------------- fiscal records


def _fiscal_faults(
    link: ChainLink, record: Record | None, before: Stretch
) -> tuple[list[str], Stretch]:
    """Verify the fiscal record of a document, which follows those of a stretch."""
    summary = record.get("fiscal") if record else None
    kept, what = link.fiscal, "its fiscal record"
    if kept is None:
        if summary:
            return [f"{what} is missing"], before
        if record and int(record["issue_date"][:4]) == before.declared_in:
            return ["it has no fiscal record, and documents before it that year have"], before
        return [], before
    faults, left = _chain_faults(kept, what, before)
    said = kept.record.declaration
    if record and summary != _summary(said, kept):
        faults.append(f"{what} is not what the document says of it")
    if said.number != link.number or kept.record.amendment:
        faults.append(f"{what} is not the first one of the document")
    for position, correction in link.corrections.items():
        if correction is None or correction.key != link.key:
            faults.append(f"its correction, fiscal record {position}, is missing")
    faults += _list_faults(kept, what, list(link.corrections), left)
    return faults, replace(left, declared_in=said.issue_date.year)


def _corrections(before: Stretch, position: int, chains: Chains) -> Iterator[Audited]:
    """Verify the corrections that follow the fiscal records of a stretch, up to a position."""
    left = before
    for correction in chains.list_corrections(before.org_id, before.fiscal_position, position):
        kept = correction.kept
        at, number = kept.record.position, kept.record.declaration.number
        what = f"its correction, fiscal record {at},"
        faults, left = _chain_faults(kept, what, left)
        if at not in correction.named or kept.record.amendment is None:
            faults.append(f"{what} takes the place of no other")
        else:
            later = correction.named[correction.named.index(at) + 1 :]
            faults += _list_faults(kept, what, later, left)
        yield Audited(number, faults, False, left, is_document=False)


def _end_of_fiscal(before: Stretch, chains: Chains) -> Iterator[Audited]:
    """Verify what follows the last document of a lane: corrections, and the end of the chain."""
    left = before
    for audited in _corrections(left, left.fiscal_last + 1, chains):
        yield audited
        left = audited.left
    if left.fiscal_position < left.fiscal_last:
        said = (
            f"the lane counts {left.fiscal_last} fiscal records, {left.fiscal_position} were found"
        )
    elif left.fiscal_link != left.fiscal_last_link:
        said = "the last fiscal record of the lane is not the one that its chain ends with"
    else:
        return
    left = replace(left, fiscal_position=left.fiscal_last)
    yield Audited(f"lane {left.lane}", [said], False, left, is_document=False)


def _chain_faults(kept: KeptRecord, what: str, before: Stretch) -> tuple[list[str], Stretch]:
    """Verify that a record follows those of a stretch, and is as it was made."""
    record, last = kept.record, before.fiscal_position
    faults = []
    if record.position > last + 1:
        missing = record.position - last - 1
        many = f" and {missing - 1} more are" if missing > 1 else " is"
        faults.append(f"fiscal record {last + 1}{many} missing")
    elif record.position <= last:
        faults.append(f"{what} is number {record.position} of the chain, and follows {last}")
    elif link_text(record.previous) != before.fiscal_link:
        faults.append(f"{what} does not follow the one before it")
    if not record.is_intact:
        faults.append(f"{what} was changed after it was made")
    if kept.state is RecordState.PENDING and record.position <= before.fiscal_answered:
        faults.append(f"{what} has no answer, and is sent no more")
    left = replace(before, fiscal_position=record.position, fiscal_link=link_text(record.end.link))
    return faults, left


def _list_faults(kept: KeptRecord, what: str, later: Sequence[int], left: Stretch) -> Iterator[str]:
    """
    Verify that a record is listed, unless a later one takes its place.

    One that is made meanwhile may have taken it since the record was read.
    """
    if not kept.amended and any(position <= left.fiscal_last for position in later):
        yield f"{what} is listed, though another takes its place"
    if not later and kept.amended:
        yield f"{what} is in no list, and nothing takes its place"


def _summary(said: Declaration, kept: KeptRecord) -> dict[str, str]:
    return {
        "type": said.type.value,
        "total": str(said.total),
        "service": kept.record.service.value,
    }


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
