"""Refunds: how they change, how far they are, and what others can do to them meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.credit_notes import Creditable
from billing.domain.cycles import ClosedCycle, ClosedCycles, CycleDocuments, OpenCycle, Part
from billing.domain.errors import (
    ContentionError,
    CycleBeingBilledError,
    CycleMovedError,
    ExternalIdChangedError,
    NotFoundError,
    PreconditionFailedError,
    RefundExceedsMovementError,
    RefundNotCreditableError,
    RefundWithdrawnError,
)
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.invoices import InvoiceKey, InvoiceSummary, Line
from billing.domain.money import Money
from billing.domain.movements import Movement, MovementKey
from billing.domain.periods import BillingPeriod, Moment
from billing.domain.refunds import NewRefund, Refund, RefundKey, RefundStatus, Reservation
from billing.domain.tokens import EVERY_ACCOUNT, Reach
from billing.services.change_refund import replace_refund, withdraw_refund
from billing.services.issue_refund import issue_refund
from tests.sample_invoices import invoice, line
from tests.unit.test_movements import asked, charged

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
NOVEMBER, DECEMBER = date(2026, 11, 30), date(2026, 12, 31)
REQUEST = NewRefund(
    at=Moment.of("2026-11-21T10:00:00Z"),
    period=None,
    amount=asked("12.1", "10"),
    billable=True,
    external_id="refund-1",
    external_invoice_id=None,
    transaction_type_id=None,
    description="Three days without service",
)
EXTERNAL = ExternalId("refund-1", "fingerprint")
MOVEMENT = charged()
KEY = RefundKey(MOVEMENT.key, "refund")
REFUND = Refund.pending(KEY, REQUEST, MOVEMENT, NOVEMBER, NOW)


def test_is_replaced_but_for_its_external_id_and_type_of_transaction() -> None:
    products = replace(REFUND, request=replace(REQUEST, transaction_type_id="router"))
    request = replace(REQUEST, amount=asked("24.2", "20"), description="Six days")

    replaced = products.replaced(request, MOVEMENT, LATER)

    assert replaced.request == replace(request, transaction_type_id="router")
    assert (replaced.version, replaced.created_at, replaced.updated_at) == (2, NOW, LATER)
    assert replaced.says(request)
    assert not products.says(request)
    with pytest.raises(ExternalIdChangedError, match="'refund-1'"):
        products.replaced(replace(request, external_id="refund-2"), MOVEMENT, LATER)
    anonymous = replace(products, request=replace(products.request, external_id=None))
    with pytest.raises(ExternalIdChangedError, match="without an external id"):
        anonymous.replaced(request, MOVEMENT, LATER)


def test_is_replaced_by_no_more_than_it_frees() -> None:
    spent = MOVEMENT.amount
    movement = replace(MOVEMENT, refunded=spent.gross, refunded_net=spent.net)

    REFUND.replaced(replace(REQUEST, amount=asked("12.1", "10")), movement, LATER)
    with pytest.raises(RefundExceedsMovementError):
        REFUND.replaced(replace(REQUEST, amount=asked("12.11", "10.01")), movement, LATER)


def closed(**documents: CycleDocuments | None) -> ClosedCycles:
    ends_on = {"november": NOVEMBER, "december": DECEMBER}
    return {ends_on[name]: ClosedCycle(ends_on[name], each) for name, each in documents.items()}


def issued(ordinal: int, **credit_notes: int) -> CycleDocuments:
    """Return the documents of a cycle: one in EUR, and credit notes for earlier invoices."""
    notes = {int(original[1:]): note for original, note in credit_notes.items()}
    return CycleDocuments((Part("EUR", "", ordinal),), notes)


ISSUED = issued(7)
OF_INVOICE_7 = Reservation(ordinal=7, line=1)


@pytest.mark.parametrize(
    ("refund", "cycles", "status", "invoice"),
    [
        pytest.param({}, {}, RefundStatus.PENDING, None, id="open"),
        pytest.param({}, closed(november=None), RefundStatus.PENDING, None, id="closed"),
        pytest.param({}, closed(november=ISSUED), RefundStatus.BILLED, 7, id="with its movement"),
        pytest.param(
            {"cycle": DECEMBER}, closed(november=ISSUED), RefundStatus.PENDING, None, id="later"
        ),
        pytest.param(
            {"cycle": DECEMBER, "reservation": OF_INVOICE_7},
            closed(november=ISSUED, december=issued(8, _7=9)),
            RefundStatus.BILLED,
            9,
            id="by a credit note of the movement's invoice",
        ),
        pytest.param(
            {"cycle": DECEMBER},
            closed(november=CycleDocuments(), december=issued(8, _6=9)),
            RefundStatus.BILLED,
            8,
            id="of a movement that no invoice has",
        ),
        pytest.param(
            {"request": replace(REQUEST, billable=False)},
            closed(november=None),
            RefundStatus.SETTLED,
            None,
            id="elsewhere",
        ),
    ],
)
def test_tells_how_far_it_is(
    refund: dict[str, object], cycles: ClosedCycles, status: RefundStatus, invoice: int | None
) -> None:
    changed = replace(REFUND, **refund)  # type: ignore[arg-type]

    assert (changed.status(cycles), changed.invoice(cycles)) == (status, invoice)


@dataclass
class Table:
    """One refund and its movement, and what others do between a read and a write."""

    refund: Refund | None = REFUND
    movement: Movement = MOVEMENT
    taken: IdempotencyRecord | None = None
    open_cycle: date = NOVEMBER
    original: Creditable | None = None
    others: list["Table"] = field(default_factory=list)
    reads: int = 0

    def get_for_issue(
        self, key: MovementKey, external: ExternalId | None
    ) -> tuple[Movement, IdempotencyRecord | None]:
        self.reads += 1
        return self.movement, self.taken

    def get_for_change(self, key: RefundKey) -> tuple[Refund, Movement]:
        self.reads += 1
        if self.refund is None:
            raise NotFoundError
        return self.refund, self.movement

    def find(self, key: RefundKey) -> Refund | None:
        return self.refund

    def add(
        self,
        refund: Refund,
        movement: Movement,
        original: Creditable | None,
        external: ExternalId | None,
    ) -> None:
        self._let_others()
        if refund.cycle != self.open_cycle:
            raise CycleMovedError(self.open_cycle)
        self.refund, self.original = refund, original

    def replace(
        self,
        refund: Refund,
        replaced: Refund,
        movement: Movement,
        original: Creditable | None,
    ) -> None:
        self._let_others()
        self.refund, self.original = replaced, original

    def remove(self, refund: Refund, movement: Movement, original: Creditable | None) -> None:
        self._let_others()
        self.refund, self.original = None, original

    def find_closed(self, *_: object) -> ClosedCycles:
        return closed(november=ISSUED) if self.open_cycle == DECEMBER else {}

    def get_open(self, *_: object) -> tuple[OpenCycle, ClosedCycle | None]:
        return OpenCycle(self.open_cycle, BillingPeriod(NOW, NOW), "UTC"), self.find_closed().get(
            NOVEMBER
        )

    def get_creditables(self, keys: Sequence[InvoiceKey]) -> dict[InvoiceKey, Creditable]:
        return {key: self.original for key in keys if self.original}

    def _let_others(self) -> None:
        if self.others:
            other = self.others.pop(0)
            self.refund, self.movement, self.taken = other.refund, other.movement, other.taken
            raise ContentionError


def issue(table: Table, external: ExternalId | None = EXTERNAL) -> Created:
    return issue_refund(
        MOVEMENT.key,
        REQUEST,
        external,
        now=NOW,
        org_time=NOW,
        reach=EVERY_ACCOUNT,
        refunds=table,
        cycles=table,
        invoices=table,
    )


def put(table: Table, request: NewRefund, *versions: int) -> int:
    return replace_refund(
        KEY,
        request,
        versions=versions or None,
        now=LATER,
        reach=EVERY_ACCOUNT,
        refunds=table,
        cycles=table,
        invoices=table,
    )


def withdraw(table: Table, *versions: int) -> None:
    withdraw_refund(
        KEY, versions=versions or None, reach=EVERY_ACCOUNT, refunds=table, invoices=table
    )


def test_goes_into_the_cycle_that_is_open_where_the_guess_was_wrong() -> None:
    monthly = replace(MOVEMENT, billing_day=30)
    table = Table(movement=monthly, open_cycle=DECEMBER, original=invoiced())

    issue(table)

    assert monthly.likely_cycle(NOW) == NOVEMBER
    assert table.refund is not None
    assert (table.refund.cycle, table.reads) == (DECEMBER, 2)


def invoiced(*lines: Line) -> Creditable:
    """Return the invoice that charges the movement; with more lines, if any."""
    plan = replace(line("Plan", "1", "100"), movement_id=MOVEMENT.key.id)
    document = invoice(plan, *lines)
    return Creditable(document, InvoiceSummary.of(document, "hash"), {}, {}, 0)


def test_reserves_its_net_on_the_invoice_of_its_movement() -> None:
    table = Table(open_cycle=DECEMBER, original=invoiced())

    issue(table)

    assert table.refund is not None
    assert table.refund.reservation == Reservation(ordinal=invoiced().invoice.key.ordinal, line=1)
    assert table.original is not None
    assert table.original.reserved == {1: Money(1000, "EUR")}


def test_is_refused_where_an_allowance_left_less_on_the_invoice() -> None:
    allowance = line("Discount", "1", "-95")

    with pytest.raises(RefundNotCreditableError, match=r"\(10\.00 EUR\) exceeds .* \(5\.00 EUR\)"):
        issue(Table(open_cycle=DECEMBER, original=invoiced(allowance)))


def test_waits_while_its_movement_is_being_invoiced() -> None:
    class BeingBilled(Table):
        def find_closed(self, *_: object) -> ClosedCycles:
            return closed(november=None)

    with pytest.raises(CycleBeingBilledError):
        issue(BeingBilled(open_cycle=DECEMBER))


def test_a_change_moves_its_reservation() -> None:
    table = Table(open_cycle=DECEMBER, original=invoiced())
    issue(table)

    put(table, replace(REQUEST, amount=asked("24.2", "20")))
    assert table.original is not None
    assert table.original.reserved == {1: Money(2000, "EUR")}

    put(table, replace(REQUEST, billable=False))
    assert table.original.reserved == {}
    assert table.refund is not None
    assert table.refund.reservation is None

    put(table, REQUEST)
    assert table.original.reserved == {1: Money(1000, "EUR")}

    withdraw(table)
    assert table.original.reserved == {}


def test_answers_that_it_was_withdrawn_where_its_old_body_comes_again() -> None:
    with pytest.raises(RefundWithdrawnError):
        issue(Table(refund=None, taken=IdempotencyRecord("refund", "fingerprint")))


def test_is_a_replay_where_a_twin_was_faster() -> None:
    twin = Table(taken=IdempotencyRecord("refund", "fingerprint"))

    assert issue(Table(others=[twin])) == Created("refund", replayed=True, version=1)


def test_exceeds_the_movement_where_others_took_the_rest() -> None:
    amount = MOVEMENT.amount
    spent = Table(movement=replace(MOVEMENT, refunded=amount.gross, refunded_net=amount.net))

    with pytest.raises(RefundExceedsMovementError):
        issue(Table(others=[spent]))


def test_goes_on_where_others_withdrew() -> None:
    assert not issue(Table(others=[Table(), Table()]), None).replayed


def test_replaces_what_others_replaced_unless_a_version_is_named() -> None:
    request = replace(REQUEST, description="Six days")
    others = Table(refund=replace(REFUND, version=2))

    assert put(Table(others=[others]), request) == 3
    with pytest.raises(PreconditionFailedError):
        put(Table(others=[others]), request, 1)


def test_says_again_what_is_said_without_writing_it() -> None:
    said = Table(refund=replace(REFUND, version=2), others=[Table()])

    assert put(said, REQUEST) == 2
    assert put(said, REQUEST, 2) == 2
    assert put(said, REQUEST, 1) == 2
    assert said.others
    with pytest.raises(PreconditionFailedError):
        put(said, REQUEST, 3)


def test_is_withdrawn_where_others_withdrew_it_meanwhile() -> None:
    withdraw(Table(others=[Table(refund=None)]))
    with pytest.raises(NotFoundError):
        withdraw(Table(refund=None))


def test_is_not_withdrawn_where_others_replaced_the_version_that_was_named() -> None:
    others = Table(refund=replace(REFUND, version=2))

    with pytest.raises(PreconditionFailedError):
        withdraw(Table(others=[others]), 1)


def test_hides_what_is_out_of_reach() -> None:
    with pytest.raises(NotFoundError):
        issue_refund(
            MOVEMENT.key,
            REQUEST,
            EXTERNAL,
            now=NOW,
            org_time=NOW,
            reach=Reach.of(["another"]),
            refunds=Table(),
            cycles=Table(),
            invoices=Table(),
        )
