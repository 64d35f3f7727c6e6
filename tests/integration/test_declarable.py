"""What the tax agency would refuse is refused when it is charged; what was accepted is billed."""

from typing import Any

import pytest

from tests.integration.billing import Runs, charge, give_back, set_rate, untaxed
from tests.integration.conftest import Answer, Invoker
from tests.integration.declared import records_of
from tests.integration.test_fiscal_records import put_org, switch_on

OLD = {
    "period_start_datetime": "1996-01-01T00:00:00Z",
    "period_end_datetime": "1996-02-01T00:00:00Z",
}


def move(invoke: Invoker, external_id: str, **fields: Any) -> Answer:
    body = {"external_movement_unique_id": external_id, **fields}
    return invoke("movements_create", {**OLD, **body})


def adjust(invoke: Invoker, external_id: str, **fields: Any) -> Answer:
    body = {"external_adjustment_unique_id": external_id, **fields}
    return invoke("movements_adjust", {**OLD, **body}, caller={"accounts": "*"})


def invoice(invoke: Invoker, external_id: str) -> Answer:
    line = {"description": "Hosting", "quantity": 1, "unit_price": 10}
    days = {"period_start": "1996-01-01", "period_end": "1996-01-31"}
    body = {"external_invoice_unique_id": external_id, "lines": [{**line, **days}]}
    return invoke("invoices_create", body)


@pytest.mark.parametrize(
    ("ask", "field"),
    [(move, "period_end_datetime"), (adjust, "period_end_datetime"), (invoice, "lines")],
)
def test_an_operation_of_thirty_years_ago_is_refused(billed: Invoker, ask: Any, field: str) -> None:
    assert put_org(billed).status == 204
    assert ask(billed, "before").status == 201
    switch_on(billed)

    answer = ask(billed, "after")

    assert (answer.status, [each["field"] for each in answer.json["details"]]) == (400, [field])


@pytest.mark.parametrize("kind", ["IVA", "VAT"])
@pytest.mark.parametrize("ask", [move, adjust])
def test_a_rate_that_spain_has_not_is_refused_by_whatever_name(
    billed: Invoker, runs: Runs, ask: Any, kind: str
) -> None:
    switch_on(billed)

    def charged(percentage: int) -> Answer:
        tax = {"type": kind, "percentage": percentage}
        amount = {"value_with_taxes": 100 + percentage, "value_without_taxes": 100, "tax": tax}
        answer: Answer = ask(billed, str(percentage), amount=amount, **dict.fromkeys(OLD))
        return answer

    refused = charged(20)

    assert (refused.status, refused.json["code"]) == (400, "INVALID_REQUEST")
    assert "20 is no rate of IVA" in refused.text
    assert charged(21).status == 201
    assert runs.run(until="2026-12-27")["failures"] == []


def test_what_was_charged_before_the_switch_is_billed_all_the_same(
    billed: Invoker, runs: Runs
) -> None:
    assert move(billed, "before").status == 201
    switch_on(billed)

    ended = runs.run(until="2026-12-27")

    assert (ended["invoices_issued"], ended["failures"]) == (1, [])
    [kept] = records_of(billed.org_id)
    assert kept.record.declaration.operation_date is None


def test_what_had_no_exchange_rate_before_the_switch_is_declared_at_that_of_the_day_of_issue(
    billed: Invoker, runs: Runs
) -> None:
    summer: dict[str, Any] = {
        "period_start_datetime": "2026-06-30T22:00:00Z",
        "period_end_datetime": "2026-08-31T22:00:00Z",
    }
    amount, refund = ({**untaxed(cents), "currency": "USD"} for cents in (100_00, 10_00))
    assert put_org(billed).status == 204
    today: dict[str, Any] = dict.fromkeys(OLD)
    movement_id = charge(billed, amount=amount, **today)
    runs.run(until="2026-12-01")
    charge(billed, amount=amount, **summer)
    give_back(billed, movement_id, amount=refund, **summer)
    switch_on(billed)
    runs.reach("2026-12-28")
    set_rate(billed.org_id, "USD", 2)

    ended = runs.run(until="2027-01-01")

    assert (ended["invoices_issued"], ended["failures"]) == (2, [])
    totals = {str(kept.record.declaration.total) for kept in records_of(billed.org_id)}
    assert totals == {"50.00", "-5.00"}


@pytest.mark.parametrize("ask", [move, adjust])
def test_a_charge_without_tax_that_has_no_exchange_rate_is_refused(
    billed: Invoker, ask: Any
) -> None:
    now = dict.fromkeys(OLD)
    amount = {**untaxed(1000), "currency": "UAH"}
    assert ask(billed, "before", amount=amount, **now).status == 201
    switch_on(billed)

    answer = ask(billed, "after", amount=amount, **now)

    assert (answer.status, answer.json["code"]) == (409, "RATE_MISSING")
