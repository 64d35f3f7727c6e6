"""What a cycle is billed by, and what becomes of cycles."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.domain.billing_runs import Batch, BillingRun, RunStatus, run_until
from billing.domain.cycle_invoices import CycleContents, draft_bill
from billing.domain.cycles import (
    BillableAccount,
    ClosedCycle,
    ClosingCycle,
    CycleDocuments,
    OpenCycle,
)
from billing.domain.errors import InvalidRequestError
from billing.domain.invoices import Draft, InvoiceKind, LinePeriod
from billing.domain.money import Money
from billing.domain.movements import (
    Movement,
    MovementKey,
    MovementKind,
    NewMovement,
    OperationType,
)
from billing.domain.periods import BillingPeriod, Moment, MomentPeriod
from billing.domain.refunds import NewRefund, Refund, RefundKey
from billing.domain.tax import AskedAmount, Tax
from tests.sample_invoices import BUYER, CYCLE, IVA, SELLER

NOW = datetime(2026, 2, 10, tzinfo=UTC)
ENDS_ON = date(2026, 3, 1)
FOLLOWING = OpenCycle(date(2026, 4, 1), CYCLE.end)
CLOSING = ClosingCycle(BUYER, ENDS_ON, CYCLE, CycleDocuments(), FOLLOWING)


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
    )


def _refund(of: Movement, net: str) -> Refund:
    request = NewRefund(
        at=Moment.of("2026-02-11T00:00:00Z"),
        period=None,
        amount=_amount(net),
        billable=True,
        external_id="r",
        external_invoice_id=None,
        transaction_type_id=None,
        description="refund",
    )
    key = RefundKey(of.key, f"r{net}")
    return Refund(key, request, BUYER.id, "EUR", IVA, ENDS_ON, of.cycle, 1, NOW, NOW)


def _draft(*movements: Movement, refunds: tuple[Refund, ...] = ()) -> tuple[list[Draft], list[str]]:
    contents = CycleContents(movements, (), refunds, {})
    bill = draft_bill(SELLER, CLOSING, contents, [], is_last=True)
    return list(bill.invoices), list(bill.uncredited)


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
    [[invoice], _] = _draft(_movement("10", period=_moments(start, end)))

    assert invoice.lines[0].period == LinePeriod(first, last)
    assert invoice.description == "2026-02-01 – 2026-02-28"


def test_nothing_but_zeros_is_nothing_to_bill() -> None:
    assert _draft() == ([], [])
    assert _draft(_movement("0")) == ([], [])


def test_what_comes_out_at_zero_is_an_invoice_and_below_it_a_credit_note() -> None:
    allowance = _movement("20", MovementKind.DISCOUNT, OperationType.CREDIT)

    [[at_zero], _] = _draft(_movement("20.00"), allowance)
    [[below], _] = _draft(_movement("19.99"), allowance)

    assert (at_zero.kind, at_zero.gross.minor) == (InvoiceKind.INVOICE, 0)
    assert (below.kind, below.gross.minor) == (InvoiceKind.CREDIT_NOTE, -1)


def test_refunds_that_rounding_lets_through_give_back_no_more_than_the_movement() -> None:
    movement = _movement("0.10")
    refunds = tuple(
        replace(refund, key=RefundKey(movement.key, f"r{number}"))
        for number, refund in enumerate([_refund(movement, "0.02")] * 6)
    )

    [[invoice], uncredited] = _draft(movement, refunds=refunds)

    assert invoice.gross.minor == 0
    assert len(uncredited) == 1
    assert "r5" in uncredited[0]


@pytest.mark.parametrize(
    ("billing_day", "ends_on", "following"),
    [
        pytest.param(31, date(2026, 1, 31), date(2026, 2, 28), id="a short month"),
        pytest.param(31, date(2026, 2, 28), date(2026, 3, 31), id="the anchor stays"),
        pytest.param(15, date(2026, 2, 28), date(2026, 3, 15), id="another anchor since then"),
    ],
)
def test_a_cycle_begins_where_the_one_before_it_ends(
    billing_day: int, ends_on: date, following: date
) -> None:
    start = datetime(2025, 12, 30, 23, tzinfo=UTC)
    account = replace(BUYER, billing_day=billing_day)

    closing = BillableAccount(account, OpenCycle(ends_on, start), None).close()

    assert closing.following.ends_on == following
    assert closing.period == BillingPeriod(start, closing.following.starts_at)


def test_an_account_is_due_for_the_cycle_that_is_being_billed() -> None:
    assert BillableAccount(BUYER, FOLLOWING, CLOSING).due_on == ENDS_ON
    assert BillableAccount(BUYER, FOLLOWING, None).due_on == FOLLOWING.ends_on


def test_only_invoices_can_be_credited() -> None:
    closed = ClosedCycle(ENDS_ON, CycleDocuments({"EUR": 1, "JPY": 2}, {}, frozenset({"JPY"})))

    assert [closed.creditable_in(each) for each in ("EUR", "JPY", "USD")] == [1, None, None]
    assert ClosedCycle(ENDS_ON, None).creditable_in("EUR") is None


def test_a_run_is_completed_once_all_that_was_listed_is_done() -> None:
    run = BillingRun("demo", "run", ENDS_ON, NOW, accounts_total=2, accounts_done=2)

    assert run.status is RunStatus.RUNNING
    assert replace(run, is_listed=True).status is RunStatus.COMPLETED
    assert replace(run, is_listed=True, accounts_done=1).status is RunStatus.RUNNING


def test_a_run_bills_until_today_where_the_org_is() -> None:
    late = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)

    assert run_until(None, SELLER, late) == date(2026, 3, 1)
    assert run_until(date(2027, 3, 2), SELLER, late) == date(2027, 3, 2)
    with pytest.raises(InvalidRequestError):
        run_until(date(2027, 3, 3), SELLER, late)


def test_messages_say_all_of_a_batch() -> None:
    from billing.adapters.queues import _message, to_batch

    batch = Batch("demo", "run", 7, ENDS_ON, ["1", "2"])

    assert to_batch(_message(batch)) == batch
