"""Movements that are taken back before they are billed, whatever else happens to them."""

from datetime import date
from functools import partial
from typing import Any

import pytest

from billing import clock, config
from billing.api.json_body import parse_json
from billing.dialects.v1.movements import MovementRequestDTO
from billing.domain.errors import (
    MovementDeletedError,
    MovementNotPendingError,
    MovementRefundedError,
    NotFoundError,
)
from billing.domain.idempotency import Created
from billing.domain.movements import Movement, MovementKey
from billing.domain.tokens import EVERY_ACCOUNT
from billing.persistence.cycles import list_members
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.movements import MovementRepository
from billing.services.record_movement import record_movement
from billing.services.withdraw_movement import withdraw_movement
from tests.integration.billing import Runs, charge, documents, give_back
from tests.integration.conftest import Invoker
from tests.integration.ledger import ACCOUNT, SUBSCRIPTION, amount, close_cycle, open_cycle
from tests.integration.test_refund_races import Hands, at_once


def _members(org_id: str, cycle: date | None = None) -> list[str]:
    """List the keys of what falls into a cycle; without one, into the open one."""
    ends_on = cycle or open_cycle(org_id)
    found = list_members(config.movements_table(), org_id, ACCOUNT, ends_on)
    return [item["sk"]["S"] for item in found]


def _withdraw(key: MovementKey) -> None:
    withdraw_movement(key, reach=EVERY_ACCOUNT, movements=MovementRepository())


def test_a_deleted_movement_is_not_there_and_never_billed(runs: Runs) -> None:
    invoke = runs.invoke
    kept, deleted = charge(invoke, 12.1, 10), charge(invoke)

    answer = invoke("movements_delete", movementId=deleted)

    assert (answer.status, answer.text) == (204, "")
    assert invoke("movements_get", movementId=deleted).status == 404
    assert [each["id"] for each in invoke("movements_list").json["movements"]] == [kept]
    assert _members(invoke.org_id) == [f"movement#{SUBSCRIPTION}#{kept}"]
    assert runs.run(until="2026-12-01")["invoices_issued"] == 1
    assert [each["amountIncVat"] for each in documents(invoke)] == ["1210"]


def test_it_is_deleted_once_and_its_external_id_stays_used(billed: Invoker) -> None:
    movement_id = billed("movements_create").json["id"]
    replayed = billed("movements_create")
    assert billed("movements_delete", movementId=movement_id).status == 204

    gone = billed("movements_delete", movementId=movement_id)
    again = billed("movements_create")
    other = billed("movements_create", {"description": "Another"})

    assert (replayed.status, replayed.json["id"]) == (201, movement_id)
    assert gone.status == 404
    assert (again.status, again.json["code"]) == (409, "MOVEMENT_DELETED")
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert _members(billed.org_id) == []


def test_what_is_refunded_stays_until_its_refunds_are_gone(billed: Invoker) -> None:
    movement_id = charge(billed)
    refund_id = give_back(billed, movement_id)

    refused = billed("movements_delete", movementId=movement_id)
    assert billed("refunds_delete", movementId=movement_id, refundId=refund_id).status == 204
    deleted = billed("movements_delete", movementId=movement_id)

    assert (refused.status, refused.json["code"]) == (409, "MOVEMENT_REFUNDED")
    assert "12.10 EUR" in refused.json["message"]
    assert deleted.status == 204
    assert billed("refunds_create", movementId=movement_id).status == 404


@pytest.mark.parametrize("documents", [{"parts": [], "credit_notes": {}}, None])
def test_what_a_run_has_closed_stays(billed: Invoker, documents: Any) -> None:
    movement_id = charge(billed)
    close_cycle(billed.org_id, documents)

    refused = billed("movements_delete", movementId=movement_id)

    assert (refused.status, refused.json["code"]) == (409, "MOVEMENT_NOT_PENDING")
    assert billed("movements_get", movementId=movement_id).status == 200


