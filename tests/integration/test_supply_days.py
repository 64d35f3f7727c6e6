"""When a document was supplied: its period, its day of operation, and the day of its rate."""

from datetime import date
from typing import Any

import pytest

from billing.domain.invoices import LinePeriod, supply_period
from tests.integration.billing import Runs, charge, give_back, issued, money, set_rate
from tests.integration.conftest import Answer, Invoker
from tests.integration.declared import records_of
from tests.integration.test_fiscal_records import switch_on

NO_PERIOD: dict[str, Any] = dict.fromkeys(("period_start_datetime", "period_end_datetime"))
SUMMER: dict[str, Any] = {
    "period_start_datetime": "2026-06-30T22:00:00Z",
    "period_end_datetime": "2026-08-31T22:00:00Z",
}
NEXT: dict[str, Any] = {
    "period_start_datetime": "2026-11-30T23:00:00Z",
    "period_end_datetime": "2026-12-31T23:00:00Z",
}


@pytest.fixture
def monthly(billed: Invoker) -> Invoker:
    """Bill the account of a declared org on the first of the month."""
    switch_on(billed)
    assert billed("billing_info_put_account", {"billing_day": 1}).status == 204
    return billed


def _supplied(invoke: Invoker) -> list[tuple[LinePeriod | None, date | None]]:
    """Return the period that each document states, and the day of operation in its record."""
    documents = issued(invoke.org_id, "100001")
    records = (kept.record.declaration for kept in records_of(invoke.org_id))
    return [
        (supply_period(document), said.operation_date)
        for document, said in zip(documents, records, strict=True)
    ]


def test_a_charge_of_this_month_is_not_of_the_period_that_another_one_names(
    monthly: Invoker, runs: Runs
) -> None:
    charge(monthly, **NO_PERIOD)
    charge(monthly, **SUMMER)

    runs.run(until="2026-12-02")

    whole = LinePeriod(date(2026, 7, 1), date(2026, 11, 30))
    assert _supplied(monthly) == [(whole, date(2026, 11, 30))]


def test_what_is_given_back_of_another_time_does_not_move_the_supply(
    monthly: Invoker, runs: Runs
) -> None:
    give_back(monthly, charge(monthly, **NO_PERIOD), **SUMMER)
    charge(monthly, 12.1, 10, operation_type="CREDIT", **SUMMER)

    runs.run(until="2026-12-02")

    since_summer = LinePeriod(date(2026, 7, 1), date(2026, 11, 30))
    assert _supplied(monthly) == [(since_summer, date(2026, 11, 30))]


def test_an_allowance_for_later_days_does_not_move_the_supply_either(
    monthly: Invoker, runs: Runs
) -> None:
    charge(monthly, **SUMMER)
    charge(monthly, 12.1, 10, operation_type="CREDIT", **NEXT)

    runs.run(until="2026-12-02")

    [(_, operation)] = _supplied(monthly)
    assert operation == date(2026, 8, 31)


@pytest.mark.parametrize("zone", ["Europe/Athens", "Atlantic/Canary", "America/New_York"])
def test_a_cycle_keeps_its_days_where_the_account_moves_to_another_time_zone(
    monthly: Invoker, runs: Runs, zone: str
) -> None:
    runs.reach("2026-12-03")
    movement_id = charge(monthly, **NO_PERIOD)
    there = {"billing_day": 1, "time_zone": zone}
    assert monthly("billing_info_put_account", there).status == 204

    runs.run(until="2027-01-02")
    give_back(monthly, movement_id)
    runs.run(until="2027-02-02")
    assert monthly("invoices_credit", invoiceId="1").status == 201

    december = LinePeriod(date(2026, 12, 1), date(2026, 12, 31))
    first, _, credited = _supplied(monthly)
    assert first == credited == (december, date(2026, 12, 31))


def test_a_credit_note_of_a_one_off_is_of_its_own_day_and_not_of_a_whole_cycle(
    monthly: Invoker, runs: Runs
) -> None:
    line = {"description": "Router", "quantity": 1, "unit_price": 100}
    assert monthly("invoices_create", {"lines": [line]}).status == 201
    runs.reach("2027-01-15")

    assert monthly("invoices_credit", invoiceId="1").status == 201

    assert _supplied(monthly) == [(None, None), (None, None)]
    period = monthly("invoices_get_whole", invoiceId="2").json["period"]
    assert period["start_datetime"] == "2026-12-31T23:00:00Z"


def _in_dollars(invoke: Invoker, **period: Any) -> Answer:
    body = {"amount": money(121, 100, currency="USD"), **period}
    return invoke("movements_create", {"external_movement_unique_id": str(period), **body})


def test_a_charge_of_a_time_without_a_rate_is_refused_and_not_left_to_the_run(
    billed: Invoker, runs: Runs
) -> None:
    set_rate(billed.org_id, "USD")
    set_rate_of: Any = {"currency": "USD", "date": "2026-08-31"}

    refused = _in_dollars(billed, **SUMMER)
    assert billed("location_tax_put_exchange_rate", {"rate": 2}, **set_rate_of).status == 204

    assert (refused.status, refused.json["code"]) == (409, "RATE_MISSING")
    assert "2026-08-31" in refused.json["message"]
    assert _in_dollars(billed, **SUMMER).status == 201
    assert runs.run(until="2026-12-01")["failures"] == []


def test_a_refund_of_a_time_without_a_rate_leaves_its_account_billable(
    billed: Invoker, runs: Runs
) -> None:
    set_rate(billed.org_id, "USD")
    movement = _in_dollars(billed, **NO_PERIOD)
    refund = money(12.1, 10, currency="USD")
    give_back(billed, movement.json["id"], amount=refund, **SUMMER)
    runs.reach("2026-11-28")
    set_rate(billed.org_id, "USD")

    assert runs.run(until="2026-12-01")["failures"] == []
