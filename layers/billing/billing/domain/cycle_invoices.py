"""What a billing run issues for a cycle: its invoices, and credit notes for what was refunded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from billing.domain.consumptions import ConsumptionTotal, ConsumptionType
from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.cycles import ClosingCycle
from billing.domain.invoices import Draft, InvoiceKind, Line, LinePeriod, gross_of
from billing.domain.money import Money
from billing.domain.movements import Movement, MovementKind, OperationType
from billing.domain.parties import Org
from billing.domain.periods import BillingPeriod, Moment, MomentPeriod, local_date
from billing.domain.refunds import Refund
from billing.domain.tax import Tax, tax_totals

_KINDS = (
    MovementKind.RECURRING,
    MovementKind.USAGE,
    MovementKind.ONE_OFF,
    MovementKind.ADJUSTMENT,
    MovementKind.DISCOUNT,
)
"""The order of a subscription's charges."""

_ALLOWANCE, _REFUND = len(_KINDS), len(_KINDS) + 1
"""Allowances of all kinds come behind the charges, and what was refunded of them at last."""

_USAGE = {
    ConsumptionType.DATA: "Data",
    ConsumptionType.SMS: "SMS",
    ConsumptionType.VOICE: "Voice",
}


@dataclass(frozen=True, slots=True)
class CycleContents:
    """
    All that fell into a cycle.

    `invoiced` tells, by the ids of refunds, which earlier invoice has charged their movements.
    """

    movements: Sequence[Movement]
    usage: Sequence[ConsumptionTotal]
    refunds: Sequence[Refund]
    invoiced: Mapping[str, int]

    @property
    def currencies(self) -> int:
        """In how many currencies there may be something to bill."""
        currencies = {each.net.currency for each in self.usage}
        currencies |= {each.currency for each in self.movements}
        return len(currencies | {each.currency for each in self.refunds_of(None)})

    @property
    def originals(self) -> list[int]:
        """The earlier invoices that are to be credited, oldest first."""
        return sorted(set(self.invoiced.values()))

    def refunds_of(self, original: int | None) -> list[Refund]:
        """The refunds that credit an earlier invoice; with None, those that credit none."""
        return [each for each in self.refunds if self.invoiced.get(each.key.id) == original]


@dataclass(frozen=True, slots=True)
class CycleBill:
    """
    Documents of a cycle: those of its own, and credit notes for the `credited` earlier invoices.

    `uncredited` says of which refunds not all could be given back, as too little was left of what
    they are refunds of.
    """

    invoices: Sequence[Draft] = ()
    credited: Sequence[int] = ()
    credit_notes: Sequence[CreditNote] = ()
    uncredited: Sequence[str] = ()

    @property
    def documents(self) -> int:
        return len(self.invoices) + len(self.credit_notes)


def draft_bill(
    org: Org,
    cycle: ClosingCycle,
    contents: CycleContents,
    originals: Sequence[Creditable],
    *,
    is_last: bool,
) -> CycleBill:
    """Write credit notes for some earlier invoices and, with the last of them, all the rest."""
    notes, uncredited = _credit_notes(org, cycle, contents, originals)
    invoices, more = _invoices(org, cycle, contents) if is_last else ([], [])
    return CycleBill(
        invoices=invoices,
        credited=[each.invoice.key.ordinal for each in originals],
        credit_notes=notes,
        uncredited=uncredited + more,
    )


def _invoices(
    org: Org, cycle: ClosingCycle, contents: CycleContents
) -> tuple[list[Draft], list[str]]:
    """
    Write one document for each currency in a cycle: its charges and usage, less its allowances and
    the refunds of what was not invoiced before. One below zero is a credit note.
    """
    time_zone = cycle.account.time_zone
    uncredited: list[str] = []
    entries = [
        *(_charge(each, time_zone) for each in contents.movements),
        *map(_usage, contents.usage),
        *_refunds_of_uninvoiced(contents, time_zone, uncredited),
    ]
    by_currency: dict[str, list[Line]] = {}
    for *_, line in sorted(entries, key=lambda entry: entry[:3]):
        by_currency.setdefault(line.net.currency, []).append(line)
    invoices = []
    for currency, lines in sorted(by_currency.items()):
        if not any(line.net for line in lines):
            continue  # nothing to bill
        taxes = tax_totals((line.tax, line.net) for line in lines)
        below_zero = gross_of(taxes, currency).minor < 0
        invoices.append(
            Draft(
                kind=InvoiceKind.CREDIT_NOTE if below_zero else InvoiceKind.INVOICE,
                seller=org,
                buyer=cycle.account,
                currency=currency,
                description=_days(cycle.period, time_zone),
                cycle=cycle.period,
                lines=tuple(lines),
                taxes=taxes,
            )
        )
    return invoices, uncredited


