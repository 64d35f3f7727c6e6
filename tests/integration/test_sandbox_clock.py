"""The clock of sandbox orgs: what uses it, how it moves, and what it leaves alone."""

import json
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from billing.domain.errors import NotSandboxError
from billing.domain.numbering import ChainEnd
from billing.domain.parties import Org
from billing.domain.periods import midnight
from billing.domain.sandbox_clocks import SandboxClock
from billing.persistence.sandbox_clocks import SandboxClockRepository
from billing.persistence.tokens import TokenRepository
from tests.integration.billing import NOW, Runs, audited, call, charge, issued, subscribers
from tests.integration.callers import issue
from tests.integration.conftest import EVENTS, Invoker

pytestmark = pytest.mark.moto

LATER = datetime(2028, 2, 29, 11, tzinfo=UTC)
MADRID, CANARY = "Europe/Madrid", "Atlantic/Canary"


@pytest.fixture
def sandbox(runs: Runs) -> Runs:
    """Run billing for a sandbox org with one account, 100001; the present is November 2026."""
    runs.invoke = Invoker(runs.invoke.org_id, sandbox=True)
    assert runs.invoke("billing_info_put_org").status == 204
    return runs


def _set(invoke: Invoker, now: datetime | None, **more: Any) -> Any:
    body = {"now": now.isoformat() if now else None}
    return invoke("sandbox_clock_put", json.dumps(body), **more)


def _shown(invoke: Invoker) -> Any:
    return invoke("sandbox_clock_get").json["now"]


# -------------------------------------------------------------------- months of billing


def test_months_are_played_in_seconds_and_each_cycle_is_billed_once(sandbox: Runs) -> None:
    invoke, accounts = sandbox.invoke, subscribers(sandbox.invoke, 2)
    zones = {accounts[0].account_id: MADRID, accounts[1].account_id: CANARY}
    for account_id, zone in zones.items():
        profile: Any = {"billing_day": 31, "time_zone": zone}
        path: Any = {"accountId": account_id, "caller": {"accounts": "*"}}
        assert invoke("billing_info_put_account", profile, **path).status == 204

    def issued_at(now: datetime) -> int:
        assert _set(invoke, now).status == 204
        run = sandbox.run()
        assert (run["status"], run["failures"]) == ("completed", [])
        return int(run["invoices_issued"])

    # A leap day, both changes of the clocks, months of every length, and months without charges.
    ends = [date(2028, month, monthrange(2028, month)[1]) for month in (1, 2, 3, 4, 10, 11)]
    for end in ends:
        assert issued_at(midnight(end.replace(day=1), MADRID)) == 0
        for each in accounts:
            each.charge()
        in_madrid, in_canary = midnight(end, MADRID), midnight(end, CANARY)
        assert in_canary - in_madrid == timedelta(hours=1)
        assert issued_at(in_madrid - timedelta(seconds=1)) == 0
        assert issued_at(in_canary - timedelta(seconds=1)) == 1
        assert issued_at(in_canary) == 1
        assert issued_at(in_canary) == 0

    for each in accounts:
        each.check()
        documents = list(issued(invoke.org_id, each.account_id))
        assert [document.issue_date for document in documents] == ends
        assert [document.due_date - document.issue_date for document in documents] == [
            timedelta(days=15)
        ] * len(ends)
        assert [document.cycle.end for document in documents] == [
            midnight(end, zones[each.account_id]) for end in ends
        ]
        assert {document.number[:5] for document in documents} == {"F2028"}
    assert audited(invoke.org_id) == 2 * len(ends)


def test_a_run_never_bills_ahead_of_the_clock(sandbox: Runs) -> None:
    _set(sandbox.invoke, LATER)

    ahead = sandbox.invoke("billing_run_create", {"until": "2028-03-01"})
    today = sandbox.invoke("billing_run_create", {"until": "2028-02-29"})

    assert (ahead.status, today.status) == (400, 201)
    assert [each["field"] for each in ahead.json["details"]] == ["until"]


