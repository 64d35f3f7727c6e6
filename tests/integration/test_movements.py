"""Movements through the function's handler, on real tables."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from billing.api.json_body import parse_json
from billing.clock import now
from billing.dialects.v1.movements import MovementRequestDTO
from billing.domain.idempotency import Created
from billing.domain.tokens import EVERY_ACCOUNT
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.movements import MovementRepository
from billing.services.record_movement import record_movement
from tests.integration.conftest import Invoker
from tests.integration.ledger import ACCOUNT, SUBSCRIPTION, amount, close_cycle, ledger, open_cycle

pytestmark = pytest.mark.moto


def test_charges_a_movement_once_for_one_external_id(billed: Invoker) -> None:
    first = billed("movements_create")
    again = billed("movements_create")
    other = billed("movements_create", {"description": "Something else"})
    elsewhere = billed("movements_create", caller={"accounts": "*"}, subscriptionId="600000000")

    location = f"/v1/orgs/{billed.org_id}/subscription/{SUBSCRIPTION}/movement/{first.json['id']}"
    assert (first.status, first.headers["location"]) == (201, location)
    assert "idempotent-replayed" not in first.headers
    assert (again.status, again.json, again.headers["location"]) == (201, first.json, location)
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert (elsewhere.status, elsewhere.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert len(ledger(billed.org_id).refunded) == 1


def test_gets_a_movement_as_it_was_sent(billed: Invoker) -> None:
    sent = json.loads(billed.event("movements_create")["body"])
    movement_id = billed("movements_create").json["id"]

    answer = billed("movements_get", movementId=movement_id)

    assert answer.status == 200
    assert answer.json == {
        **sent,
        "id": movement_id,
        "subscription_id": SUBSCRIPTION,
        "transaction_type_id": None,
        "refunded": 0,
        "refundable": 121,
        "invoice_cycle_date": open_cycle(billed.org_id).isoformat(),
        "invoice_id": None,
        "created_at": answer.json["created_at"],
    }


def test_keeps_the_type_of_the_transaction(billed: Invoker) -> None:
    movement_id = billed("movements_create", {"transaction_type_id": "fee"}).json["id"]

    replayed = billed("movements_create", {"transaction_type_id": "fee"})
    other = billed("movements_create", {"transaction_type_id": "other"})

    shown = billed("movements_get", movementId=movement_id).json
    assert shown["transaction_type_id"] == "fee"
    assert (replayed.json["id"], other.status) == (movement_id, 409)


@pytest.mark.parametrize(
    ("sent", "refundable"),
    [
        pytest.param({"value_with_taxes": 8, "currency": "JPY"}, 8, id="yen"),
        pytest.param({"value_with_taxes": 1.234, "currency": "BHD"}, 1.234, id="fils"),
        pytest.param({"value_with_taxes": 12.34, "currency": "EUR"}, 12.34, id="the account's"),
    ],
)
def test_keeps_amounts_of_any_currency(
    billed: Invoker, sent: dict[str, object], refundable: float
) -> None:
    untaxed = {
        **sent,
        "value_without_taxes": sent["value_with_taxes"],
        "tax": {"type": "NONE", "percentage": 0, "category": "E"},
    }
    movement_id = billed("movements_create", {"amount": untaxed}).json["id"]

    movement = billed("movements_get", movementId=movement_id).json

    assert (movement["amount"], movement["refundable"]) == (untaxed, refundable)


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        pytest.param({"amount": amount(12.12, 10)}, {"amount.value_with_taxes"}, id="tax"),
        pytest.param(
            {"amount": amount(1.005, 1.005)}, {"amount.value_without_taxes"}, id="decimals"
        ),
        pytest.param(
            {"amount": amount(-121, -100)},
            {"amount.value_with_taxes", "amount.value_without_taxes"},
            id="negative",
        ),
        pytest.param({"period_end_datetime": None}, {"period_end_datetime"}, id="half a period"),
        pytest.param(
            {"period_start_datetime": "2026-11-30T22:59:59.9999999999Z"},
            {"period_start_datetime"},
            id="ten digits",
        ),
        pytest.param(
            {"period_start_datetime": "2026-11-30T23:00:00Z"},
            {"period_end_datetime"},
            id="ends before it starts",
        ),
        pytest.param(
            {"operation_type": "debit", "kind": "x"}, {"operation_type", "kind"}, id="enum"
        ),
        pytest.param(
            {"note": "x", "account_id": "a#b"}, {"note", "account_id"}, id="unknown field"
        ),
    ],
)
def test_refuses_what_cannot_be_right(
    billed: Invoker, wrong: dict[str, object], fields: set[str]
) -> None:
    answer = billed("movements_create", wrong)

    assert (answer.status, answer.json["code"]) == (400, "INVALID_REQUEST")
    assert {detail["field"] for detail in answer.json["details"]} == fields


def test_keeps_a_subscription_with_its_first_account(billed: Invoker) -> None:
    billed("movements_create")
    caller = {"accounts": "*"}
    billed("billing_info_put_account", caller=caller, accountId="100002")
    moved = {"account_id": "100002", "external_movement_unique_id": "movement-2"}
    answer = billed("movements_create", moved, caller=caller)
    other = billed("movements_create", moved, caller=caller, subscriptionId="600000000")

    assert (answer.status, answer.json["code"]) == (409, "SUBSCRIPTION_TAKEN")
    assert other.status == 201


def test_refuses_charges_to_a_closed_account_but_replays(billed: Invoker) -> None:
    first = billed("movements_create")
    billed("billing_info_put_account", {"closed": True})

    again = billed("movements_create")
    new = billed("movements_create", {"external_movement_unique_id": "movement-2"})

    assert (again.status, again.json) == (201, first.json)
    assert (new.status, new.json["code"]) == (409, "ACCOUNT_CLOSED")


def test_refuses_charges_to_what_has_no_profile(invoke: Invoker) -> None:
    everywhere = {"accounts": "*"}
    without_org = invoke("movements_create", caller=everywhere)
    invoke("billing_info_put_org")
    without_account = invoke("movements_create", caller=everywhere)

    assert [each.status for each in (without_org, without_account)] == [404, 404]
    assert "account" in without_account.json["message"]
    assert "org" in without_org.json["message"]


def test_lists_movements_newest_first_page_by_page(billed: Invoker) -> None:
    made = [
        billed("movements_create", {"external_movement_unique_id": f"movement-{number}"}).json["id"]
        for number in range(5)
    ]

    pages: list[list[str]] = []
    query: dict[str, str] = {"limit": "2"}
    while not pages or query["cursor"]:
        page = billed("movements_list", query=query).json
        pages.append([movement["id"] for movement in page["movements"]])
        query["cursor"] = page["next_cursor"]

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each for page in pages for each in page] == made[::-1]


def test_refuses_a_cursor_that_is_changed_or_foreign(billed: Invoker) -> None:
    for number in range(2):
        billed("movements_create", {"external_movement_unique_id": f"movement-{number}"})
    cursor = billed("movements_list", query={"limit": "1"}).json["next_cursor"]
    flipped = [
        cursor[:place] + ("A" if char != "A" else "B") + cursor[place + 1 :]
        for place, char in enumerate(cursor)
    ]

    refused = [
        *(billed("movements_list", query={"cursor": each}) for each in [*flipped, "", "x", "é"]),
        billed("movements_list", query={"cursor": cursor}, caller={"token_id": "another"}),
        billed("movements_list", query={"cursor": cursor}, subscriptionId="600000000"),
    ]

    assert {answer.status for answer in refused} == {400}
    assert billed("movements_list", query={"cursor": cursor}).status == 200


def test_falls_into_the_next_cycle_once_one_is_closed(billed: Invoker) -> None:
    billed("movements_create")
    closed = close_cycle(billed.org_id, {"parts": [["EUR", "", 7, True]], "credit_notes": {}})
    billed("movements_create", {"external_movement_unique_id": "movement-2"})

    newer, older = billed("movements_list").json["movements"]

    assert (older["invoice_cycle_date"], older["invoice_id"]) == (closed.isoformat(), "7")
    assert newer["invoice_cycle_date"] == open_cycle(billed.org_id).isoformat() > str(closed)
    assert newer["invoice_id"] is None
    ledger(billed.org_id, closed)


def test_charges_while_a_run_closes_cycles(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    billed("movements_create")
    closed: list[date] = []
    surroundings = MovementRepository.surroundings

    def close_after_reading(*arguments: object) -> object:
        found = surroundings(*arguments)  # type: ignore[arg-type]
        if len(closed) < 3:
            closed.append(close_cycle(billed.org_id))
        return found

    monkeypatch.setattr(MovementRepository, "surroundings", close_after_reading)
    answer = billed("movements_create", {"external_movement_unique_id": "movement-2"})

    movement = billed("movements_get", movementId=answer.json["id"]).json
    assert movement["invoice_cycle_date"] == open_cycle(billed.org_id).isoformat()
    assert len(ledger(billed.org_id, *closed).refunded) == 2


@pytest.mark.moto_differs("threads break its transactions")
def test_twins_give_one_movement(billed: Invoker) -> None:
    body = billed.event("movements_create")["body"]
    request = MovementRequestDTO.model_validate(parse_json(body))
    external = request.external_id(request.external_movement_unique_id, SUBSCRIPTION)

    def record(_: int) -> Created:
        return record_movement(
            billed.org_id,
            SUBSCRIPTION,
            request.to_domain(),
            external,
            reach=EVERY_ACCOUNT,
            now=now(),
            org_time=now(),
            rates=ExchangeRateRepository(),
            movements=MovementRepository(),
        )

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(record, range(16)))

    assert len({each.id for each in answers}) == 1
    assert [each.replayed for each in answers].count(False) == 1
    assert len(ledger(billed.org_id).refunded) == 1


def test_takes_one_read_and_one_transaction(
    billed: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    aws_calls()
    movement_id = billed("movements_create").json["id"]
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]

    billed("movements_create", {"external_movement_unique_id": "movement-2"})
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]

    billed("movements_create")
    assert aws_calls() == ["BatchGetItem"]

    billed("movements_get", movementId=movement_id)
    assert aws_calls() == ["GetItem", "BatchGetItem"]

    billed("movements_list")
    assert aws_calls() == ["Query", "BatchGetItem"]

    billed("movements_list_refunds", movementId=movement_id)
    assert aws_calls() == ["GetItem", "Query"]

    assert billed("movements_create", caller={"accounts": "other"}).status == 403
    assert aws_calls() == []


def test_writers_only(billed: Invoker) -> None:
    assert billed("movements_create", caller={"role": "reader"}).status == 403
    assert billed("movements_create", caller={"role": "writer"}).status == 201
    assert billed("movements_list", caller={"role": "reader"}).status == 200


def test_lists_nothing_of_a_subscription_without_movements(billed: Invoker) -> None:
    registered = billed("movements_list")
    of_another = billed("movements_list", caller={"accounts": "100002"})
    unknown = billed("movements_list", subscriptionId="600000000")

    assert (registered.status, registered.json) == (200, {"movements": [], "next_cursor": None})
    assert (unknown.status, unknown.json["code"]) == (404, "NOT_FOUND")
    assert of_another.text == unknown.text
    assert ACCOUNT not in unknown.text
