"""A refund that was accepted is given back in full, whatever else happens to its invoice."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from billing import clock
from billing.domain.credit_notes import Creditable, LineCredit
from billing.domain.errors import (
    BillingError,
    CreditExceedsInvoiceError,
    CycleBeingBilledError,
    NotFoundError,
    RefundExceedsMovementError,
    RefundNotCreditableError,
    RefundNotPendingError,
)
from billing.domain.idempotency import ExternalId
from billing.domain.invoices import InvoiceKey
from billing.domain.money import Money
from billing.domain.refunds import RefundKey
from billing.persistence.accounts import AccountRepository
from billing.persistence.cycles import CycleRepository
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.issuing import IssuingRepository
from billing.persistence.refunds import RefundRepository
from billing.services.credit_invoice import credit_invoice
from tests.integration.billing import (
    Runs,
    audited,
    charge,
    documents,
    give_back,
    issued,
    money,
)
from tests.integration.conftest import Answer, Invoker
from tests.integration.faults import Fault, Faulty, hang, lose_the_answer, throttle
from tests.integration.ledger import amount
from tests.integration.test_refund_races import Hands, at_once

FIRST, SECOND, THIRD = "2026-12-01", "2027-01-01", "2027-02-01"
ZERO = Money.zero("EUR")


def _ask(billed: Invoker, movement: str, gross: float, net: float, **body: Any) -> Answer:
    fields = {
        "external_refund_unique_id": uuid4().hex,
        "amount": money(gross, net),
        "period_start_datetime": None,
        "period_end_datetime": None,
        **body,
    }
    return billed("refunds_create", fields, movementId=movement)


def _refundable(billed: Invoker, movement: str) -> float:
    return float(billed("movements_get", movementId=movement).json["refundable"])


@pytest.fixture
def allowed(billed: Invoker, runs: Runs) -> str:
    """Invoice a charge of 121 EUR less an allowance of 96.80: 24.20 EUR; return the charge."""
    movement = charge(billed)
    charge(billed, 96.8, 80, operation_type="CREDIT", kind="discount", description="Discount")
    assert runs.run(until=FIRST)["invoices_issued"] == 1
    return movement


def test_what_an_allowance_left_is_all_that_can_be_refunded(
    billed: Invoker, runs: Runs, allowed: str
) -> None:
    assert _refundable(billed, allowed) == 24.2

    refused = _ask(billed, allowed, 60.5, 50)
    accepted = _ask(billed, allowed, 24.2, 20)
    more = _ask(billed, allowed, 0.01, 0.01)

    assert (refused.status, refused.json["code"]) == (409, "REFUND_NOT_CREDITABLE")
    assert "20.00 EUR" in refused.json["message"]
    assert (accepted.status, more.status) == (201, 409)
    assert _refundable(billed, allowed) == 0
    assert runs.run(until=SECOND)["failures"] == []
    _, note = documents(billed)
    assert (note["amountIncVat"], note["amountExclVat"]) == ("-2420", "-2000")
    refund = billed("refunds_get", movementId=allowed, refundId=accepted.json["id"]).json
    assert (refund["status"], refund["invoice_id"]) == ("billed", "2")


def test_a_wholly_credited_invoice_takes_no_refund(billed: Invoker, runs: Runs) -> None:
    movement = charge(billed)
    runs.run(until=FIRST)
    assert billed("invoices_credit").status == 201

    assert _refundable(billed, movement) == 0
    assert _ask(billed, movement, 12.1, 10).json["code"] == "REFUND_NOT_CREDITABLE"
    assert _ask(billed, movement, 12.1, 10, billable=False).status == 201


def test_waits_while_its_movement_is_closed_and_not_invoiced(billed: Invoker, runs: Runs) -> None:
    movement = charge(billed)
    runs.start(until=FIRST)
    runs.list_accounts()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("billing.services.bill_accounts.draft_bill", _fail)
        runs.bill()

    refused = _ask(billed, movement, 12.1, 10)
    elsewhere = _ask(billed, movement, 12.1, 10, billable=False)

    assert (refused.status, refused.json["code"]) == (409, "CYCLE_BEING_BILLED")
    assert int(refused.headers["retry-after"]) > 0
    assert elsewhere.status == 201
    runs.run(until=FIRST)
    assert _ask(billed, movement, 12.1, 10).status == 201


def _fail(*_: Any) -> Any:
    raise BillingError("Something went wrong on our side.")


def test_put_and_delete_move_the_reservation(billed: Invoker, allowed: str) -> None:
    refund = give_back(billed, allowed)

    def put(gross: float, net: float, **body: Any) -> int:
        current = billed("refunds_get", movementId=allowed, refundId=refund).json
        fields = {
            "external_refund_unique_id": current["external_refund_unique_id"],
            "amount": money(gross, net),
            "period_start_datetime": None,
            "period_end_datetime": None,
            **body,
        }
        return billed("refunds_put", fields, movementId=allowed, refundId=refund).status

    assert _refundable(billed, allowed) == 12.1
    assert put(24.21, 20.01) == 409
    assert put(24.2, 20) == 204
    assert _refundable(billed, allowed) == 0
    assert put(24.2, 20, billable=False) == 204
    assert _refundable(billed, allowed) == 24.2
    assert _ask(billed, allowed, 12.1, 10).status == 201
    assert put(24.2, 20) == 409
    assert put(12.1, 10) == 204
    assert _refundable(billed, allowed) == 0
    assert billed("refunds_delete", movementId=allowed, refundId=refund).status == 204
    assert _refundable(billed, allowed) == 12.1


def test_the_old_body_of_a_withdrawn_refund_says_so(billed: Invoker, allowed: str) -> None:
    body = {"external_refund_unique_id": "once", "amount": money(12.1, 10)}
    period = {"period_start_datetime": None, "period_end_datetime": None}
    refund = billed("refunds_create", {**body, **period}, movementId=allowed).json["id"]
    assert billed("refunds_delete", movementId=allowed, refundId=refund).status == 204

    again = billed("refunds_create", {**body, **period}, movementId=allowed)

    assert (again.status, again.json["code"]) == (409, "REFUND_WITHDRAWN")


def test_takes_three_reads_and_one_transaction(
    billed: Invoker, allowed: str, aws_calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 12, 5, tzinfo=UTC))
    aws_calls()

    assert _ask(billed, allowed, 12.1, 10).status == 201

    assert aws_calls() == ["BatchGetItem"] * 3 + ["TransactWriteItems"]


def test_racing_refunds_and_credit_notes_never_take_more_than_there_is(
    billed: Invoker, runs: Runs
) -> None:
    hands = Hands(billed)
    runs.run(until=FIRST)
    key = InvoiceKey(billed.org_id, "100001", 1)

    whole = {"period_start_datetime": None, "period_end_datetime": None}

    def refund(number: int) -> str:
        try:
            hands.issue(f"r{number}", amount=money(12.1, 10), **whole)
        except BillingError as error:
            return error.code
        return "accepted"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(refund, range(15)))

    assert outcomes.count("accepted") == 10
    assert set(outcomes) <= {"accepted", "REFUND_NOT_CREDITABLE", "REFUND_EXCEEDS_MOVEMENT"}
    original = InvoiceRepository().get_creditables([key])[key]
    assert original.reserved[1].minor == 10_000
    assert billed("invoices_credit").json["code"] == "CREDIT_EXCEEDS_INVOICE"
    assert runs.run(until=SECOND)["failures"] == []
    _, note = documents(billed)
    assert note["amountIncVat"] == "-12100"
    assert audited(billed.org_id) == 2


class Notes:
    """Credit notes of the first invoice that are asked for while others refund its movement."""

    def __init__(self, org_id: str) -> None:
        self.original = InvoiceKey(org_id, "100001", 1)

    def credit(self, external_id: str, cents: int | None) -> str:
        """Credit so much of the invoice's only line, or all that is left; return the document."""
        lines = None if cents is None else [LineCredit(1, Decimal(cents) / 100)]
        created = credit_invoice(
            self.original,
            external_id,
            lines,
            ExternalId(external_id, f"{cents}"),
            now=clock.now(),
            profiles=AccountRepository(),
            rates=ExchangeRateRepository(),
            issuing=IssuingRepository(),
        )
        return created.id

    def creditable(self) -> Creditable:
        return InvoiceRepository().get_creditables([self.original])[self.original]