def _credit_notes(
    org: Org, cycle: ClosingCycle, contents: CycleContents, originals: Sequence[Creditable]
) -> tuple[list[CreditNote], list[str]]:
    """
    Write a credit note for each earlier invoice whose movements were refunded.

    Each gives back as much of a refund as is left of the movement's line and of the invoice, which
    may have been credited before on request; where nothing is left, there is no credit note.
    """
    uncredited: list[str] = []
    notes = []
    for original in originals:
        nets: dict[int, Money] = {}
        lines = []
        for refund in contents.refunds_of(original.invoice.key.ordinal):
            number, asked = original.line_of(refund.key.movement.id), refund.amount.net
            amount = original.most_of(number, asked, nets) if number else Money.zero(asked.currency)
            if number and amount:
                nets[number] = nets.get(number, Money.zero(asked.currency)) + amount
                lines.append(_refunded(refund, amount, cycle.account.time_zone))
            if _is_short(asked, amount):
                uncredited.append(_short(refund, amount, f"of {original.invoice.number}"))
        if nets:
            description = f"{original.invoice.number}: {original.invoice.description}"
            notes.append(
                CreditNote.of(
                    original, nets, org, cycle.account, description[:500], cycle.period, lines
                )
            )
    return notes, uncredited


type _Entry = tuple[str, int, str, Line]
"""A line behind what it sorts by: subscription, rank, and what tells apart those of one rank."""


def _charge(movement: Movement, time_zone: str) -> _Entry:
    request, amount = movement.request, movement.amount
    is_allowance = request.operation_type is OperationType.CREDIT
    line = _line(
        request.description,
        -amount.net if is_allowance else amount.net,
        amount.tax,
        movement.key.subscription_id,
        _local(request.period, time_zone),
        movement_id=movement.key.id,
    )
    rank = _ALLOWANCE if is_allowance else _KINDS.index(request.kind)
    return movement.key.subscription_id, rank, movement.key.id, line


def _usage(total: ConsumptionTotal) -> _Entry:
    line = _line(
        _USAGE[total.type],
        total.net,
        total.tax,
        total.subscription_id,
        remarks=f"{total.units} {total.unit}",
    )
    return total.subscription_id, _KINDS.index(MovementKind.USAGE), f"usage {total.type}", line


def _refunds_of_uninvoiced(
    contents: CycleContents, time_zone: str, uncredited: list[str]
) -> Iterator[_Entry]:
    """Give back what was refunded, up to the net of the movements that are charged here."""
    left = {each.key: each.amount.net for each in contents.movements}
    for refund in contents.refunds_of(None):
        asked, movement = refund.amount.net, refund.key.movement
        amount = min(asked, left.get(movement, asked))
        if movement in left:
            left[movement] -= amount
        if amount:
            line = _refunded(refund, amount, time_zone)
            yield movement.subscription_id, _REFUND, refund.key.id, line
        if _is_short(asked, amount):
            uncredited.append(_short(refund, amount, "of its movement"))


def _refunded(refund: Refund, amount: Money, time_zone: str) -> Line:
    movement = refund.key.movement
    return _line(
        refund.request.description,
        -amount,
        refund.amount.tax,
        movement.subscription_id,
        _local(refund.request.period, time_zone),
        movement_id=movement.id,
    )


def _line(
    description: str,
    net: Money,
    tax: Tax,
    subscription_id: str,
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
        order_id=subscription_id,
        remarks=remarks,
        movement_id=movement_id,
    )


def _is_short(asked: Money, amount: Money) -> bool:
    """Amounts may differ by the one minor unit that callers have for rounding."""
    return asked.minor - amount.minor > 1


def _short(refund: Refund, amount: Money, of_what: str) -> str:
    return (
        f"Of refund {refund.key.id} of movement {refund.key.movement.id}, {refund.amount.net} "
        f"without tax, {amount} could be given back: no more was left {of_what}."
    )


def _local(period: MomentPeriod | None, time_zone: str) -> LinePeriod | None:
    """Tell which days a period touches; an end at midnight does not touch the day it begins."""
    if period is None:
        return None
    start = _day(period.start, 0, time_zone)
    return LinePeriod(start, max(start, _day(period.end, 1, time_zone)))


def _day(moment: Moment, nanoseconds_before: int, time_zone: str) -> date:
    seconds = (moment.nanoseconds - nanoseconds_before) // 10**9
    return local_date(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds), time_zone)


def _days(period: BillingPeriod, time_zone: str) -> str:
    """Describe a cycle in every language: by its first and its last day."""
    last = local_date(period.end, time_zone) - timedelta(days=1)
    return f"{local_date(period.start, time_zone)} – {last}"
