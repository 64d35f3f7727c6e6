"""Refunds through the function's handler, on real tables."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from billing.persistence import refunds as refunds_module
from billing.persistence.dynamodb import transact
from tests.integration.billing import Runs
from tests.integration.conftest import Invoker
from tests.integration.ledger import NOTHING, SUBSCRIPTION, amount, close_cycle, ledger, open_cycle

pytestmark = pytest.mark.moto

type Json = dict[str, Any]


class Movement:
    """One movement of 121 EUR, and what is done to it."""

    def __init__(self, billed: Invoker, **fields: Any) -> None:
        self.billed = billed
        self.org_id = billed.org_id
        self.id = billed("movements_create", fields).json["id"]

    def __call__(self, event: str, body: Json | None = None, **options: Any) -> Any:
        return self.billed(event, body, movementId=self.id, **options)

    @property
    def refunded(self) -> float:
        ledger(self.org_id)
        return float(self("movements_get").json["refunded"])


@pytest.fixture
def movement(billed: Invoker) -> Movement:
    return Movement(billed)


def test_refunds_once_for_one_external_id(movement: Movement) -> None:
    first = movement("refunds_create")
    again = movement("refunds_create")
    other = movement("refunds_create", {"description": "Something else"})
    kind = movement("refunds_create_non_subscribable", {"external_refund_unique_id": "refund-1"})

    location = (
        f"/v1/orgs/{movement.org_id}/subscription/{SUBSCRIPTION}/movement/{movement.id}"
        f"/refund/{first.json['id']}"
    )
    assert (first.status, first.headers["location"], first.headers["etag"]) == (
        201,
        location,
        '"1"',
    )
    assert "idempotent-replayed" not in first.headers
    assert (again.status, again.json) == (201, first.json)
    assert (again.headers["location"], again.headers["etag"]) == (location, '"1"')
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert (kind.status, kind.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert movement.refunded == 12.1


def test_gets_a_refund_as_it_was_sent(movement: Movement) -> None:
    sent = json.loads(movement.billed.event("refunds_create")["body"])
    refund_id = movement("refunds_create").json["id"]

    answer = movement("refunds_get", refundId=refund_id)

    assert (answer.status, answer.headers["etag"]) == (200, '"1"')
    assert answer.json == {
        **sent,
        "id": refund_id,
        "movement_id": movement.id,
        "subscription_id": SUBSCRIPTION,
        "transaction_type_id": None,
        "status": "pending",
        "invoice_cycle_date": open_cycle(movement.org_id).isoformat(),
        "invoice_id": None,
        "created_at": answer.json["created_at"],
        "updated_at": answer.json["created_at"],
    }
    assert sent["period_end_datetime"].endswith("59.999999999Z")


def test_gets_a_refund_of_non_subscribable_products_as_it_was_sent(movement: Movement) -> None:
    sent = json.loads(movement.billed.event("refunds_create_non_subscribable")["body"])
    refund_id = movement("refunds_create_non_subscribable").json["id"]

    refund = movement("refunds_get", refundId=refund_id).json

    assert {name: refund[name] for name in sent} == sent
    assert (refund["amount"]["billable"], refund["billable"]) == (False, False)


def test_refunds_again_and_again_without_an_external_id(movement: Movement) -> None:
    anonymous = {"external_refund_unique_id": None}

    answers = [movement("refunds_create_non_subscribable", anonymous) for _ in range(2)]

    assert [answer.status for answer in answers] == [201, 201]
    assert movement.refunded == 24.2


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        pytest.param({"amount": amount(12.12, 10)}, {"amount.value_with_taxes"}, id="tax"),
        pytest.param(
            {"amount": amount(0, 0)},
            {"amount.value_with_taxes", "amount.value_without_taxes"},
            id="nothing",
        ),
        pytest.param(
            {"amount": {**amount(12, 10), "tax": {"type": "IGIC", "percentage": 20}}},
            {"amount.tax.type", "amount.tax.percentage"},
            id="another tax",
        ),
        pytest.param(
            {"amount": {**amount(12.1, 10), "currency": "USD"}},
            {"amount.currency"},
            id="another currency",
        ),
        pytest.param(
            {"period_start_datetime": "2026-10-31T22:59:59.999999999Z"},
            {"period_start_datetime"},
            id="a nanosecond too early",
        ),
        pytest.param(
            {"period_end_datetime": "2026-11-30T23:00:00Z"},
            {"period_start_datetime"},
            id="a nanosecond too late",
        ),
        pytest.param({"period_start_datetime": None}, {"period_end_datetime"}, id="half a period"),
        pytest.param({"refund_datetime": "2026-11-21T10:00:00"}, {"refund_datetime"}, id="no zone"),
        pytest.param({"billable": "true", "x": 1}, {"billable", "x"}, id="a string, a stranger"),
    ],
)
def test_refuses_what_does_not_fit_the_movement(
    movement: Movement, wrong: Json, fields: set[str]
) -> None:
    created = movement("refunds_create", wrong)
    refund_id = movement("refunds_create").json["id"]
    replaced = movement("refunds_put", wrong, refundId=refund_id)

    for answer in (created, replaced):
        assert (answer.status, answer.json["code"]) == (400, "INVALID_REQUEST")
        assert {detail["field"] for detail in answer.json["details"]} == fields
    assert movement.refunded == 12.1


def test_takes_the_whole_period_of_the_movement_and_one_written_otherwise(
    movement: Movement,
) -> None:
    whole = {
        "period_start_datetime": "2026-11-01T00:00:00+01:00",
        "period_end_datetime": "2026-11-30T22:59:59.999999999Z",
    }

    answer = movement("refunds_create", whole)

    refund = movement("refunds_get", refundId=answer.json["id"]).json
    assert {name: refund[name] for name in whole} == whole


def test_refuses_more_than_is_left(movement: Movement) -> None:
    movement("refunds_create", {"amount": amount(120.98, 99.98)})

    more = movement(
        "refunds_create", {"amount": amount(0.04, 0.03), "external_refund_unique_id": "refund-2"}
    )
    rest = movement(
        "refunds_create", {"amount": amount(0.02, 0.02), "external_refund_unique_id": "refund-2"}
    )

    assert (more.status, more.json["code"]) == (409, "REFUND_EXCEEDS_MOVEMENT")
    assert rest.status == 201
    assert movement("movements_get").json["refundable"] == 0
    assert movement.refunded == 121


def test_refunds_charges_only(billed: Invoker) -> None:
    allowance = Movement(billed, operation_type="CREDIT", kind="discount")

    answer = allowance("refunds_create")

    assert (answer.status, answer.json["code"]) == (409, "MOVEMENT_NOT_REFUNDABLE")
    assert allowance("movements_get").json["refundable"] == 0


def test_replaces_a_refund(movement: Movement) -> None:
    refund_id = movement("refunds_create").json["id"]
    created = movement("refunds_get", refundId=refund_id).json

    answer = movement("refunds_put", {"billable": False}, refundId=refund_id)

    assert (answer.status, answer.text, answer.headers["etag"]) == (204, "", '"2"')
    replaced = movement("refunds_get", refundId=refund_id)
    assert replaced.headers["etag"] == '"2"'
    assert replaced.json == {
        **created,
        "amount": amount(24.2, 20),
        "billable": False,
        "description": "Seis días sin servicio",
        "updated_at": replaced.json["updated_at"],
    }
    assert replaced.json["updated_at"] > created["updated_at"]
    assert movement.refunded == 24.2


def test_replaces_by_no_more_than_is_left(movement: Movement) -> None:
    refund_id = movement("refunds_create", {"amount": amount(100, 82.64)}).json["id"]

    more = movement("refunds_put", {"amount": amount(121.01, 100.01)}, refundId=refund_id)
    all_of_it = movement("refunds_put", {"amount": amount(121, 100)}, refundId=refund_id)

    assert (more.status, more.json["code"]) == (409, "REFUND_EXCEEDS_MOVEMENT")
    assert all_of_it.status == 204
    assert movement.refunded == 121


def test_keeps_the_external_id_of_a_refund(movement: Movement) -> None:
    refund_id = movement("refunds_create").json["id"]

    answer = movement("refunds_put", {"external_refund_unique_id": "other"}, refundId=refund_id)

    assert (answer.status, answer.json["code"]) == (409, "EXTERNAL_ID_CHANGED")


def test_gives_a_refund_no_external_id_after_it_was_made(movement: Movement) -> None:
    anonymous = {"external_refund_unique_id": None}
    refund_id = movement("refunds_create_non_subscribable", anonymous).json["id"]

    given = movement("refunds_put", {"external_refund_unique_id": "mine"}, refundId=refund_id)
    unspent = movement("refunds_create", {"external_refund_unique_id": "mine"})

    assert (given.status, given.json["code"]) == (409, "EXTERNAL_ID_CHANGED")
    assert unspent.status == 201
    assert movement("refunds_get", refundId=refund_id).json["external_refund_unique_id"] is None
    ledger(movement.org_id)


def test_withdraws_a_refund_and_frees_its_money(movement: Movement) -> None:
    refund_id = movement("refunds_create", {"amount": amount(121, 100)}).json["id"]

    withdrawn = movement("refunds_delete", refundId=refund_id)

    assert (withdrawn.status, withdrawn.text) == (204, "")
    assert movement.refunded == 0
    for event in ("refunds_get", "refunds_put", "refunds_delete"):
        assert movement(event, refundId=refund_id).status == 404
    anew = movement("refunds_create", {"external_refund_unique_id": "refund-2"})
    assert anew.status == 201


def test_spends_the_external_id_of_a_withdrawn_refund(movement: Movement) -> None:
    first = movement("refunds_create")
    movement("refunds_delete", refundId=first.json["id"])

    again = movement("refunds_create")
    other = movement("refunds_create", {"description": "Something else"})

    assert (again.status, again.json["code"]) == (409, "REFUND_WITHDRAWN")
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert movement.refunded == 0


@pytest.mark.parametrize("event", ["refunds_put", "refunds_delete"])
@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        pytest.param('"2"', 204, id="this version"),
        pytest.param('"7", "2"', 204, id="one of several"),
        pytest.param("*", 204, id="any"),
        pytest.param('"1"', 412, id="an earlier one"),
        pytest.param('W/"2"', 412, id="a weak one"),
        pytest.param("2", 412, id="no tag"),
    ],
)
def test_honours_if_match(movement: Movement, event: str, if_match: str, status: int) -> None:
    refund_id = movement("refunds_create").json["id"]
    movement("refunds_put", {"description": "Second version"}, refundId=refund_id)

    answer = movement(event, refundId=refund_id, headers={"if-match": if_match})

    assert answer.status == status
    if status == 412:
        assert answer.json["code"] == "PRECONDITION_FAILED"
        refund = movement("refunds_get", refundId=refund_id).json
        assert refund["description"] == "Second version"
    ledger(movement.org_id)


def test_says_the_same_again_when_the_first_answer_was_lost(movement: Movement) -> None:
    refund_id = movement("refunds_create").json["id"]
    known = {"if-match": '"1"'}
    movement("refunds_put", refundId=refund_id, headers=known)

    again = movement("refunds_put", refundId=refund_id, headers=known)
    stale = movement("refunds_put", refundId=refund_id, headers={"if-match": '"0"'})

    assert (again.status, again.headers["etag"]) == (204, '"2"')
    assert stale.status == 412


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        pytest.param("refunds_delete", None, id="withdraw"),
        pytest.param("refunds_put", None, id="replace"),
        pytest.param("refunds_put", {"amount": amount(121, 100)}, id="replace by more"),
        pytest.param(
            "refunds_put",
            {"amount": amount(12.1, 10), "description": "Tres días sin servicio"},
            id="say the same",
        ),
    ],
)
def test_changes_nothing_once_the_cycle_is_closed(
    movement: Movement, event: str, fields: Json | None
) -> None:
    refund_id = movement("refunds_create").json["id"]
    before = ledger(movement.org_id)
    closed = close_cycle(movement.org_id)

    answer = movement(event, fields, refundId=refund_id)

    assert (answer.status, answer.json["code"]) == (409, "REFUND_NOT_PENDING")
    assert ledger(movement.org_id, closed) == before


@pytest.mark.parametrize(
    ("billable", "documents", "status", "invoice_id"),
    [
        pytest.param(True, None, "pending", None, id="closed, not yet billed"),
        pytest.param(
            True, {"parts": [["EUR", "", 4, False]], "credit_notes": {}}, "billed", "4", id="billed"
        ),
        pytest.param(True, NOTHING, "billed", None, id="for nothing"),
        pytest.param(False, None, "settled", None, id="settled elsewhere"),
        pytest.param(
            False,
            {"parts": [["EUR", "", 4, False]], "credit_notes": {}},
            *("settled", None),
            id="not billed",
        ),
    ],
)
def test_tells_how_far_a_refund_is(
    movement: Movement, billable: bool, documents: Json | None, status: str, invoice_id: str | None
) -> None:
    refund_id = movement("refunds_create", {"billable": billable}).json["id"]

    close_cycle(movement.org_id, documents)

    refund = movement("refunds_get", refundId=refund_id).json
    assert (refund["status"], refund["invoice_id"]) == (status, invoice_id)


def test_names_the_credit_note_of_a_movement_that_was_invoiced_before(
    movement: Movement, runs: Runs
) -> None:
    runs.run(until="2026-12-01")
    refund_id = movement("refunds_create").json["id"]
    assert movement("refunds_get", refundId=refund_id).json["status"] == "pending"
    assert movement("refunds_put", refundId=refund_id).status == 204
    runs.run(until="2027-01-01")

    [listed] = movement("movements_list_refunds").json["refunds"]

    assert (listed["status"], listed["invoice_id"]) == ("billed", "2")
    assert listed["invoice_cycle_date"] == "2026-12-31"
    assert movement("movements_get").json["invoice_id"] == "1"
    ledger(movement.org_id, date(2026, 11, 30), date(2026, 12, 31))


def test_lists_refunds_newest_first_page_by_page(movement: Movement) -> None:
    made = [
        movement("refunds_create", {"external_refund_unique_id": f"refund-{number}"}).json["id"]
        for number in range(3)
    ]

    first = movement("movements_list_refunds", query={"limit": "2"}).json
    cursor = first["next_cursor"]
    second = movement("movements_list_refunds", query={"limit": "2", "cursor": cursor}).json
    foreign = movement.billed("movements_list", query={"cursor": cursor})

    listed = [refund["id"] for page in (first, second) for refund in page["refunds"]]
    assert listed == made[::-1]
    assert second["next_cursor"] is None
    assert foreign.status == 400


def test_takes_one_read_and_one_transaction(
    movement: Movement, aws_calls: Callable[[], list[str]]
) -> None:
    aws_calls()
    refund_id = movement("refunds_create").json["id"]
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]

    other_id = movement("refunds_create_non_subscribable").json["id"]
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]

    movement("refunds_create")
    assert aws_calls() == ["BatchGetItem", "GetItem"]

    movement("refunds_get", refundId=refund_id)
    assert aws_calls() == ["GetItem", "BatchGetItem"]

    movement("refunds_put", refundId=refund_id)
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]

    movement("refunds_delete", refundId=other_id)
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]

    close_cycle(movement.org_id)
    aws_calls()
    movement("refunds_create", {"external_refund_unique_id": "refund-3"})
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"] + ["BatchGetItem"] * 2 + [
        "TransactWriteItems"
    ]


@pytest.mark.parametrize("event", ["refunds_create", "refunds_create_non_subscribable"])
def test_takes_an_own_earlier_try_for_what_it_is(
    movement: Movement, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """As if the transaction had been sent twice, and its token forgotten in between."""

    def send_twice(writes: list[Any]) -> None:
        transact(writes)
        transact(writes)

    monkeypatch.setattr(refunds_module, "transact", send_twice)
    answer = movement(event)

    assert answer.status == 201
    assert "idempotent-replayed" not in answer.headers
    assert movement.refunded == 12.1


def test_writers_only(movement: Movement) -> None:
    refund_id = movement("refunds_create").json["id"]
    reader = {"role": "reader"}

    for event in ("refunds_create", "refunds_create_non_subscribable"):
        assert movement(event, caller=reader).status == 403
    for event in ("refunds_put", "refunds_delete"):
        assert movement(event, caller=reader, refundId=refund_id).status == 403
    assert movement("refunds_get", caller=reader, refundId=refund_id).status == 200
