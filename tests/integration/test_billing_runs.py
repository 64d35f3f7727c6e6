"""Billing runs: cycles closed, gathered and issued, through the functions' handlers."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from billing.adapters.queues import BatchesQueue
from billing.domain.billing_runs import Batch
from billing.domain.credit_notes import Creditable
from billing.domain.cycle_invoices import CycleBill, Step, draft_bill
from billing.domain.errors import InvalidRequestError, UpstreamTimeoutError
from billing.domain.invoices import LinePeriod
from billing.domain.parties import Org
from billing.persistence.accounts import AccountRepository
from billing.services import bill_accounts
from tests.integration.billing import (
    Runs,
    audited,
    call,
    charge,
    documents,
    give_back,
    issued,
    money,
    set_rate,
    subscribers,
)
from tests.integration.conftest import EVENTS, Invoker, Json

CYCLES = ["2026-12-27", "2027-01-27", "2027-02-27", "2027-03-27"]
"""Each of these days is behind the end of one more cycle, of an account billed on the 31st."""

RANGE = {"start_date": "2026-01-01", "end_date": "2027-12-31"}


def _ended(runs: Runs, until: str) -> tuple[int, int, list[str]]:
    """Run billing; tell how many accounts are done, documents issued, and what failed."""
    ended = runs.run(until=until)
    assert ended["status"] == "completed"
    assert ended["accounts_done"] == ended["accounts_total"]
    failures = [each["code"] for each in ended["failures"]]
    return ended["accounts_done"], ended["invoices_issued"], failures


def _amounts(document: Json) -> list[tuple[str, str]]:
    return [(item["description"], item["amountExclVat"]) for item in document["items"]]


# -------------------------------------------------------------------- invoices


def test_bills_a_cycle(billed: Invoker, runs: Runs) -> None:
    movement = charge(billed)
    before = billed("movements_get", movementId=movement).json

    ended = runs.run(until=CYCLES[0])

    assert ended == {
        "id": ended["id"],
        "until": CYCLES[0],
        "created_at": ended["created_at"],
        "status": "completed",
        "accounts_total": 1,
        "accounts_done": 1,
        "invoices_issued": 1,
        "failures": [],
    }
    [invoice] = documents(billed)
    assert invoice["items"] == [
        {
            "orderId": "600123456",
            "description": "Fibra 600 Mb, noviembre",
            "periodFrom": "2026-11-01",
            "periodTo": "2026-11-30",
            "remarks": "",
            "quantity": 1,
            "setupCosts": "0",
            "unitPrice": "10000",
            "vatPercentage": 21,
            "vatAmount": "2100",
            "amountIncVat": "12100",
            "amountExclVat": "10000",
        }
    ]
    [in_v2] = billed("invoices_list_of_period", query=RANGE).json["invoices"]
    assert in_v2["cycle"] == {
        "start_date": "2026-10-30T23:00:00Z",
        "end_date": "2026-11-29T23:00:00Z",
    }
    after = billed("movements_get", movementId=movement).json
    assert (before["invoice_id"], after["invoice_id"]) == (None, "1")
    assert before["invoice_cycle_date"] == after["invoice_cycle_date"] == "2026-11-30"
    assert [each["id"] for each in billed("invoices_list_unpaid").json] == ["1"]


def test_lines_come_by_subscription_and_kind_and_each_tax_once(billed: Invoker, runs: Runs) -> None:
    def move(kind: str, net: float, **more: Any) -> str:
        fields = {"kind": kind, "description": kind, **more}
        return charge(billed, round(net * 1.21, 2), net, **fields)

    move("discount", 0.35, operation_type="CREDIT")
    move("one_off", 0.35)
    charged = move("recurring", 0.35)
    move("adjustment", 0.35)
    move("recurring", 0.35, subscriptionId="600000001", description="other")
    give_back(billed, charged, 0.13, 0.11, description="refund")
    usage = {
        "external_consumption_unique_id": "u",
        "type": "voice",
        "consumed_datetime": "2026-11-03T09:15:00Z",
        "units": 61,
        "unit": "seconds",
        "amount": money(0.42, 0.35),
    }
    assert billed("consumptions_create", {"records": [usage]}).status == 201
    billed("consumptions_create", {"records": [{**usage, "external_consumption_unique_id": "v"}]})
    charge(
        billed, 10, 10, kind="usage", description="usage",
        amount={**money(10, 10), "tax": {"type": "NONE", "percentage": 0}},
    )  # fmt: skip

    assert _ended(runs, CYCLES[0]) == (1, 1, [])

    [invoice] = documents(billed)
    assert _amounts(invoice) == [
        ("other", "35"),
        ("recurring", "35"),
        ("refund", "-11"),
        ("usage", "1000"),
        ("Voz", "70"),
        ("one_off", "35"),
        ("adjustment", "35"),
        ("discount", "-35"),
    ]
    assert invoice["items"][4]["remarks"] == "122 segundos"
    assert (invoice["amountExclVat"], invoice["vatAmount"]) == ("1164", "34")  # 21 % of 1.64


def test_each_currency_has_an_invoice_of_its_own(billed: Invoker, runs: Runs) -> None:
    in_euros = charge(billed)
    set_rate(billed.org_id, "JPY")
    in_yen = charge(billed, amount=money(121, 100, currency="JPY"))

    assert _ended(runs, CYCLES[0]) == (1, 2, [])

    assert [(each["currency"], each["amountIncVat"]) for each in documents(billed)] == [
        ("EUR", "12100"),
        ("JPY", "121"),
    ]
    told = [
        billed("movements_get", movementId=each).json["invoice_id"] for each in (in_euros, in_yen)
    ]
    assert told == ["1", "2"]


def test_nothing_to_bill_issues_nothing_and_moves_the_cycle_on(billed: Invoker, runs: Runs) -> None:
    charge(billed)
    assert _ended(runs, CYCLES[0]) == (1, 1, [])

    assert _ended(runs, CYCLES[0]) == (0, 0, [])
    assert _ended(runs, CYCLES[2]) == (1, 0, [])

    later = billed("movements_get", movementId=charge(billed)).json
    assert later["invoice_cycle_date"] == "2027-02-28"


def test_every_cycle_until_the_day_is_billed_in_its_order(billed: Invoker, runs: Runs) -> None:
    charge(billed)
    assert _ended(runs, CYCLES[0]) == (1, 1, [])
    charge(billed, 12.1, 10)

    assert _ended(runs, CYCLES[3]) == (1, 1, [])
    charge(billed, 1.21, 1)
    assert _ended(runs, "2027-04-30") == (1, 1, [])

    cycles = [each.cycle for each in issued(billed.org_id, "100001")]
    assert [(each.start.isoformat(), each.end.isoformat()) for each in cycles] == [
        ("2026-10-30T23:00:00+00:00", "2026-11-29T23:00:00+00:00"),
        ("2026-11-29T23:00:00+00:00", "2026-12-30T23:00:00+00:00"),
        ("2027-02-27T23:00:00+00:00", "2027-03-30T22:00:00+00:00"),
    ]


def test_a_closed_account_is_billed_what_it_was_charged_before(billed: Invoker, runs: Runs) -> None:
    charge(billed)
    billed("billing_info_put_account", {"closed": True})

    assert _ended(runs, CYCLES[0]) == (1, 1, [])


def test_an_invoice_of_a_thousand_movements(billed: Invoker, runs: Runs, aws_calls: Any) -> None:
    [subscriber] = subscribers(billed, 1)
    for cents in range(101, 1101):
        subscriber.charge(cents)
    run = runs.start(until=CYCLES[0])
    runs.list_accounts()
    aws_calls()

    runs.bill()

    calls = aws_calls()
    assert runs.get(run)["invoices_issued"] == 1
    [invoice] = issued(billed.org_id, "100001")
    assert len(invoice.lines) == 1000
    assert invoice.gross.minor == sum(range(101, 1101))
    assert len(calls) <= 6 + 1000 / 100
    assert audited(billed.org_id) == 1


def test_what_an_invoice_costs(billed: Invoker, runs: Runs, aws_calls: Any) -> None:
    for each in subscribers(billed, 10):
        each.charge()
    run = runs.start(until=CYCLES[0])
    aws_calls()
    runs.list_accounts()
    listing = aws_calls()

    runs.bill()

    billing = aws_calls()
    assert runs.get(run)["invoices_issued"] == 10
    assert sorted(set(billing)) == ["BatchGetItem", "Query", "TransactWriteItems"]
    assert billing.count("TransactWriteItems") == 3  # close, issue, count
    assert billing.count("BatchGetItem") == 3  # profiles and cycles, last numbers, counts
    assert (len(listing) + len(billing)) / 10 <= 6


def test_what_an_invoice_of_many_costs(billed: Invoker, runs: Runs, aws_calls: Any) -> None:
    for each in subscribers(billed, 50):
        each.charge()
    run = runs.start(until=CYCLES[0])
    aws_calls()
    runs.deliver()

    calls = len(aws_calls())

    assert runs.get(run)["invoices_issued"] == 50
    assert calls / 50 <= 1.6


# -------------------------------------------------------------------- credit notes


def test_what_is_refunded_of_an_invoice_becomes_a_credit_note(billed: Invoker, runs: Runs) -> None:
    movement, other = charge(billed), charge(billed, 60.5, 50)
    assert _ended(runs, CYCLES[0]) == (1, 1, [])
    refunds = [give_back(billed, movement, 36.3, 30), give_back(billed, other)]
    not_billable = give_back(billed, movement, billable=False)
    charge(billed, 24.2, 20)

    assert _ended(runs, CYCLES[1]) == (1, 2, [])

    invoice, note, next_invoice = documents(billed)
    assert (note["isCredit"], note["amountIncVat"], note["vatAmount"]) == (1, "-4840", "-840")
    assert [line for _, line in _amounts(note)] == ["-3000", "-1000"]
    assert (next_invoice["isCredit"], next_invoice["amountIncVat"]) == (0, "2420")
    [_, document, _] = issued(billed.org_id, "100001")
    assert document.corrects is not None
    assert document.corrects.number == invoice["invoiceNumber"]
    told = [
        billed("refunds_get", movementId=of, refundId=each).json
        for of, each in zip((movement, other), refunds, strict=True)
    ]
    assert [(each["status"], each["invoice_id"]) for each in told] == [("billed", "2")] * 2
    settled = billed("refunds_get", movementId=movement, refundId=not_billable).json
    assert (settled["status"], settled["invoice_id"]) == ("settled", None)
    listed = {each["id"]: each for each in billed("invoices_list").json}
    assert listed["1"]["remainingAmount"] == str(18150 - 4840)
    assert [each["id"] for each in billed("invoices_list_unpaid").json] == ["3", "1"]


def test_an_invoice_that_is_refunded_wholly_leaves_the_unpaid(billed: Invoker, runs: Runs) -> None:
    movement = charge(billed)
    _ended(runs, CYCLES[0])
    give_back(billed, movement, 121, 100)

    assert _ended(runs, CYCLES[1]) == (1, 1, [])

    assert billed("invoices_list_unpaid").json == []
    *_, original = billed("invoices_list_of_period", query=RANGE).json["invoices"]
    assert original["status"] == {"id": 4, "value": "ABONADO"}


def test_refunds_of_many_invoices_are_credited_step_by_step(billed: Invoker, runs: Runs) -> None:
    [subscriber] = subscribers(billed, 1)
    subscriber.charge()
    runs.run(until="2026-12-03")
    for month in range(1, 11):
        subscriber.charge()
        runs.run(until=f"2027-{month:02}-03")
    for movement in list(subscriber.movements):
        subscriber.give_back(movement, 300)
    subscriber.charge()

    assert _ended(runs, "2027-11-03")[1:] == (12, [])

    subscriber.check()
    notes = [each for each in documents(billed) if each["isCredit"]]
    assert len(notes) == 11


def test_more_allowances_than_charges_make_a_credit_note(billed: Invoker, runs: Runs) -> None:
    movement = charge(billed)
    charge(billed, 242, 200, operation_type="CREDIT", kind="discount", description="Rebate")
    assert _ended(runs, CYCLES[0]) == (1, 1, [])
    refund = give_back(billed, movement)

    assert _ended(runs, CYCLES[1]) == (1, 1, [])

    below_zero, refunded = documents(billed)
    assert _amounts(below_zero) == [("Fibra 600 Mb, noviembre", "10000"), ("Rebate", "-20000")]
    assert [each["isCredit"] for each in (below_zero, refunded)] == [1, 1]
    assert [each["amountIncVat"] for each in (below_zero, refunded)] == ["-12100", "-1210"]
    assert billed("refunds_get", movementId=movement, refundId=refund).json["invoice_id"] == "2"
    assert billed("invoices_list_unpaid").json == []


@pytest.mark.parametrize(
    ("lines", "credited"),
    [
        pytest.param([], "-10890", id="all that is not reserved"),
        pytest.param([{"line": 1, "amount_without_taxes": 40}], "-4840", id="a part"),
    ],
)
def test_a_credit_note_on_request_leaves_what_refunds_reserve(
    billed: Invoker, runs: Runs, lines: list[Json], credited: str
) -> None:
    movement = charge(billed)
    _ended(runs, CYCLES[0])
    refund = give_back(billed, movement)
    too_much = {"lines": [{"line": 1, "amount_without_taxes": 90.01}]}
    assert billed("invoices_credit", too_much).json["code"] == "CREDIT_EXCEEDS_INVOICE"
    assert billed("invoices_credit", {"lines": lines} if lines else {}).status == 201

    assert _ended(runs, CYCLES[1]) == (1, 1, [])

    _, *notes = documents(billed)
    assert [each["amountIncVat"] for each in notes] == [credited, "-1210"]
    told = billed("refunds_get", movementId=movement, refundId=refund).json
    assert (told["status"], told["invoice_id"]) == ("billed", "3")


# -------------------------------------------------------------------- runs


def test_a_failing_account_is_named_and_stops_nobody(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad, fine = subscribers(billed, 3)
    for each in (good, bad, fine):
        each.charge()

    def draft(org: Org, step: Step, originals: Sequence[Creditable]) -> CycleBill:
        if step.cycle.account.id == bad.account_id:
            raise InvalidRequestError.of("lines", "the total is too large")
        return draft_bill(org, step, originals)

    monkeypatch.setattr("billing.services.bill_accounts.draft_bill", draft)

    first = runs.run(until=CYCLES[0])
    again = runs.run(until=CYCLES[0])

    assert first["failures"] == [
        {
            "account_id": bad.account_id,
            "code": "INVALID_REQUEST",
            "message": "lines: the total is too large",
        }
    ]
    assert (first["accounts_done"], first["invoices_issued"]) == (3, 2)
    assert (again["accounts_done"], again["failures"]) == (1, first["failures"])
    good.check()
    fine.check()


def test_a_cycle_is_described_in_the_zone_that_it_was_opened_in(
    billed: Invoker, runs: Runs
) -> None:
    charge(billed)
    moved = {"time_zone": "America/New_York"}
    assert billed("billing_info_put_account", moved).status == 204

    runs.run(until=CYCLES[0])

    [invoice] = issued(billed.org_id, "100001")
    assert invoice.description == "2026-10-31 – 2026-11-29"
    assert invoice.lines[0].period == LinePeriod(date(2026, 11, 1), date(2026, 11, 30))


def test_totals_beyond_the_largest_amount_are_billed_in_parts(billed: Invoker, runs: Runs) -> None:
    [large] = subscribers(billed, 1)
    for _ in range(12):
        large.charge(99_999_999_999_999)

    run = runs.run(until=CYCLES[0])

    assert (run["invoices_issued"], run["failures"]) == (2, [])
    large.check()


def test_a_cycle_of_many_documents_is_billed_in_several_transactions(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.domain.cycle_invoices.MAX_LINES", 2)
    monkeypatch.setattr("billing.domain.cycle_invoices.MAX_LINE_BYTES", 5_000)
    [many] = subscribers(billed, 1)
    charged = [many.charge(100 + number) for number in range(47)]
    many.give_back(charged[20], 20)

    run = runs.run(until=CYCLES[0])

    assert run["failures"] == []
    assert run["invoices_issued"] >= 24
    many.check()
    assert audited(billed.org_id) == run["invoices_issued"]


def test_a_run_is_started_once_for_one_external_id(billed: Invoker, runs: Runs) -> None:
    charge(billed)
    body = {"external_billing_run_unique_id": "monthly", "until": CYCLES[0]}
    runs.reach(CYCLES[1])
    first = billed("billing_run_create", body)
    again = billed("billing_run_create", body)
    other = billed("billing_run_create", {**body, "until": CYCLES[1]})

    runs.deliver()

    assert first.headers["location"].endswith(f"/billing_runs/{first.json['id']}")
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert runs.get(first.json["id"])["invoices_issued"] == 1


def test_a_run_bills_until_today_and_never_ahead(billed: Invoker, runs: Runs) -> None:
    charge(billed)
    runs.began = datetime(2026, 11, 29, 22, 59, tzinfo=UTC)  # the cycle ends at midnight, in Madrid

    assert runs.run()["accounts_total"] == 0
    refused = billed("billing_run_create", {"until": "2026-11-30"})
    runs.began += timedelta(minutes=2)

    assert refused.status == 400
    assert [each["field"] for each in refused.json["details"]] == ["until"]
    assert _ended(runs, "2026-11-30") == (1, 1, [])
    assert billed("billing_run_get", runId="nothing").status == 404
    assert billed("billing_run_create", caller={"role": "writer"}).status == 403
    assert billed("billing_run_get", caller={"accounts": "100001"}).status == 403


def test_many_accounts_are_listed_page_by_page(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.persistence.billing_runs.LISTED_AT_ONCE", 4)
    monkeypatch.setattr("billing.persistence.billing_runs.BATCH_ACCOUNTS", 2)
    for each in subscribers(billed, 9):
        each.charge()
    run = runs.start(until=CYCLES[0])
    while runs.list_accounts():
        pass

    listed = runs.get(run)
    batches = runs.batches()
    for batch in batches:
        runs.again("bill_accounts", batch)

    assert (listed["status"], listed["accounts_total"], listed["accounts_done"]) == (
        "running",
        9,
        0,
    )
    assert len(batches) == 5
    assert runs.get(run)["status"] == "completed"
    assert audited(billed.org_id) == 9


def test_an_account_with_several_cycles_is_listed_once(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.persistence.billing_runs.LISTED_AT_ONCE", 1)
    for each in subscribers(billed, 3):
        each.charge()
    send, bill_next_cycles = BatchesQueue.send, bill_accounts._bill_next_cycles

    def bill_one_cycle(*arguments: Any) -> None:
        bill_next_cycles(*arguments)
        raise UpstreamTimeoutError

    def send_and_bill(queue: BatchesQueue, batches: Iterable[Batch]) -> None:
        """Let the first cycle be billed before the dispatcher goes on."""
        send(queue, batches)
        with monkeypatch.context() as patch:
            patch.setattr(bill_accounts, "_bill_next_cycles", bill_one_cycle)
            runs.bill()

    monkeypatch.setattr(BatchesQueue, "send", send_and_bill)
    run = runs.start(until=CYCLES[3])
    runs.list_accounts()

    assert runs.get(run)["accounts_total"] == 3


def test_a_listing_short_of_time_goes_on_later(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.persistence.billing_runs.LISTED_AT_ONCE", 2)
    for each in subscribers(billed, 3):
        each.charge()
    run = runs.start(until=CYCLES[0])
    with monkeypatch.context() as patch:
        patch.setattr("billing.deadline.STEP_SECONDS", 1000)
        assert runs.list_accounts() == 1

    in_no_time = runs.get(run)["accounts_total"]
    runs.deliver()

    assert in_no_time == 0
    assert runs.get(run)["accounts_total"] == runs.get(run)["invoices_issued"] == 3


def test_the_schedule_starts_the_run_of_the_day_for_every_org(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(billed)
    monkeypatch.setattr(
        "functions.dispatch_billing.app.AccountRepository.list_orgs",
        lambda *_: iter([billed.org_id]),
    )
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 12, 1, 3, tzinfo=UTC))

    for _ in range(2):
        call("dispatch_billing", json.loads((EVENTS / "dispatch_billing_daily.json").read_text()))
    runs.deliver()

    assert runs.get("daily-2026-12-01") == {
        "id": "daily-2026-12-01",
        "until": "2026-12-01",
        "created_at": "2026-12-01T03:00:00Z",
        "status": "completed",
        "accounts_total": 1,
        "accounts_done": 1,
        "invoices_issued": 1,
        "failures": [],
    }


def test_orgs_are_listed_once_they_have_a_profile(billed: Invoker) -> None:
    before = chr(ord(billed.org_id[-1]) - 1)

    listed = AccountRepository().list_orgs(billed.org_id[:-1] + before)

    assert next(iter(listed)) == billed.org_id
