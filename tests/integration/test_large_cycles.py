"""Cycles as large as they come are billed, in as many documents as it takes."""

from typing import Any

from billing.aws import dynamodb
from tests.integration.billing import Runs, audited, charge, issued, multiply, subscribers
from tests.integration.conftest import Invoker

CYCLE = "2026-12-01"
MOVEMENTS = 20_000


def test_a_cycle_of_twenty_thousand_movements_is_billed(billed: Invoker, runs: Runs) -> None:
    [subscriber] = subscribers(billed, 1)
    subscriber.charge(101)
    multiply(billed.org_id, subscriber.account_id, MOVEMENTS)

    run = runs.run(until=CYCLE)

    assert (run["invoices_issued"], run["failures"]) == (MOVEMENTS // 1000, [])
    lines = [line for each in issued(billed.org_id, subscriber.account_id) for line in each.lines]
    assert len({line.movement_id for line in lines}) == len(lines) == MOVEMENTS
    assert sum(line.net.minor for line in lines) == 101 * MOVEMENTS
    assert audited(billed.org_id) == MOVEMENTS // 1000


def test_ten_documents_and_the_chain_are_ninety_four_writes_at_most(
    billed: Invoker, runs: Runs
) -> None:
    accounts = subscribers(billed, 10)
    for each in accounts:
        each.charge()
    transactions: list[int] = []

    def count(params: Any, **_: Any) -> None:
        transactions.append(len(params["TransactItems"]))

    events, name = dynamodb().meta.events, "provide-client-params.dynamodb.TransactWriteItems"
    runs.start(until=CYCLE)
    runs.list_accounts()
    events.register(name, count)
    try:
        runs.bill()
    finally:
        events.unregister(name, count)

    assert len(accounts) == 10
    assert transactions == [30, 94, 3]  # close and check ten profiles, issue, count


def test_an_account_goes_on_to_be_billed_behind_a_large_cycle(billed: Invoker, runs: Runs) -> None:
    for number in range(30):
        charge(billed, 999_999_999_999.99, 999_999_999_999.99, amount=_untaxed(number))
    first = runs.run(until=CYCLE)
    charge(billed)

    second = runs.run(until="2027-01-01")

    assert (first["failures"], second["failures"]) == ([], [])
    assert second["invoices_issued"] == 1


def test_a_movement_of_a_divided_cycle_finds_its_document_with_as_many_reads(
    billed: Invoker, runs: Runs, aws_calls: Any
) -> None:
    undivided = charge(billed)
    first = runs.run(until=CYCLE)
    divided = [
        charge(billed, 999_999_999_999.99, 999_999_999_999.99, amount=_untaxed(number))
        for number in range(30)
    ]
    second = runs.run(until="2027-01-01")
    assert (first["invoices_issued"], second["invoices_issued"]) == (1, 3)

    def read(movement_id: str) -> tuple[list[str], int]:
        aws_calls()
        answer = billed("movements_get", movementId=movement_id)
        return aws_calls(), int(answer.json["invoice_id"])

    expected, _ = read(undivided)
    found = [read(each) for each in divided]

    assert expected == ["GetItem", "BatchGetItem", "BatchGetItem"]
    assert [calls for calls, _ in found] == [expected] * 30
    assert {ordinal for _, ordinal in found} == {2, 3, 4}


def _untaxed(number: int) -> dict[str, Any]:
    value = 999_999_999_000 + number
    tax = {"type": "NONE", "percentage": 0}
    return {"value_with_taxes": value, "value_without_taxes": value, "tax": tax}
