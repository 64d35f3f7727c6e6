"""Adjustments: charges and allowances on an account itself, billed exactly once."""

import json
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from billing import clock, config
from billing.api.json_body import parse_json
from billing.dialects.v1.adjustments import AccountAdjustmentRequestDTO
from billing.domain.idempotency import Created
from billing.persistence.adjustments import AdjustmentRepository
from billing.persistence.cycles import list_members
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.services.record_adjustment import record_adjustment
from tests.integration.billing import Runs, audited, charge, issued, money, untaxed
from tests.integration.conftest import Answer, Invoker
from tests.integration.ledger import ACCOUNT, close_cycle, open_cycle
from tests.integration.test_refund_races import at_once


def _adjust(invoke: Invoker, **body: Any) -> Answer:
    return invoke("movements_adjust", {"external_adjustment_unique_id": uuid4().hex, **body})


def _members(org_id: str) -> list[str]:
    table = config.movements_table()
    return [item["sk"]["S"] for item in list_members(table, org_id, ACCOUNT, open_cycle(org_id))]


def test_is_shown_as_it_was_sent(billed: Invoker) -> None:
    answer = billed("movements_adjust")

    assert answer.status == 201
    shown = billed("movements_get_adjustment", adjustmentId=answer.json["id"])
    sent = json.loads(billed.event("movements_adjust")["body"])
    assert answer.headers["location"].endswith(f"/account/{ACCOUNT}/adjustment/{answer.json['id']}")
    cycle = shown.json["invoice_cycle_date"]
    assert shown.json == {**sent, "id": answer.json["id"], "invoice_cycle_date": cycle}
    assert cycle == open_cycle(billed.org_id).isoformat()
    assert billed("movements_list_adjustments").json == [shown.json]
    assert billed("movements_list").json["movements"] == []


def test_what_is_left_out_is_of_the_account(billed: Invoker) -> None:
    """The tax is that of its place, as a movement has it."""
    amount = {"value_with_taxes": 12.1, "value_without_taxes": 10}
    body = json.loads(billed.event("movements_adjust")["body"])
    kept = {"amount": amount, "transaction_type_id": None}
    kept |= dict.fromkeys(["period_start_datetime", "period_end_datetime"])

    [shown] = [
        billed("movements_list_adjustments").json[0]
        for answer in [billed("movements_adjust", json.dumps(body | kept))]
        if answer.status == 201
    ]

    assert shown["amount"]["tax"] == {"type": "IVA", "percentage": 21}
    assert (shown["period_start_datetime"], shown["transaction_type_id"]) == (None, None)


def test_lists_page_by_page_newest_first(billed: Invoker) -> None:
    made = [_adjust(billed).json["id"] for _ in range(5)]

    pages, query = [], {"limit": "2"}
    while True:
        answer = billed("movements_list_adjustments", query=query)
        pages.append([each["id"] for each in answer.json])
        if "next-cursor" not in answer.headers:
            break
        query = {"limit": "2", "cursor": answer.headers["next-cursor"]}

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each for page in pages for each in page] == made[::-1]
    foreign = billed("movements_list_adjustments", query=query, caller={"token_id": "other"})
    assert foreign.status == 400


def test_nothing_is_listed_of_an_account_that_is_not_there(billed: Invoker) -> None:
    assert billed("movements_list_adjustments").json == []
    stranger: Any = {"accountId": 9, "caller": {"accounts": "9"}}
    assert billed("movements_list_adjustments", **stranger).status == 404
    assert billed("movements_adjust", **stranger).status == 404
    assert billed("movements_get_adjustment", adjustmentId="0" * 32).status == 404


def test_takes_one_read_and_one_transaction(billed: Invoker, aws_calls: Any) -> None:
    aws_calls()

    made = billed("movements_adjust").json["id"]
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]
    assert billed("movements_adjust").headers["idempotent-replayed"] == "true"
    assert aws_calls() == ["BatchGetItem"]
    assert billed("movements_adjust", {"description": "Another"}).status == 409
    assert aws_calls() == ["BatchGetItem"]
    billed("movements_list_adjustments")
    assert aws_calls() == ["Query"]
    billed("movements_get_adjustment", adjustmentId=made)
    assert aws_calls() == ["GetItem"]


def test_nothing_is_charged_to_a_closed_account(billed: Invoker) -> None:
    assert billed("billing_info_put_account", {"closed": True}).status == 204

    answer = _adjust(billed)

    assert (answer.status, answer.json["code"]) == (409, "ACCOUNT_CLOSED")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operation_type", "debit"),
        ("adjustment_datetime", "2026-11-20"),
        ("amount.value_with_taxes", money(-1, -1)),
        ("period_end_datetime", None),
        ("transaction_type_id", ""),
        ("kind", "adjustment"),
        ("account_id", ACCOUNT),
    ],
)
def test_names_what_is_wrong(billed: Invoker, field: str, value: Any) -> None:
    answer = _adjust(billed, **{field.split(".", maxsplit=1)[0]: value})

    assert answer.status == 400
    assert field in [each["field"] for each in answer.json["details"]]