def test_the_schedule_leaves_sandboxes_out(sandbox: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    charge(sandbox.invoke)
    sandbox.reach("2027-03-01")
    monkeypatch.setattr(
        "functions.dispatch_billing.app.AccountRepository.list_orgs",
        lambda *_: iter([sandbox.invoke.org_id]),
    )

    call("dispatch_billing", json.loads((EVENTS / "dispatch_billing_daily.json").read_text()))
    sandbox.deliver()

    assert list(issued(sandbox.invoke.org_id, "100001")) == []
    assert sandbox.run()["invoices_issued"] == 1


# -------------------------------------------------------------------- what uses it


def test_the_org_lives_at_the_time_of_its_clock(sandbox: Runs) -> None:
    invoke = sandbox.invoke
    assert _set(invoke, LATER).status == 204

    invoke("invoices_create")
    details = invoke("billing_info_get_account").json
    used = invoke("consumptions_get", caller={"accounts": "*"})
    movement = invoke("movements_get", movementId=charge(invoke)).json
    [invoice] = invoke("invoices_get").json
    [listed] = invoke("invoices_list").json
    [pending] = invoke("invoices_list_of_period", query={}).json["invoices"]
    paid = [
        invoke("invoices_pay", {"paid_datetime": (LATER + timedelta(hours=hours)).isoformat()})
        for hours in (25, 23)
    ]
    assert _set(invoke, datetime(2028, 3, 15, 23, 30, tzinfo=UTC)).status == 204
    [overdue] = invoke("invoices_list_of_period", query={}).json["invoices"]
    credited = invoke("invoices_credit")

    assert details["next_billing_date"] == movement["invoice_cycle_date"] == "2028-03-31"
    assert used.json["invoice_cycle_date"] == "2028-03-31"
    assert (invoice["creationDate"], invoice["dueDate"]) == ("2028-02-29", "2028-03-15")
    assert listed["creationDate"] == int(LATER.timestamp())
    assert [each.status for each in paid] == [400, 201]
    assert [each["status"]["value"] for each in (pending, overdue)] == ["PENDIENTE", "IMPAGADO"]
    note = invoke("invoices_get", invoiceId=credited.json["id"]).json[0]
    assert note["creationDate"] == "2028-03-16"


def test_money_that_goes_back_goes_by_the_clock(sandbox: Runs) -> None:
    invoke = sandbox.invoke
    _set(invoke, LATER)
    invoke("invoices_create")
    times = [(LATER + timedelta(hours=hours)).isoformat() for hours in (25, 23)]
    payment = invoke("invoices_pay", {"paid_datetime": LATER.isoformat(), "amount": 56.47})
    assert invoke("invoices_credit").status == 201

    returned = [invoke("invoices_pay_out", {"paid_datetime": at}) for at in times]
    path: Any = {"paymentId": payment.json["id"]}
    undone = [invoke("invoices_reverse_payment", {"reversed_datetime": at}, **path) for at in times]

    assert [each.status for each in (*returned, *undone)] == [400, 201, 400, 201]


def test_adjustments_and_refunds_fall_into_the_cycle_of_the_clock(sandbox: Runs) -> None:
    invoke = sandbox.invoke
    _set(invoke, LATER)
    movement: Any = {"movementId": charge(invoke)}

    adjusted = invoke("movements_adjust").json["id"]
    refunded = invoke("refunds_create", **movement).json["id"]

    for told in (
        invoke("movements_get_adjustment", adjustmentId=adjusted),
        invoke("refunds_get", refundId=refunded, **movement),
    ):
        assert told.json["invoice_cycle_date"] == "2028-03-31"


def test_lists_of_version_1_are_overdue_by_the_clock(sandbox: Runs) -> None:
    invoke = sandbox.invoke
    _set(invoke, LATER)
    invoke("invoices_create")

    def shown() -> list[Any]:
        overdue = invoke("invoices_list_of_org", query={"status": "overdue"}).json["invoices"]
        [listed] = invoke("invoices_list_of_account", query={}).json["invoices"]
        return [len(overdue), listed["status"], invoke("invoices_get_whole").json["status"]]

    before = shown()
    _set(invoke, datetime(2028, 3, 15, 23, 30, tzinfo=UTC))

    assert (before, shown()) == ([0, "unpaid", "unpaid"], [1, "overdue", "overdue"])


def test_exchange_rates_are_those_of_the_clock(sandbox: Runs) -> None:
    invoke = sandbox.invoke
    rate: Any = {"currency": "USD", "date": "2028-02-25"}
    assert invoke("location_tax_put_exchange_rate", {"rate": 1.25}, **rate).status == 204
    line = {"description": "Plan", "quantity": 1, "unit_price": 100}
    asked = {"currency": "USD", "due_date": None, "lines": [line]}

    now = invoke("invoices_create", asked)
    _set(invoke, LATER)
    later = invoke("invoices_create", asked)

    assert (now.status, now.json["code"], later.status) == (409, "RATE_MISSING", 201)
    [document] = issued(invoke.org_id, "100001")
    assert document.conversion
    assert document.conversion.day == date(2028, 2, 25)


def test_usage_falls_into_the_cycle_of_the_clock(sandbox: Runs) -> None:
    charge(sandbox.invoke)
    before = sandbox.invoke("consumptions_get").json
    _set(sandbox.invoke, LATER)
    sandbox.run()

    after = sandbox.invoke("consumptions_get").json

    assert before["invoice_cycle_date"] == "2026-11-30"
    assert after["invoice_cycle_date"] == "2028-03-31"


def test_taxes_are_those_of_the_day(sandbox: Runs) -> None:
    rate = {"tax": {"type": "IGIC", "percentage": 22}, "valid_from": "2028-01-01"}
    assert sandbox.invoke("location_tax_put", rate).status == 204

    before = sandbox.invoke("location_tax_get", query={}).json
    _set(sandbox.invoke, LATER)
    after = sandbox.invoke("location_tax_get", query={}).json

    assert (before == after, after["tax"]["percentage"]) == (False, 22)


def test_ids_and_when_things_were_recorded_go_by_the_present(sandbox: Runs) -> None:
    invoke = sandbox.invoke
    first = charge(invoke)
    _set(invoke, LATER)

    second = charge(invoke)
    refund = invoke("refunds_create", movementId=second, caller={"accounts": "*"})
    movement = invoke("movements_get", movementId=second).json
    told = invoke("refunds_get", movementId=second, refundId=refund.json["id"]).json
    run = sandbox.start()

    made = [int(each[:12], 16) for each in (first, second, refund.json["id"], run)]
    assert made == sorted(made)
    assert made[-1] - made[0] < timedelta(hours=1).total_seconds() * 1000
    for each in (told["created_at"], movement["created_at"]):
        assert each.startswith(NOW.date().isoformat())


@pytest.mark.parametrize("is_sandbox", [True, False])
@pytest.mark.parametrize(
    ("name", "external_id"),
    [
        ("movements_create", "external_movement_unique_id"),
        ("invoices_create", "external_invoice_unique_id"),
        ("billing_info_get_account", None),
    ],
)
def test_only_calls_of_sandboxes_cost_a_read_more(
    billed: Invoker, aws_calls: Any, name: str, external_id: str | None, is_sandbox: bool
) -> None:
    def calls(invoke: Invoker) -> list[str]:
        aws_calls()
        answer = invoke(name, {external_id: uuid4().hex} if external_id else None)
        assert answer.status in (200, 201)
        return list(aws_calls())

    calls(billed)
    before = calls(billed)

    after = calls(Invoker(billed.org_id, sandbox=is_sandbox))

    assert sorted(after) == sorted(["BatchGetItem"] * is_sandbox + before)


def test_a_clock_is_read_and_set_by_as_few_calls_as_can_be(sandbox: Runs, aws_calls: Any) -> None:
    _set(sandbox.invoke, NOW)
    aws_calls()
    _shown(sandbox.invoke)
    read = aws_calls()

    _set(sandbox.invoke, LATER)

    assert (read, aws_calls()) == (["BatchGetItem"], ["BatchGetItem", "TransactWriteItems"])


# -------------------------------------------------------------------- how it moves


def test_it_is_set_to_any_time_before_the_first_document_and_forward_only_after_it(
    sandbox: Runs,
) -> None:
    invoke = sandbox.invoke

    def moved(now: datetime | None) -> Any:
        answer = _set(invoke, now)
        return answer.status if answer.status == 204 else answer.json["code"]

    assert _shown(invoke) is None
    assert [moved(each) for each in (LATER, None, LATER, NOW - timedelta(days=900))] == [204] * 4
    assert moved(LATER) == 204
    invoke("invoices_create")
    assert moved(LATER - timedelta(seconds=1)) == "CLOCK_BACKWARDS"
    assert moved(None) == "CLOCK_BACKWARDS"
    assert _shown(invoke) == "2028-02-29T11:00:00Z"
    assert [moved(LATER), moved(LATER + timedelta(seconds=1))] == [204, 204]
    sandbox.reach("2028-03-01")
    assert moved(None) == 204
    assert _shown(invoke) is None
    assert moved(LATER + timedelta(hours=2)) == "CLOCK_BACKWARDS"
    assert moved(LATER + timedelta(days=30)) == 204


def test_it_cannot_be_set_back_while_the_first_document_is_being_issued(
    sandbox: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke, read = sandbox.invoke, SandboxClockRepository.get_for_move
    _set(invoke, LATER)

    def read_and_let_somebody_issue(
        clocks: SandboxClockRepository, org_id: str
    ) -> tuple[SandboxClock, Org | None, Mapping[str, ChainEnd]]:
        found = read(clocks, org_id)
        invoke("invoices_create")
        return found

    monkeypatch.setattr(SandboxClockRepository, "get_for_move", read_and_let_somebody_issue)

    answer = _set(invoke, NOW)

    assert (answer.status, answer.json["code"]) == (409, "CLOCK_BACKWARDS")
    assert _shown(invoke) == "2028-02-29T11:00:00Z"


@pytest.mark.parametrize("body", ["{}", '{"now": 1}', '{"now": "2028-02-29"}', '{"then": null}'])
def test_refuses_what_is_no_time(sandbox: Runs, body: str) -> None:
    assert sandbox.invoke("sandbox_clock_put", body).status == 400


def test_other_orgs_have_no_clock(billed: Invoker) -> None:
    plain = {"sandbox": False}

    assert billed("sandbox_clock_get", caller=plain).status == 404
    assert _set(billed, LATER, caller=plain).status == 404
    assert _set(billed, LATER, caller={"role": "writer"}).status == 403
    assert _set(billed, LATER, caller={"accounts": "100001"}).status == 403
    assert billed("sandbox_clock_get", caller={"role": "reader"}).status == 200


# -------------------------------------------------------------------- which orgs are sandboxes


def test_the_profile_says_it_and_cannot_change_it(sandbox: Runs) -> None:
    plain = Invoker(f"{sandbox.invoke.org_id}-plain")
    plain("billing_info_put_org")

    for invoke, is_sandbox in ((sandbox.invoke, True), (plain, False)):
        assert invoke("billing_info_get_org").json["sandbox"] is is_sandbox
        assert invoke("billing_info_put_org", {"sandbox": not is_sandbox}).status == 204
        assert invoke("billing_info_get_org").json["sandbox"] is is_sandbox


@pytest.mark.parametrize("is_sandbox", [True, False])
def test_the_first_token_decides_for_ever(aws: None, org_id: str, is_sandbox: bool) -> None:
    tokens = TokenRepository()
    first, _ = issue(org_id, sandbox=is_sandbox)
    made, _ = issue(org_id, maker=first)
    for each in (first, made):
        tokens.revoke(org_id, each.id)

    later, _ = issue(org_id)

    assert [each.sandbox for each in (first, made, later)] == [is_sandbox] * 3
    assert tokens.find_all([later.token_hash])[later.token_hash].sandbox is is_sandbox
    assert [each.id for each in tokens.list_grants(org_id)] == [later.id]
    if is_sandbox:
        assert issue(org_id, sandbox=True)[0].sandbox
    else:
        with pytest.raises(NotSandboxError):
            issue(org_id, sandbox=True)
