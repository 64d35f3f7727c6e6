"""What a cycle is billed by, and what becomes of cycles."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing.domain.billing_runs import Batch, BillingRun, RunStatus, is_due, run_until
from billing.domain.consumptions import ConsumptionTotal, ConsumptionType, Unit
from billing.domain.cycle_invoices import MAX_LINES, CycleContents, draft_bill, next_step
from billing.domain.cycles import (
    BillableAccount,
    ClosedCycle,
    ClosingCycle,
    CycleDocuments,
    OpenCycle,
    Part,
)
from billing.domain.errors import InvalidRequestError
from billing.domain.invoices import Draft, InvoiceKind, LinePeriod
from billing.domain.issuing import AccountEnd, Ends, Journal
from billing.domain.money import Money
from billing.domain.movements import (
    Movement,
    MovementKey,
    MovementKind,
    NewMovement,
    OperationType,
)
from billing.domain.numbering import LANE, ChainEnd
from billing.domain.parties import FiscalRegime, Org
from billing.domain.periods import BillingPeriod, Moment, MomentPeriod
from billing.domain.refunds import NewRefund, Refund, RefundKey, Reservation
from billing.domain.tax import AskedAmount, Tax, TaxType, VatCategory
from billing.persistence.invoice_items import document_item
from billing.persistence.issuing import DOCUMENT_BYTES
from tests.sample_invoices import BUYER, CYCLE, IVA, SELLER

NOW = datetime(2026, 2, 10, tzinfo=UTC)
ENDS_ON = date(2026, 3, 1)
FOLLOWING = OpenCycle(
    date(2026, 4, 1),
    BillingPeriod(CYCLE.end, datetime(2026, 3, 31, 22, tzinfo=UTC)),
    BUYER.time_zone,
)
CLOSING = ClosingCycle(BUYER, ENDS_ON, CYCLE, BUYER.time_zone, CycleDocuments(), FOLLOWING)


def _amount(net: str, tax: Tax = IVA) -> AskedAmount:
    gross = (Decimal(net) * (1 + tax.percentage / 100)).quantize(Decimal("0.01"))
    return AskedAmount(gross, Decimal(net), tax, None)


def _moments(start: str, end: str) -> MomentPeriod:
    return MomentPeriod(Moment.of(start), Moment.of(end))


def _movement(
    net: str,
    kind: MovementKind = MovementKind.RECURRING,
    operation_type: OperationType = OperationType.DEBIT,
    period: MomentPeriod | None = None,
) -> Movement:
    request = NewMovement(
        account_id=BUYER.id,
        at=Moment.of("2026-02-10T00:00:00Z"),
        period=period,
        amount=_amount(net),
        operation_type=operation_type,
        kind=kind,
        external_id="m",
        description=kind,
    )
    return Movement(
        key=MovementKey(SELLER.id, "600", f"m{net}"),
        request=request,
        currency="EUR",
        tax=IVA,
        cycle=ENDS_ON,
        billing_day=1,
        time_zone="Europe/Madrid",
        created_at=NOW,
        refunded=Money.zero("EUR"),
        refunded_net=Money.zero("EUR"),
    )


def _refund(of: Movement, net: str) -> Refund:
    request = NewRefund(
        at=Moment.of("2026-02-11T00:00:00Z"),
        period=None,
        amount=_amount(net, of.tax),
        billable=True,
        external_id="r",
        external_invoice_id=None,
        transaction_type_id=None,
        description="refund",
    )
    key = RefundKey(of.key, f"r{net}")
    return Refund.pending(key, request, of, ENDS_ON, NOW)


def _draft(*movements: Movement, refunds: tuple[Refund, ...] = ()) -> list[Draft]:
    return _documents(CycleContents(movements, (), refunds))[0]


def _documents(contents: CycleContents, org: Org = SELLER) -> tuple[list[Draft], CycleDocuments]:
    """Draft all documents of a cycle, step by step; return what the cycle has in the end."""
    cycle, drafts = CLOSING, list[Draft]()
    while True:
        step = next_step(org, cycle, contents)
        bill = draft_bill(org, step, [])
        first = len(drafts) + 1
        drafts += bill.invoices
        documents = bill.documents([], range(first, len(drafts) + 1))
        if step.is_last:
            return drafts, documents
        cycle = replace(cycle, documents=documents)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        pytest.param(
            "2026-01-31T23:00:00Z",
            "2026-02-28T22:59:59.999999999Z",
            *(date(2026, 2, 1), date(2026, 2, 28)),
            id="an end that is included",
        ),
        pytest.param(
            "2026-01-31T23:00:00Z",
            "2026-02-28T23:00:00Z",
            *(date(2026, 2, 1), date(2026, 2, 28)),
            id="an end at midnight",
        ),
        pytest.param(
            "2026-02-05T00:00:00+01:00",
            "2026-02-05T00:00:00+01:00",
            *(date(2026, 2, 5), date(2026, 2, 5)),
            id="an instant",
        ),
    ],
)
def test_lines_cover_the_days_that_a_period_touches(
    start: str, end: str, first: date, last: date
) -> None:
    [invoice] = _draft(_movement("10", period=_moments(start, end)))

    assert invoice.lines[0].period == LinePeriod(first, last)
    assert invoice.description == "2026-02-01 – 2026-02-28"


def test_nothing_but_zeros_is_nothing_to_bill() -> None:
    assert _draft() == []
    assert _draft(_movement("0")) == []


def test_what_comes_out_at_zero_is_an_invoice_and_below_it_a_credit_note() -> None:
    allowance = _movement("20", MovementKind.DISCOUNT, OperationType.CREDIT)

    [at_zero] = _draft(_movement("20.00"), allowance)
    [below] = _draft(_movement("19.99"), allowance)

    assert (at_zero.kind, at_zero.gross.minor) == (InvoiceKind.INVOICE, 0)
    assert (below.kind, below.gross.minor) == (InvoiceKind.CREDIT_NOTE, -1)


def test_a_refund_stands_behind_its_movement() -> None:
    first, second = _movement("10"), _movement("20")

    [invoice] = _draft(second, first, refunds=(_refund(second, "2"), _refund(first, "1")))

    assert [line.net.minor for line in invoice.lines] == [1000, -100, 2000, -200]


def _many(count: int, words: str = "Plan") -> list[Movement]:
    return [
        replace(
            _movement("1"),
            key=MovementKey(SELLER.id, f"6{number // 10:05}", f"m{number:06}"),
            request=replace(_movement("1").request, description=words),
        )
        for number in range(count)
    ]


def test_more_lines_than_a_document_holds_are_divided() -> None:
    movements = _many(MAX_LINES + 1)

    drafts, documents = _documents(CycleContents(movements, (), ()))

    assert [len(draft.lines) for draft in drafts] == [MAX_LINES, 1]
    assert [part.ordinal for part in documents.parts] == [1, 2]
    of = [documents.part_of("EUR", each.line_key) for each in movements]
    assert [part and part.ordinal for part in of] == [1] * MAX_LINES + [2]


def test_a_cycle_of_twenty_thousand_movements_takes_several_steps() -> None:
    drafts, documents = _documents(CycleContents(_many(20_000), (), ()))

    assert len(drafts) == len(documents.parts) == 20
    assert sum(draft.gross.minor for draft in drafts) == 20 * 121_000


def test_many_credit_notes_take_several_steps_beside_the_invoices() -> None:
    refunds = [
        replace(_refund(_movement("10"), "1"), reservation=Reservation(ordinal, 1))
        for ordinal in range(1, 10)
    ]
    contents = CycleContents(_many(7_000), (), refunds)

    first = next_step(SELLER, CLOSING, contents)
    noted = CycleDocuments(first.plan, dict.fromkeys(first.originals, 1))
    then = next_step(SELLER, replace(CLOSING, documents=noted), contents)

    assert (list(first.originals), len(first.parts), first.is_last) == ([*range(1, 8)], 3, False)
    assert (list(then.originals), len(then.parts), then.is_last) == ([8, 9], 7, True)


def test_long_texts_are_divided_so_that_every_record_fits() -> None:
    rng = random.Random(7)
    movements = [
        replace(each, request=replace(each.request, description=_noise(rng))) for each in _many(450)
    ]

    drafts, _ = _documents(CycleContents(movements, (), ()))

    assert len(drafts) > 1
    assert sum(len(draft.lines) for draft in drafts) == 450
    ends = Ends(ChainEnd(), {}, {BUYER.id: AccountEnd()})
    journal = Journal(SELLER, LANE, NOW, ends)
    for draft in drafts:
        journal.issue(draft)
    sizes = [len(document_item(issued.record)["record"]["B"]) for issued in journal.issued]
    assert max(sizes) <= DOCUMENT_BYTES


def _noise(rng: random.Random) -> str:
    """Return a description as long as there can be, in letters that do not compress."""
    return "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(500))


@pytest.mark.parametrize(
    ("country", "units", "words"),
    [
        ("ES", 122, ("Voz", "122 segundos")),
        ("ES", 1, ("Voz", "1 segundo")),
        ("DE", 122, ("Voice", "122 seconds")),
        ("DE", 1, ("Voice", "1 second")),
    ],
)
def test_usage_is_named_in_the_language_of_the_document(
    country: str, units: int, words: tuple[str, str]
) -> None:
    kind, unit = ConsumptionType.VOICE, Unit.SECONDS
    usage = ConsumptionTotal("600", kind, unit, IVA, units, Money(99, "EUR"))
    cycle = replace(CLOSING, account=replace(CLOSING.account, country=country))

    step = next_step(SELLER, cycle, CycleContents((), (usage,), ()))
    [invoice] = draft_bill(SELLER, step, []).invoices

    assert [(line.description, line.remarks) for line in invoice.lines] == [words]


def test_a_total_beyond_the_largest_amount_is_divided() -> None:
    large = [
        replace(_movement("800000000000"), key=MovementKey(SELLER.id, "600", f"m{number}"))
        for number in range(12)
    ]
    usage = ConsumptionTotal(
        "600", ConsumptionType.DATA, Unit.BYTES, IVA, 10, Money(9 * 10**15, "EUR")
    )

    drafts, _ = _documents(CycleContents(large, (usage,), ()))

    assert len(drafts) > 12
    assert sum(line.net.minor for each in drafts for line in each.lines) == (
        12 * 80_000_000_000_000 + 9 * 10**15
    )


def test_a_movement_and_its_refunds_stay_on_one_document() -> None:
    movements = _many(MAX_LINES)
    refunds = tuple(
        replace(_refund(movements[-1], "0.01"), line_key=f"{movements[-1].line_key}#r{number}")
        for number in range(3)
    )

    drafts, _ = _documents(CycleContents(movements, (), refunds))

    assert [len(draft.lines) for draft in drafts] == [MAX_LINES - 1, 4]


DECLARED = replace(SELLER, fiscal_regime=FiscalRegime.VERIFACTU)


def _taxed(movement: Movement, tax: Tax) -> Movement:
    return replace(movement, tax=tax, request=replace(movement.request, amount=_amount("1", tax)))


def _at_rates(rates: int, count: int) -> list[Movement]:
    """Return movements at so many rates of IGIC, one after the other."""
    return [
        _taxed(each, Tax(TaxType.IGIC, Decimal(1 + number % rates)))
        for number, each in enumerate(_many(count))
    ]


def test_more_rows_of_tax_than_a_fiscal_record_holds_are_divided() -> None:
    movements = _at_rates(13, 40)
    contents = CycleContents(movements, (), ())

    drafts, documents = _documents(contents, DECLARED)
    [undivided], _ = _documents(contents, SELLER)
    [enough], _ = _documents(CycleContents(_at_rates(12, 40), (), ()), DECLARED)

    assert [len(draft.taxes) for draft in drafts] == [12, 12, 12, 4]
    assert [line for draft in drafts for line in draft.lines] == list(undivided.lines)
    of = [documents.part_of("EUR", each.line_key) for each in movements]
    assert [part and part.ordinal for part in of] == [1] * 12 + [2] * 12 + [3] * 12 + [4] * 4
    assert (len(enough.taxes), len(undivided.taxes)) == (12, 13)


def test_taxes_that_are_one_row_of_a_fiscal_record_are_not_divided() -> None:
    exempt = [
        _taxed(each, Tax(TaxType.NONE, Decimal(0), VatCategory.EXEMPT, reason=f"Art. {number}"))
        for number, each in enumerate(_many(13))
    ]

    [draft], _ = _documents(CycleContents(exempt, (), ()), DECLARED)

    assert len(draft.taxes) == 13


def test_a_movement_and_its_refund_are_declared_together() -> None:
    movements = _at_rates(13, 13)
    refund = replace(_refund(movements[11], "0.01"), line_key=f"{movements[11].line_key}#r")

    drafts, _ = _documents(CycleContents(movements, (), (refund,)), DECLARED)

    assert [len(draft.lines) for draft in drafts] == [13, 1]


def test_what_was_planned_before_documents_were_declared_is_divided_again() -> None:
    movements = _at_rates(13, 26)
    keys = [each.line_key for each in movements]
    planned = CycleDocuments((Part("EUR", keys[0], 1), Part("EUR", keys[13])))
    cycle, contents = replace(CLOSING, documents=planned), CycleContents(movements, (), ())

    step = next_step(DECLARED, cycle, contents)
    drafts = draft_bill(DECLARED, step, []).invoices

    assert step.plan == (*planned.parts, Part("EUR", keys[25]))
    assert [len(draft.taxes) for draft in drafts] == [12, 1]
    assert next_step(SELLER, cycle, contents).plan == planned.parts


def test_an_account_is_due_for_the_cycle_that_is_being_billed() -> None:
    assert BillableAccount(BUYER, 1, FOLLOWING, CLOSING).due_on == ENDS_ON
    assert BillableAccount(BUYER, 1, FOLLOWING, None).due_on == FOLLOWING.ends_on


def test_a_line_is_found_on_the_part_that_it_is_in() -> None:
    parts = (Part("EUR", "a", 1), Part("EUR", "c", 2), Part("JPY", "a", 3, is_credit=True))
    closed = ClosedCycle(ENDS_ON, CycleDocuments(parts))

    assert closed.part_of("EUR", "b") == parts[0]
    assert closed.part_of("EUR", "c") == closed.part_of("EUR", "z") == parts[1]
    assert closed.part_of("JPY", "z") == parts[2]
    assert closed.part_of("USD", "a") is None
    assert ClosedCycle(ENDS_ON, None).part_of("EUR", "a") is None


def test_a_run_is_completed_once_all_that_was_listed_is_done() -> None:
    run = BillingRun("demo", "run", ENDS_ON, NOW, accounts_total=2, accounts_done=2)

    assert run.status is RunStatus.RUNNING
    assert replace(run, is_listed=True).status is RunStatus.COMPLETED
    assert replace(run, is_listed=True, accounts_done=1).status is RunStatus.RUNNING


def test_a_run_bills_until_today_where_the_org_is() -> None:
    late = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)

    assert run_until(None, SELLER, late) == date(2026, 3, 1)
    assert run_until(date(2026, 3, 1), SELLER, late) == date(2026, 3, 1)
    assert run_until(date(2025, 3, 2), SELLER, late) == date(2025, 3, 2)
    with pytest.raises(InvalidRequestError):
        run_until(date(2026, 3, 2), SELLER, late)


def test_a_run_bills_no_cycle_that_has_not_ended_where_the_account_is() -> None:
    midnight = datetime(2026, 3, 1, 5, tzinfo=UTC)  # in New York
    cycle = OpenCycle(
        date(2026, 3, 1),
        BillingPeriod(datetime(2026, 2, 1, 5, tzinfo=UTC), midnight),
        "America/New_York",
    )

    def due(until: date, now: datetime) -> bool:
        return is_due(cycle, until, now)

    assert not due(date(2026, 3, 1), midnight - timedelta(microseconds=1))
    assert due(date(2026, 3, 1), midnight)
    assert not due(date(2026, 2, 28), midnight)


def test_messages_say_all_of_a_batch() -> None:
    from billing.adapters.queues import _message, to_batch

    batch = Batch("demo", "run", 7, ENDS_ON, ["1", "2"])

    assert to_batch(_message(batch)) == batch
