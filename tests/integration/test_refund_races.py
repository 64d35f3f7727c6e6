"""
Movements and refunds under many hands at once.

Each hand calls the services, as Powertools' resolver serves one request of a process at a time.
"""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import Any

import pytest

from billing import clock
from billing.api.json_body import parse_json
from billing.dialects.v1.refunds import RefundRequestDTO
from billing.domain.errors import (
    BillingError,
    NotFoundError,
    RefundExceedsMovementError,
)
from billing.domain.movements import Movement
from billing.domain.refunds import RefundKey
from billing.domain.tokens import EVERY_ACCOUNT
from billing.persistence.cycles import CycleRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.movements import MovementRepository
from billing.persistence.refunds import RefundRepository, to_refund
from billing.services.change_refund import replace_refund, withdraw_refund
from billing.services.issue_refund import issue_refund
from tests.integration.conftest import Invoker
from tests.integration.ledger import amount, close_cycle, key_of, ledger, members

pytestmark = pytest.mark.faults

HANDS = 16


class Hands:
    """What any of them may do to one movement, of 121 EUR unless its fields say otherwise."""

    def __init__(self, billed: Invoker, **fields: Any) -> None:
        self.movement = key_of(billed.org_id, billed("movements_create", fields).json["id"])
        self._body = json.loads(billed.event("refunds_create")["body"])

    def read(self) -> Movement:
        return MovementRepository().get(self.movement)

    def _request(self, fields: dict[str, Any]) -> RefundRequestDTO:
        return RefundRequestDTO.model_validate(parse_json(json.dumps({**self._body, **fields})))

    def issue(self, external_id: str, **fields: Any) -> tuple[RefundKey, bool]:
        request = self._request({"external_refund_unique_id": external_id, **fields})
        issued = issue_refund(
            self.movement,
            request.to_domain(),
            request.external_id(external_id, self.movement.subscription_id, self.movement.id),
            now=clock.now(),
            org_time=clock.now(),
            reach=EVERY_ACCOUNT,
            refunds=RefundRepository(),
            cycles=CycleRepository(),
            invoices=InvoiceRepository(),
        )
        return RefundKey(self.movement, issued.id), issued.replayed

    def issues(self, count: int, amount: Any) -> list[Callable[[], Any]]:
        """Prepare refunds of so much each."""
        return [partial(self.issue, f"refund-{n}", amount=amount) for n in range(count)]

    def replace(self, key: RefundKey, external_id: str, **fields: Any) -> int:
        request = self._request({"external_refund_unique_id": external_id, **fields})
        return replace_refund(
            key,
            request.to_domain(),
            versions=None,
            now=clock.now(),
            reach=EVERY_ACCOUNT,
            refunds=RefundRepository(),
            cycles=CycleRepository(),
            invoices=InvoiceRepository(),
        )

    def withdraw(self, key: RefundKey) -> None:
        withdraw_refund(
            key,
            versions=None,
            reach=EVERY_ACCOUNT,
            refunds=RefundRepository(),
            invoices=InvoiceRepository(),
        )


def at_once(actions: list[Callable[[], Any]]) -> list[Any]:
    """Do all of it with sixteen hands; answer what each came to, an error of ours included."""

    def outcome(action: Callable[[], Any]) -> Any:
        try:
            return action()
        except BillingError as error:
            return error

    with ThreadPoolExecutor(HANDS) as pool:
        return list(pool.map(outcome, actions))


def test_gives_back_exactly_what_fits(billed: Invoker) -> None:
    hands = Hands(billed)

    answers = at_once(hands.issues(48, amount(6.05, 5)))

    refused = [answer for answer in answers if isinstance(answer, BillingError)]
    assert {type(error) for error in refused} == {RefundExceedsMovementError}
    assert len(answers) - len(refused) == 20
    assert list(ledger(billed.org_id).refunded.values()) == [12100]


def test_twins_give_one_refund(billed: Invoker) -> None:
    hands = Hands(billed)

    answers = at_once([lambda: hands.issue("twin", amount=amount(6.05, 5))] * HANDS)

    assert len({key for key, _ in answers}) == 1
    assert [replayed for _, replayed in answers].count(False) == 1
    assert list(ledger(billed.org_id).refunded.values()) == [605]


def test_twins_that_take_the_last_of_it_are_replays_and_no_excess(billed: Invoker) -> None:
    hands = Hands(billed)

    answers = at_once([lambda: hands.issue("twin", amount=amount(121, 100))] * HANDS)

    assert len({key for key, _ in answers}) == 1
    assert list(ledger(billed.org_id).refunded.values()) == [12100]


def test_sums_agree_whoever_issues_replaces_and_withdraws(billed: Invoker) -> None:
    hands, draw = Hands(billed), random.Random(3)
    keys = {f"refund-{n}": hands.issue(f"refund-{n}", amount=amount(12.1, 10))[0] for n in range(8)}

    def anything(n: int) -> Callable[[], Any]:
        external_id, net = draw.choice(list(keys)), draw.randint(1, 40)
        fields = {"amount": amount(round(net * 1.21, 2), net), "billable": draw.random() < 0.7}
        key = keys[external_id]
        return draw.choice(
            [
                lambda: hands.issue(f"new-{n}", **fields),
                lambda: hands.replace(key, external_id, **fields),
                lambda: hands.replace(key, external_id, **fields),
                lambda: hands.withdraw(key),
            ]
        )

    answers = at_once([anything(n) for n in range(96)])

    errors = {type(answer) for answer in answers if isinstance(answer, Exception)}
    assert errors <= {RefundExceedsMovementError, NotFoundError}
    [refunded] = ledger(billed.org_id).refunded.values()
    assert 0 < refunded <= 12100


def test_nothing_comes_into_a_cycle_once_a_run_has_closed_it(billed: Invoker) -> None:
    hands = Hands(billed)

    def refunds_in(ends_on: date) -> set[RefundKey]:
        return {to_refund(item).key for item in members(billed.org_id, ends_on, "refund")}

    def close() -> tuple[date, set[RefundKey]]:
        closed = close_cycle(billed.org_id)
        return closed, refunds_in(closed)

    actions: list[Callable[[], Any]] = hands.issues(64, amount(1.21, 1))
    answers = at_once([*actions[:4], close, *actions[4:24], close, *actions[24:]])

    closings = {day: keys for day, keys in answers if isinstance(day, date)}
    assert {day: refunds_in(day) for day in closings} == closings
    assert list(ledger(billed.org_id, *closings).refunded.values()) == [64 * 121]
