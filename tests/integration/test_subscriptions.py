"""Subscriptions: registered to one account for ever, and used by who reaches that."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.integration.conftest import Answer, Invoker
from tests.integration.usage import receipt, record, send

pytestmark = pytest.mark.moto

EVERYWHERE = {"accounts": "*"}
OTHER = "100002"
OF_OTHER = "600000002"
OF_NOBODY = "600000009"

type Json = dict[str, Any]


@pytest.fixture
def two(billed: Invoker) -> Invoker:
    """Call functions in the name of an org with another account, and a subscription of that."""
    assert _register(billed, OF_OTHER, OTHER).status == 404
    answer = billed("billing_info_put_account", caller=EVERYWHERE, accountId=OTHER)
    assert answer.status == 204
    assert _register(billed, OF_OTHER, OTHER).status == 204
    return billed


def test_is_used_before_its_first_movement(billed: Invoker) -> None:
    usage = send(billed, record(1))
    totals = billed("consumptions_get")
    movement = billed("movements_create")

    assert receipt(usage) == (201, 1, 0)
    assert totals.status == 200
    assert movement.status == 201
    assert _listed(billed) == ["600123456"]


@pytest.mark.parametrize(
    "event",
    [
        "movements_create", "movements_list", "consumptions_create", "consumptions_get",
        "consumptions_list",
    ],
)  # fmt: skip
def test_is_not_there_for_who_does_not_reach_its_account(two: Invoker, event: str) -> None:
    of_another = two(event, subscriptionId=OF_OTHER)
    of_nobody = two(event, subscriptionId=OF_NOBODY)

    assert (of_another.status, of_another.json["code"]) == (404, "NOT_FOUND")
    assert (of_another.text, of_another.headers) == (of_nobody.text, of_nobody.headers)
    assert _listed(two) == ["600123456"]
    assert _register(two, OF_NOBODY).status == 204


def test_an_external_id_that_is_taken_is_no_sign_of_it(two: Invoker) -> None:
    assert two("movements_create").status == 201

    answers = [two("movements_create", subscriptionId=each) for each in (OF_OTHER, OF_NOBODY)]

    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text


def test_begins_with_the_first_movement_of_who_reaches_all(two: Invoker) -> None:
    answer = two("movements_create", caller=EVERYWHERE, subscriptionId=OF_NOBODY)

    assert answer.status == 201
    assert _listed(two) == [OF_NOBODY, "600123456"]
    again = {"external_movement_unique_id": "movement-2"}
    assert two("movements_create", again, subscriptionId=OF_NOBODY).status == 201


def test_belongs_to_one_account_for_ever(two: Invoker) -> None:
    taken = _register(two, OF_OTHER)
    charged = two(
        "movements_create", caller={"accounts": f"100001,{OTHER}"}, subscriptionId=OF_OTHER
    )
    again = _register(two, OF_OTHER, OTHER)

    for answer in (taken, charged):
        assert (answer.status, answer.json["code"]) == (409, "SUBSCRIPTION_TAKEN")
    assert again.status == 204
    assert (_listed(two), _listed(two, OTHER)) == (["600123456"], [OF_OTHER])


def test_takes_a_writer_of_all_accounts(billed: Invoker) -> None:
    some = billed("billing_info_put_subscription", caller={"accounts": "100001"})
    reader = billed("billing_info_put_subscription", caller={"accounts": "*", "role": "reader"})
    writer = billed("billing_info_put_subscription", caller={"accounts": "*", "role": "writer"})

    assert [each.status for each in (some, reader, writer)] == [403, 403, 204]


def test_lists_them_page_by_page(billed: Invoker) -> None:
    others = [f"6000000{number:02}" for number in range(9)]
    for each in reversed(others):
        assert _register(billed, each).status == 204

    pages: list[list[str]] = []
    cursor = None
    while True:
        query = {"limit": "4", **({"cursor": cursor} if cursor else {})}
        answer = billed("billing_info_list_subscriptions", query=query).json
        pages.append([each["subscription_id"] for each in answer["subscriptions"]])
        cursor = answer["next_cursor"]
        if cursor is None:
            break

    assert [len(page) for page in pages] == [4, 4, 2]
    assert [each for page in pages for each in page] == [*others, "600123456"]


def test_lists_none_of_an_account_that_is_not_there(two: Invoker) -> None:
    assert two("billing_info_put_account", caller=EVERYWHERE, accountId="100003").status == 204

    empty = two("billing_info_list_subscriptions", caller=EVERYWHERE, accountId="100003")
    missing = two("billing_info_list_subscriptions", caller=EVERYWHERE, accountId="100004")

    assert (empty.status, empty.json) == (200, {"subscriptions": [], "next_cursor": None})
    assert missing.status == 404


@pytest.mark.faults
@pytest.mark.moto_differs("threads break its transactions")
def test_those_who_race_for_one_see_one_win(two: Invoker) -> None:
    def charge(account_id: str, number: int) -> Answer:
        body = {"account_id": account_id, "external_movement_unique_id": f"race-{number}"}
        return two("movements_create", body, caller=EVERYWHERE, subscriptionId=OF_NOBODY)

    racers: list[Callable[[], Answer]] = []
    for number in range(8):
        account_id = ("100001", OTHER)[number % 2]
        racers.append(partial(_register, two, OF_NOBODY, account_id))
        racers.append(partial(charge, account_id, number))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda racer: racer(), racers))

    owners = [each for each in ("100001", OTHER) if OF_NOBODY in _listed(two, each)]
    assert len(owners) == 1
    won = 0 if owners == ["100001"] else 1
    for number in range(8):
        statuses = {each.status for each in answers[2 * number : 2 * number + 2]}
        assert statuses == ({204, 201} if number % 2 == won else {409})


def test_costs_no_more_calls_than_promised(
    billed: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    aws_calls()
    assert _register(billed, OF_NOBODY).status == 204
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]

    assert _register(billed, OF_NOBODY).status == 204
    assert aws_calls() == ["BatchGetItem"]

    assert _listed(billed) == [OF_NOBODY, "600123456"]
    assert aws_calls() == ["Query"]

    first = billed("movements_create", caller=EVERYWHERE, subscriptionId=OF_OTHER)
    assert first.status == 201
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]


def _register(invoke: Invoker, subscription_id: str, account_id: str = "100001") -> Answer:
    return invoke(
        "billing_info_put_subscription",
        caller={"accounts": "*", "role": "writer"},
        accountId=account_id,
        subscriptionId=subscription_id,
    )


def _listed(invoke: Invoker, account_id: str = "100001") -> list[str]:
    answer = invoke("billing_info_list_subscriptions", caller=EVERYWHERE, accountId=account_id)
    return [each["subscription_id"] for each in answer.json["subscriptions"]]