REFUSED_IN_A_RACE = (
    CreditExceedsInvoiceError,
    CycleBeingBilledError,
    NotFoundError,
    RefundExceedsMovementError,
    RefundNotCreditableError,
    RefundNotPendingError,
)


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_refunds_race_credit_notes_and_a_run_and_each_is_given_back_to_the_cent(
    billed: Invoker, runs: Runs, seed: int
) -> None:
    hands, notes, dice = Hands(billed), Notes(billed.org_id), random.Random(seed)
    runs.run(until=FIRST)
    whole = {"period_start_datetime": None, "period_end_datetime": None}
    said: dict[str, list[tuple[int, bool]]] = {}
    """The amounts that were accepted of each refund, and whether it is billable, by its id."""
    withdrawn, credited = set[str](), dict[str, int | None]()

    def issue(external_id: str, net: int, *, billable: bool) -> RefundKey:
        fields = {"amount": amount(gross(net) / 100, net / 100), "billable": billable, **whole}
        key, _ = hands.issue(external_id, **fields)
        said.setdefault(key.id, []).append((net, billable))
        return key

    def replace(key: RefundKey, external_id: str, net: int, *, billable: bool) -> None:
        fields = {"amount": amount(gross(net) / 100, net / 100), "billable": billable, **whole}
        hands.replace(key, external_id, **fields)
        said[key.id].append((net, billable))

    def withdraw(key: RefundKey) -> None:
        hands.withdraw(key)
        withdrawn.add(key.id)

    def credit(external_id: str, cents: int | None) -> None:
        credited[notes.credit(external_id, cents)] = cents

    known = [(issue(f"r{n}", 500, billable=True), f"r{n}") for n in range(8)]
    actions: list[Callable[[], Any]] = []
    for n in range(20):
        net, billable = dice.randint(1, 1500), dice.random() < 0.8
        actions += [
            partial(issue, f"new-{n}", net, billable=billable),
            partial(replace, *dice.choice(known[:6]), dice.randint(1, 1500), billable=billable),
        ]
        if n % 2:
            actions.append(partial(credit, f"part-{n}", dice.randint(1, 700)))
    actions += [partial(withdraw, key) for key, _ in known[3:]]
    dice.shuffle(actions)
    runs.start(until=SECOND)
    actions.insert(len(actions) // 2, runs.deliver)
    actions[-6:-6] = [partial(credit, f"all-{n}", None) for n in range(2)]

    answers = at_once(actions)
    original = notes.creditable()
    last = runs.run(until=THIRD)

    assert {type(each) for each in answers if isinstance(each, Exception)} <= set(REFUSED_IN_A_RACE)
    assert last["failures"] == []
    assert credited
    assert original.credited[1].minor + original.reserved.get(1, ZERO).minor <= 10_000
    live = {each.key.id: each for each in RefundRepository().list_page(hands.movement, None, 1000)}
    assert live.keys() == said.keys() - withdrawn
    for key, each in live.items():
        assert (each.amount.net.minor, each.request.billable) in said[key]
    accepted = [each.amount.net.minor for each in live.values() if each.request.billable]
    given_back = list[int]()
    for document in issued(billed.org_id, "100001"):
        nets = [-line.net.minor for line in document.lines]
        if (ordinal := str(document.key.ordinal)) in credited:
            assert credited.pop(ordinal) in (*nets, None)
        elif document.corrects:
            given_back += nets
    assert not credited
    assert sorted(given_back) == sorted(accepted)
    after = notes.creditable()
    assert after.reserved == {}
    in_all = sum(
        -each.gross.minor for each in issued(billed.org_id, "100001") if each.corrects is not None
    )
    assert in_all == gross(after.credited[1].minor) <= 12_100
    audited(billed.org_id)


def gross(net: int) -> int:
    """Add tax at 21 %, half up."""
    return net + (net * 21 + 50) // 100


# ---------------------------------------------------------------- whatever fails

CALLS = {"create": 4, "replace": 3, "withdraw": 3}
"""How many calls each write makes; the last is the transaction."""
FAULTS = {"hangs": hang, "is throttled": throttle, "loses its answer": lose_the_answer}


@pytest.fixture
def invoiced(billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> str:
    """Invoice a charge of 121 EUR, and let December begin; return the charge."""
    movement = charge(billed)
    assert runs.run(until=FIRST)["invoices_issued"] == 1
    runs.reach("2026-12-05")
    monkeypatch.setattr("time.sleep", lambda _: None)
    return movement


def _writes(billed: Invoker, movement: str) -> dict[str, Callable[[], Answer]]:
    """Return a creation, a replacement and a withdrawal, each of a refund of its own."""
    whole = {"period_start_datetime": None, "period_end_datetime": None}
    made = [give_back(billed, movement, external_refund_unique_id=f"r{n}") for n in range(2)]
    put = {"external_refund_unique_id": "r0", "amount": money(24.2, 20), **whole}
    new = {"external_refund_unique_id": "new", "amount": money(36.3, 30), **whole}
    return {
        "create": lambda: billed("refunds_create", new, movementId=movement),
        "replace": lambda: billed("refunds_put", put, movementId=movement, refundId=made[0]),
        "withdraw": lambda: billed("refunds_delete", movementId=movement, refundId=made[1]),
    }


def _holds_what_is_live(billed: Invoker, movement: str) -> None:
    """Check that the invoice reserves the very refunds that there are."""
    key = InvoiceKey(billed.org_id, "100001", 1)
    reserved = InvoiceRepository().get_creditables([key])[key].reserved
    listed = billed("movements_list_refunds", movementId=movement).json["refunds"]
    live = sum(round(100 * each["amount"]["value_without_taxes"]) for each in listed)
    assert sum(net.minor for net in reserved.values()) == live


@pytest.mark.faults
@pytest.mark.parametrize("write", ["create", "replace", "withdraw"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_reservation_and_its_refund_are_written_together(
    billed: Invoker, invoiced: str, dynamodb: Any, write: str, nth: int, fault: Fault
) -> None:
    send = _writes(billed, invoiced)[write]

    with Faulty(dynamodb, nth, fault, times=10_000):
        first = send()
    _holds_what_is_live(billed, invoiced)
    again = send()

    success = 201 if write == "create" else 204
    is_hit = nth <= CALLS[write]
    is_done = not is_hit or (nth == CALLS[write] and fault is lose_the_answer)
    assert first.status >= 500 if is_hit else first.status == success
    assert again.status == (404 if write == "withdraw" and is_done else success)
    if write == "create":
        assert ("idempotent-replayed" in again.headers) == is_done
    _holds_what_is_live(billed, invoiced)


@pytest.mark.faults
def test_a_run_that_fails_between_closing_and_issuing_credits_all_of_it_later(
    billed: Invoker, runs: Runs, invoiced: str, dynamodb: Any
) -> None:
    refund = give_back(billed, invoiced, 36.3, 30)
    runs.start(until=SECOND)
    runs.list_accounts()
    [message] = runs.batches()
    with Faulty(dynamodb, 4, hang, times=10_000):
        failed = runs.again("bill_accounts", message)
    _holds_what_is_live(billed, invoiced)
    locked = billed("refunds_delete", movementId=invoiced, refundId=refund)

    done = runs.again("bill_accounts", message)

    assert (len(failed["batchItemFailures"]), done["batchItemFailures"]) == (1, [])
    assert (locked.status, locked.json["code"]) == (409, "REFUND_NOT_PENDING")
    _, note = documents(billed)
    assert note["amountIncVat"] == "-3630"
    key = InvoiceKey(billed.org_id, "100001", 1)
    assert InvoiceRepository().get_creditables([key])[key].reserved == {}


# ---------------------------------------------------------------- where other features meet it


def test_refunds_too_long_for_one_credit_note_are_given_back_in_the_originals_lines(
    billed: Invoker, runs: Runs
) -> None:
    movement = charge(billed, 12_100, 10_000)
    runs.run(until=FIRST)
    dice = random.Random(7)
    for _ in range(420):
        words = "".join(chr(dice.randrange(0x4E00, 0x9FF0)) for _ in range(500))
        give_back(billed, movement, 1.21, 1, description=words)

    run = runs.run(until=SECOND)

    assert run["failures"] == []
    _, note = documents(billed)
    assert note["amountIncVat"] == str(-420 * 121)
    assert len(note["items"]) == 1
    assert audited(billed.org_id) == 2


def test_cycles_read_on_either_side_of_a_run_are_read_again(
    billed: Invoker, invoiced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_open, reads = CycleRepository.get_open, []

    def torn(self: CycleRepository, *which: Any) -> Any:
        reads.append(which)
        opened, closed = get_open(self, *which)
        return opened, None if len(reads) == 1 else closed

    monkeypatch.setattr(CycleRepository, "get_open", torn)

    assert _ask(billed, invoiced, 121, 100).status == 201
    assert len(reads) == 2
    _holds_what_is_live(billed, invoiced)


def test_a_credit_note_by_lines_leaves_the_net_of_the_whole(billed: Invoker, runs: Runs) -> None:
    untaxed = {"tax": {"type": "NONE", "percentage": 0}}
    movement = charge(billed)
    allowance = {**money(50, 50), **untaxed}
    charge(billed, amount=allowance, operation_type="CREDIT", kind="discount")
    runs.run(until=FIRST)
    refund = give_back(billed, movement, 60.5, 50)

    credited = billed("invoices_credit", {"lines": [{"line": 1, "amount_without_taxes": 8.67}]})

    assert (credited.status, credited.json["code"]) == (409, "CREDIT_EXCEEDS_INVOICE")
    less = {
        "external_refund_unique_id": billed(
            "refunds_get", movementId=movement, refundId=refund
        ).json["external_refund_unique_id"],
        "amount": money(54.45, 45),
        "period_start_datetime": None,
        "period_end_datetime": None,
    }
    assert billed("refunds_put", less, movementId=movement, refundId=refund).status == 204


def test_a_page_of_movements_of_many_invoices_is_read(billed: Invoker, runs: Runs) -> None:
    for month in range(34):
        charge(billed)
        runs.run(until=f"{2026 + (11 + month) // 12}-{(11 + month) % 12 + 1:02}-01")

    page = billed("movements_list", query={"limit": "100"})

    assert page.status == 200
    assert len({each["invoice_id"] for each in page.json["movements"]}) == 34