def test_hides_another_account(billed: Invoker) -> None:
    movement_id = charge(billed)

    stranger = billed("movements_delete", movementId=movement_id, caller={"accounts": "100002"})
    elsewhere = billed("movements_delete", movementId=movement_id, subscriptionId="600")

    assert (stranger.status, elsewhere.status) == (404, 404)
    assert billed("movements_get", movementId=movement_id).status == 200


# ---------------------------------------------------------------- under many hands


@pytest.mark.faults
def test_either_the_movement_is_deleted_or_some_of_it_is_refunded(billed: Invoker) -> None:
    for turn in range(4):
        hands = Hands(billed, external_movement_unique_id=f"movement-{turn}")
        delete = partial(_withdraw, hands.movement)
        part = amount(1.21, 1)
        issues = [partial(hands.issue, f"{turn}-{n}", amount=part) for n in range(6)]

        answers = at_once([*issues[:3], delete, *issues[3:5], delete, issues[5]])

        refunds = [each for each in answers if isinstance(each, tuple)]
        deleted = [each for each in answers if each is None]
        kept = MovementRepository().find(hands.movement)
        assert bool(deleted) == (kept is None) == (not refunds)
        errors = {type(each) for each in answers if isinstance(each, Exception)}
        assert errors <= {MovementRefundedError, NotFoundError}
        if kept:
            assert kept.refunded.minor == 121 * len(refunds)


def test_stays_where_it_is_refunded_just_after_it_was_read(billed: Invoker) -> None:
    hands = Hands(billed)

    class Late(MovementRepository):
        def find(self, key: MovementKey) -> Movement | None:
            movement = super().find(key)
            if movement and not movement.refunded:
                hands.issue("meanwhile")
            return movement

    with pytest.raises(MovementRefundedError):
        withdraw_movement(hands.movement, reach=EVERY_ACCOUNT, movements=Late())

    assert hands.read().refunded.minor > 0


@pytest.mark.faults
def test_a_run_bills_it_or_it_is_gone(billed: Invoker) -> None:
    made = [charge(billed) for _ in range(24)]
    keys = [MovementKey(billed.org_id, SUBSCRIPTION, each) for each in made]

    def close() -> list[str]:
        closed = close_cycle(billed.org_id)
        return sorted(each.rsplit("#", 1)[1] for each in _members(billed.org_id, closed))

    deletes = [partial(_withdraw, key) for key in keys]
    answers = at_once([*deletes[:12], close, *deletes[12:]])

    [gathered] = [each for each in answers if isinstance(each, list)]
    errors = {type(each) for each in answers if isinstance(each, Exception)}
    assert errors <= {MovementNotPendingError}
    assert gathered == sorted(key.id for key in keys if MovementRepository().find(key))


@pytest.mark.faults
def test_twins_and_deletions_leave_one_movement_or_none(billed: Invoker) -> None:
    body = parse_json(billed.event("movements_create")["body"])
    request = MovementRequestDTO.model_validate(body)

    def create() -> Created:
        return record_movement(
            billed.org_id,
            SUBSCRIPTION,
            request.to_domain(),
            request.external_id(request.external_movement_unique_id, SUBSCRIPTION),
            now=clock.now(),
            reach=EVERY_ACCOUNT,
            org_time=clock.now(),
            rates=ExchangeRateRepository(),
            movements=MovementRepository(),
        )

    def create_and_delete() -> None:
        _withdraw(MovementKey(billed.org_id, SUBSCRIPTION, create().id))

    answers = at_once([create, create_and_delete] * 8)

    assert len({each.id for each in answers if isinstance(each, Created)}) <= 1
    errors = {type(each) for each in answers if isinstance(each, Exception)}
    assert errors <= {MovementDeletedError, NotFoundError}
    assert _members(billed.org_id) == []
    with pytest.raises(MovementDeletedError):
        create()


def test_takes_one_read_and_one_transaction(billed: Invoker, aws_calls: Any) -> None:
    movement_id = charge(billed)
    aws_calls()

    assert billed("movements_delete", movementId=movement_id).status == 204

    assert aws_calls() == ["GetItem", "TransactWriteItems"]
