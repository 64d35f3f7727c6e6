"""
Movements and refunds are found where they are only, and external ids stay with their movement.

That nothing crosses orgs and accounts is shown of all routes, in test_access and test_foreign_ids.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.conftest import Answer, Invoker
from tests.integration.ledger import ledger

LISTING = ["movements_list"]
OF_MOVEMENT = [
    "movements_get",
    "movements_list_refunds",
    "refunds_create",
    "refunds_create_non_subscribable",
]
OF_REFUND = ["refunds_get", "refunds_put", "refunds_delete"]
OTHER_SUBSCRIPTION = "600000000"
UNKNOWN = "0" * 32


@dataclass
class Ids:
    """A movement with a refund, and another movement on another subscription."""

    billed: Invoker
    movement: str
    refund: str
    other_movement: str

    def __call__(self, event: str, **options: Any) -> Answer:
        path = {"movementId": self.movement, "refundId": self.refund}
        needed = {name: path[name] for name in path if f"{{{name}}}" in self._route(event)}
        return self.billed(event, **{**needed, **options})

    def _route(self, event: str) -> str:
        return str(self.billed.event(event)["routeKey"])


@pytest.fixture
def ids(billed: Invoker) -> Ids:
    movement = billed("movements_create").json["id"]
    refund = billed("refunds_create", movementId=movement).json["id"]
    other = {"external_movement_unique_id": "other"}
    other_movement = billed(
        "movements_create", other, caller={"accounts": "*"}, subscriptionId=OTHER_SUBSCRIPTION
    )
    return Ids(billed, movement, refund, other_movement.json["id"])


@pytest.mark.parametrize("event", [*OF_MOVEMENT, *OF_REFUND])
@pytest.mark.parametrize(
    "path",
    [
        pytest.param({"subscriptionId": OTHER_SUBSCRIPTION}, id="another subscription"),
        pytest.param({"movementId": UNKNOWN}, id="no movement"),
    ],
)
def test_does_not_find_a_movement_elsewhere(ids: Ids, event: str, path: dict[str, str]) -> None:
    before = ledger(ids.billed.org_id)

    answer = ids(event, **path)

    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")
    assert ledger(ids.billed.org_id) == before


@pytest.mark.parametrize("event", OF_REFUND)
def test_does_not_find_a_refund_elsewhere(ids: Ids, event: str) -> None:
    before = ledger(ids.billed.org_id)
    elsewhere = {"movementId": ids.other_movement, "subscriptionId": OTHER_SUBSCRIPTION}

    answers = [ids(event, **elsewhere), ids(event, refundId=UNKNOWN)]

    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert ledger(ids.billed.org_id) == before


def test_charges_no_account_out_of_reach(ids: Ids) -> None:
    limited = {"accounts": "100001"}
    theirs = ids("movements_create", body={"account_id": "100002"}, caller=limited)
    nowhere = ids("movements_create", body={"account_id": "999999"}, caller=limited)

    assert (theirs.status, theirs.json["code"]) == (403, "ACCESS_DENIED")
    assert theirs.text == nowhere.text


@pytest.mark.parametrize("event", ["refunds_create", "refunds_create_non_subscribable"])
def test_keeps_an_external_id_to_its_movement(ids: Ids, event: str) -> None:
    ids(event)

    elsewhere = ids(event, movementId=ids.other_movement, subscriptionId=OTHER_SUBSCRIPTION)
    hidden = ids(event, body={"description": "Something else"}, caller={"accounts": "100002"})

    assert (elsewhere.status, elsewhere.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert hidden.status == 404


@pytest.mark.parametrize("event", [*LISTING, *OF_MOVEMENT, *OF_REFUND])
@pytest.mark.parametrize(("wrong", "status"), [("x" * 65, 400), ("a:b", 400), ("a#b", 404)])
def test_refuses_what_is_no_id(ids: Ids, event: str, wrong: str, status: int) -> None:
    assert ids(event, subscriptionId=wrong).status == status
