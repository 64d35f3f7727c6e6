"""What a billing run issues for a cycle: its invoices, and credit notes for what was refunded."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from zlib import Z_SYNC_FLUSH, compressobj

from billing.domain.adjustments import Adjustment
from billing.domain.billing_runs import MAX_CREDIT_NOTES, MAX_DOCUMENTS
from billing.domain.consumptions import ConsumptionTotal
from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.cycles import ClosingCycle, CycleDocuments, Part, document_of
from billing.domain.invoices import Draft, InvoiceKind, Line, LinePeriod, billed_as, gross_of
from billing.domain.money import MAX_MINOR, Money
from billing.domain.movements import USAGE_RANK, Movement, OperationType, line_key
from billing.domain.parties import Language, Org
from billing.domain.periods import BillingPeriod, MomentPeriod, local_date
from billing.domain.refunds import Refund
from billing.domain.tax import Tax, tax_totals
from billing.domain.texts import language_of, text
from billing.domain.vat import treated_by_version_1_0
from billing.domain.verifactu import MAX_ROWS, rows_of

MAX_LINES = 1000
"""Lines of a document, at most."""
MAX_LINE_BYTES = 320_000
"""Bytes, compressed, that the lines of a document may take: its record fits into an item then."""
_LINE_BYTES = 5_000
"""The largest that one line can be, uncompressed."""


@dataclass(frozen=True, slots=True)
class CycleContents:
    """All that fell into a cycle."""

    movements: Sequence[Movement]
    usage: Sequence[ConsumptionTotal]
    refunds: Sequence[Refund]
    adjustments: Sequence[Adjustment] = ()

    @property
    def taxes(self) -> set[Tax]:
        """Return the taxes of all that is charged, used and given back."""
        return {
            *(each.tax for each in self.movements),
            *(each.tax for each in self.adjustments),
            *(each.tax for each in self.usage),
            *(each.amount.tax for each in self.refunds),
        }

    @property
    def originals(self) -> list[int]:
        """Return the earlier invoices that are to be credited, oldest first."""
        return sorted({each.reservation.ordinal for each in self.refunds if each.reservation})

    def refunds_of(self, original: int | None) -> list[Refund]:
        """Return the refunds that credit an earlier invoice; with None, those that credit none."""
        return [
            each
            for each in self.refunds
            if (each.reservation.ordinal if each.reservation else None) == original
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """
    Documents of a cycle that are issued together: credit notes for `originals`, and `parts`.

    `plan` has all parts of the cycle. With the last step the cycle is billed.
    """

    cycle: ClosingCycle
    contents: CycleContents
    originals: Sequence[int]
    parts: Sequence[Part]
    plan: tuple[Part, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class CycleBill:
    """The documents of a step, before they have numbers."""

    step: Step
    credit_notes: Sequence[CreditNote]
    invoices: Sequence[Draft]

    def documents(self, notes: Sequence[int], invoices: Sequence[int]) -> CycleDocuments:
        """Return the documents of the cycle after this step; ordinals are in their order."""
        before, issued = (
            self.step.cycle.documents,
            dict(zip(self.step.parts, invoices, strict=True)),
        )
        kinds = {
            part: draft.kind is InvoiceKind.CREDIT_NOTE
            for part, draft in zip(self.step.parts, self.invoices, strict=True)
        }
        return CycleDocuments(
            parts=tuple(
                replace(part, ordinal=issued[part], is_credit=kinds[part])
                if part in issued
                else part
                for part in self.step.plan
            ),
            credit_notes={
                **before.credit_notes,
                **dict(zip(self.step.originals, notes, strict=True)),
            },
        )


def next_step(org: Org, cycle: ClosingCycle, contents: CycleContents) -> Step:
    """Return the next documents of a cycle: as many as one transaction can issue."""
    plan = cycle.documents.parts or _plan(cycle, contents)
    if org.is_declared and len(contents.taxes) > MAX_ROWS:
        plan = tuple(_declarable(org, cycle, contents, plan))
    originals = [each for each in contents.originals if each not in cycle.documents.credit_notes]
    parts = [part for part in plan if part.ordinal is None]
    now = originals[:MAX_CREDIT_NOTES]
    then = parts[: MAX_DOCUMENTS - len(now)]
    is_last = len(now) + len(then) == len(originals) + len(parts)
    return Step(cycle, contents, now, then, plan, is_last)


def draft_bill(org: Org, step: Step, originals: Sequence[Creditable]) -> CycleBill:
    """Create the drafts of a step."""
    lines = _by_part(step.cycle, step.contents, step.plan) if step.parts else {}
    return CycleBill(
        step,
        [_credit_note(org, step, original) for original in originals],
        [_invoice(org, step, part, lines[part]) for part in step.parts],
    )


def _invoice(org: Org, step: Step, part: Part, entries: "Sequence[_Entry]") -> Draft:
    """Create the draft of one part of a cycle; below zero it is a credit note."""
    lines = tuple(line for _, line in entries)
    treated = treated_by_version_1_0([line.tax for line in lines], org, step.cycle.account)
    lines = tuple(replace(line, tax=tax) for line, tax in zip(lines, treated, strict=True))
    taxes = tax_totals((line.tax, line.net) for line in lines)
    below_zero = gross_of(taxes, part.currency).minor < 0
    return Draft(
        kind=InvoiceKind.CREDIT_NOTE if below_zero else InvoiceKind.INVOICE,
        seller=org,
        buyer=billed_as(step.cycle.buyer, lines),
        currency=part.currency,
        description=_days(step.cycle.period, step.cycle.time_zone),
        cycle=step.cycle.period,
        lines=lines,
        taxes=taxes,
    )


def _credit_note(org: Org, step: Step, original: Creditable) -> CreditNote:
    """Create the draft of the credit note for all refunds that an earlier invoice has reserved."""
    nets: dict[int, Money] = {}
    lines = []
    for refund in step.contents.refunds_of(original.invoice.key.ordinal):
        number, net = refund.reserved_line, refund.amount.net
        nets[number] = nets[number] + net if number in nets else net
        line = _refunded(refund, step.cycle.time_zone)
        lines.append(replace(line, tax=original.invoice.lines[number - 1].tax))
    description = f"{original.invoice.number}: {original.invoice.description}"
    return CreditNote.of(
        original,
        nets,
        org,
        step.cycle.buyer,
        description[:500],
        cycle=step.cycle.period,
        lines=lines if _fits(lines) else (),  # else the original's own, which fit
        is_reserved=True,
    )


# ---------------------------------------------------------------- the lines, and their division

type _Entry = tuple[str, Line]
"""A line behind its key, which it sorts by."""


def _key(entry: _Entry) -> str:
    return entry[0]


def _by_currency(cycle: ClosingCycle, contents: CycleContents) -> Mapping[str, Sequence[_Entry]]:
    """
    Return the cycle's own lines: charges, usage, allowances, refunds of what is charged here, and
    adjustments of the account.
    """
    time_zone, language = cycle.time_zone, language_of(cycle.account)
    entries = [
        *((each.line_key, _charge(each, time_zone)) for each in contents.movements),
        *(entry for each in contents.usage for entry in _usage(each, language)),
        *((each.line_key, _refunded(each, time_zone)) for each in contents.refunds_of(None)),
        *((each.line_key, _adjusted(each, time_zone)) for each in contents.adjustments),
    ]
    found: dict[str, list[_Entry]] = {}
    for key, line in sorted(entries, key=_key):
        found.setdefault(line.net.currency, []).append((key, line))
    return found


def _plan(cycle: ClosingCycle, contents: CycleContents) -> tuple[Part, ...]:
    """
    Divide the lines of a cycle into documents.

    There is one for each currency, place and VAT id, one for what is out of scope, and more where
    that is too large. Where every line is zero, there is nothing to bill.
    """
    return tuple(
        Part(currency, key)
        for currency, entries in sorted(_by_currency(cycle, contents).items())
        for _, of_document in groupby(entries, key=lambda entry: document_of(entry[0]))
        for key in _divide(list(of_document))
    )


def _by_part(
    cycle: ClosingCycle, contents: CycleContents, plan: Sequence[Part]
) -> Mapping[Part, Sequence[_Entry]]:
    """Return the lines of each part of a plan."""
    documents = CycleDocuments(tuple(plan))
    parts: dict[tuple[str, str], list[Part]] = {}
    for part in plan:
        parts.setdefault((part.currency, part.document), []).append(part)
    found: dict[Part, list[_Entry]] = {part: [] for part in plan}
    for currency, entries in _by_currency(cycle, contents).items():
        for entry in sorted(((documents.planned(key), line) for key, line in entries), key=_key):
            of_document = parts.get((currency, document_of(entry[0])), [])
            begun = bisect_right(of_document, entry[0], key=lambda part: part.first_line)
            if begun:
                found[of_document[begun - 1]].append(entry)
    return found


def _declarable(
    org: Org, cycle: ClosingCycle, contents: CycleContents, plan: Sequence[Part]
) -> Iterator[Part]:
    """
    Divide what is not issued yet into documents that a fiscal record can declare.

    It has room for twelve rows of tax. A movement and its refunds stay together, as they have one
    tax. What is divided already stays as it is, so that this can be done before each step: the
    plan may be of a time at which the org's documents were not declared.
    """
    lines = _by_part(cycle, contents, plan)
    for part in plan:
        yield part
        taxes: set[Tax] = set()
        for key, line in lines[part] if part.ordinal is None else ():
            if line.tax not in taxes and _rows(org, cycle, {*taxes, line.tax}) > MAX_ROWS:
                yield replace(part, first_line=key)
                taxes.clear()
            taxes.add(line.tax)


def _rows(org: Org, cycle: ClosingCycle, taxes: Iterable[Tax]) -> int:
    """Return how many rows of tax a document with some taxes has."""
    treated = treated_by_version_1_0(list(taxes), org, cycle.account)
    return rows_of(treated, org, cycle.account)


def _divide(entries: Sequence[_Entry]) -> Iterator[str]:
    """Return the first key of each part; a movement and its refunds stay together if they can."""
    if not any(line.net for _, line in entries):
        return
    yield entries[0][0]
    moved = sum(abs(line.net.minor) for _, line in entries)
    if len(entries) * _LINE_BYTES <= MAX_LINE_BYTES and 2 * moved < MAX_MINOR:
        return
    part = _Size()
    for _, group in groupby(entries, key=lambda entry: entry[0].split("#")[:3]):
        together = list(group)
        if part.lines and not part.has_room(line for _, line in together):
            yield together[0][0]
            part = _Size()
        for key, line in together:
            if part.lines and not part.has_room([line]):
                yield key
                part = _Size()
            part.add(line)


def _fits(lines: Sequence[Line]) -> bool:
    size = _Size()
    for line in lines:
        if not size.has_room([line]):
            return False
        size.add(line)
    return True


class _Size:
    """The size of a part so far: in lines, bytes and money."""

    def __init__(self) -> None:
        self.lines = 0
        self._bytes = 0
        self._compressor = compressobj()
        self._nets: dict[Tax, Money] = {}
        self._moved = 0

    def has_room(self, lines: Iterable[Line]) -> bool:
        """Return whether some more lines fit."""
        more = list(lines)
        return (
            self.lines + len(more) <= MAX_LINES
            and self._bytes + sum(map(_bytes_of, more)) <= MAX_LINE_BYTES
            and self._is_payable(more)
        )

    def add(self, line: Line) -> None:
        self.lines += 1
        self._moved += abs(line.net.minor)
        self._nets[line.tax] = self._nets.get(line.tax, Money.zero(line.net.currency)) + line.net
        text = _text_of(line)
        self._bytes += len(self._compressor.compress(text))
        self._bytes += len(self._compressor.flush(Z_SYNC_FLUSH))

    def _is_payable(self, more: Sequence[Line]) -> bool:
        moved = self._moved + sum(abs(line.net.minor) for line in more)
        if 2 * moved < MAX_MINOR:  # whatever the tax is, which is at most all of it again
            return True
        nets = [*self._nets.items(), *((line.tax, line.net) for line in more)]
        taxes = tax_totals(nets)
        return abs(gross_of(taxes, more[0].net.currency).minor) < MAX_MINOR


def _bytes_of(line: Line) -> int:
    return len(_text_of(line))


def _text_of(line: Line) -> bytes:
    words = [line.description, line.subscription_id, line.remarks, line.movement_id]
    figures = [
        str(line.quantity),
        str(line.unit_price),
        str(line.net),
        str(line.tax),
        str(line.period),
    ]
    return json.dumps([*words, *figures], ensure_ascii=False).encode()


def _charge(movement: Movement, time_zone: str) -> Line:
    request, amount = movement.request, movement.amount
    is_allowance = request.operation_type is OperationType.CREDIT
    return _line(
        request.description,
        -amount.net if is_allowance else amount.net,
        amount.tax,
        movement.key.subscription_id,
        _local(request.period, time_zone),
        movement_id=movement.key.id,
    )


def _adjusted(adjustment: Adjustment, time_zone: str) -> Line:
    request, amount = adjustment.request, adjustment.amount
    is_allowance = request.operation_type is OperationType.CREDIT
    return _line(
        request.description,
        -amount.net if is_allowance else amount.net,
        amount.tax,
        None,
        _local(request.period, time_zone),
    )


def _usage(total: ConsumptionTotal, language: Language) -> Iterator[_Entry]:
    """Create the lines of usage; a sum too large for one line takes several."""
    tax = total.tax
    what = f"usage {total.type} {total.unit} {tax.type} {tax.percentage:f} {tax.treatment_id}"
    unit = text(total.unit if total.units != 1 else total.unit.removesuffix("s"), language)
    left, currency, number = total.net.minor, total.net.currency, 0
    while left or not number:
        net = max(-MAX_MINOR // 3, min(left, MAX_MINOR // 3))
        line = _line(
            text(f"usage_{total.type.lower()}", language),
            Money(net, currency),
            total.tax,
            total.subscription_id,
            remarks=f"{total.units} {unit}",
        )
        key = line_key(total.tax, total.subscription_id, USAGE_RANK, f"{what.strip()} {number:04}")
        yield key, line
        left, number = left - net, number + 1


def _refunded(refund: Refund, time_zone: str) -> Line:
    movement = refund.key.movement
    return _line(
        refund.request.description,
        -refund.amount.net,
        refund.amount.tax,
        movement.subscription_id,
        _local(refund.request.period, time_zone),
        movement_id=movement.id,
    )


def _line(
    description: str,
    net: Money,
    tax: Tax,
    subscription_id: str | None,
    period: LinePeriod | None = None,
    *,
    remarks: str | None = None,
    movement_id: str | None = None,
) -> Line:
    return Line(
        description=description,
        quantity=Decimal(1),
        unit_price=net.major,
        setup_costs=Money.zero(net.currency),
        tax=tax,
        net=net,
        period=period,
        subscription_id=subscription_id,
        remarks=remarks,
        movement_id=movement_id,
    )


def _local(period: MomentPeriod | None, time_zone: str) -> LinePeriod | None:
    """Return the days that a period touches."""
    if period is None:
        return None
    return LinePeriod(period.start.local_date(time_zone), period.last_day(time_zone))


def _days(period: BillingPeriod, time_zone: str) -> str:
    """Return the text for a cycle in every language: its first and its last day."""
    return f"{local_date(period.start, time_zone)} – {period.last_day(time_zone)}"