# ---------------------------------------------------------------- billed exactly once


def test_a_run_bills_it_behind_the_subscriptions(runs: Runs) -> None:
    invoke = runs.invoke
    names = [("D", "DEBIT", 300), ("C", "CREDIT", 100), ("E", "DEBIT", 50)]
    for name, direction, cents in names:
        answer = _adjust(invoke, description=name, operation_type=direction, amount=untaxed(cents))
        assert answer.status == 201
    movement_id = charge(invoke, amount=untaxed(1000), description="M")

    assert runs.run(until="2026-12-01")["invoices_issued"] == 1
    assert runs.run(until="2027-01-01")["invoices_issued"] == 0

    [document] = issued(invoke.org_id, ACCOUNT)
    lines = [(each.description, each.net.minor, each.movement_id) for each in document.lines]
    assert lines == [("M", 1000, movement_id), ("D", 300, None), ("E", 50, None), ("C", -100, None)]
    assert [each.order_id for each in document.lines[1:]] == [None] * 3
    assert audited(invoke.org_id) == 1


def test_an_account_with_allowances_alone_gets_a_credit_note(runs: Runs) -> None:
    assert _adjust(runs.invoke, amount=untaxed(500)).status == 201

    assert runs.run(until="2026-12-01")["invoices_issued"] == 1

    [document] = issued(runs.invoke.org_id, ACCOUNT)
    assert (document.gross.minor, document.corrects) == (-500, None)


def test_a_run_that_divides_bills_each_once(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.domain.cycle_invoices.MAX_LINES", 7)
    monkeypatch.setattr("billing.domain.cycle_invoices._LINE_BYTES", 50_000)
    invoke = runs.invoke
    for number in range(20):
        body = {"amount": untaxed(100 + number), "operation_type": "DEBIT"}
        assert _adjust(invoke, description=f"A{number}", **body).status == 201
        charge(invoke, amount=untaxed(1000 + number), description=f"M{number}")

    assert runs.run(until="2026-12-01")["invoices_issued"] == 6

    found = list(issued(invoke.org_id, ACCOUNT))
    lines = [(line.description, line.net.minor) for each in found for line in each.lines]
    adjusted = [(f"A{number}", 100 + number) for number in range(20)]
    assert sorted(lines) == sorted([*adjusted, *((f"M{n}", 1000 + n) for n in range(20))])
    assert audited(invoke.org_id) == 6


@pytest.mark.faults
def test_twins_give_one_and_nothing_comes_into_a_closed_cycle(billed: Invoker) -> None:
    body = json.loads(billed.event("movements_adjust")["body"])
    assert _adjust(billed).status == 201

    def adjust(external_id: str) -> Created:
        fields = parse_json(json.dumps(body | {"external_adjustment_unique_id": external_id}))
        request = AccountAdjustmentRequestDTO.model_validate(fields)
        return record_adjustment(
            billed.org_id,
            ACCOUNT,
            request.to_domain(),
            request.external_id(external_id, ACCOUNT),
            now=clock.now(),
            org_time=clock.now(),
            adjustments=AdjustmentRepository(),
            rates=ExchangeRateRepository(),
        )

    def close() -> tuple[Any, list[str]]:
        closed = close_cycle(billed.org_id)
        table = config.movements_table()
        found = list_members(table, billed.org_id, ACCOUNT, closed, "adjustment")
        return closed, [item["sk"]["S"] for item in found]

    some = [partial(adjust, f"adj-{n // 2}") for n in range(40)]
    answers = at_once([*some[:12], close, *some[12:]])

    [(closed, gathered)] = [each for each in answers if isinstance(each, tuple)]
    made = {each.id for each in answers if isinstance(each, Created)}
    assert len(made) == 20
    again = list_members(config.movements_table(), billed.org_id, ACCOUNT, closed, "adjustment")
    assert [item["sk"]["S"] for item in again] == gathered
    assert len(gathered) + len(_members(billed.org_id)) == 21


def test_amounts_are_exact(billed: Invoker) -> None:
    assert _adjust(billed, amount=money(0.03, 0.02)).status == 201

    [shown] = json.loads(
        billed("movements_list_adjustments").text, parse_float=Decimal, parse_int=Decimal
    )

    assert shown["amount"]["value_with_taxes"] == Decimal("0.03")
