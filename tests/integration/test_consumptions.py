"""Usage records through the function's handler, on real tables."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing import config
from billing.api import cursors
from billing.domain.consumptions import ConsumptionTotal, ConsumptionType, Unit
from billing.domain.money import Money
from billing.persistence.consumptions import ConsumptionRepository
from billing.persistence.cycles import open_cycle_key
from billing.persistence.dynamodb import delete, transact
from tests.integration.callers import TOKEN_ID
from tests.integration.conftest import Answer, Invoker
from tests.integration.ledger import ACCOUNT, SUBSCRIPTION, close_cycle, open_cycle
from tests.integration.usage import cents, kept, receipt, record, send

EVERYWHERE = {"accounts": "*"}
"""Who may begin a new subscription."""


@pytest.fixture
def used(billed: Invoker) -> Invoker:
    """Call functions in the name of an org whose account has a subscription."""
    assert billed("movements_create").status == 201
    return billed


# -------------------------------------------------------------------- take


def test_takes_each_record_once(used: Invoker) -> None:
    first = used("consumptions_create")
    again = used("consumptions_create")
    more = send(used, *json.loads(used.event("consumptions_create")["body"])["records"], record(4))

    assert (first.status, first.json) == (201, {"accepted": 3, "duplicates": 0})
    assert (again.status, again.json) == (201, {"accepted": 0, "duplicates": 3})
    assert (more.status, more.json) == (201, {"accepted": 1, "duplicates": 3})
    assert kept(used.org_id) == Counter(["cdr-1", "cdr-2", "cdr-3", "cdr-4"])


def test_gives_what_was_used_in_the_open_cycle(
    used: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    used("consumptions_create")
    send(used, *(record(number) for number in range(10, 110)))
    send(
        used,
        record(200, units=0, amount=cents(110, 100, 10)),
        record(201, amount=cents(500, 500, 0, currency="USD")),
        record(202, type="data", unit="bytes", units=10**15),
    )

    answer = used("consumptions_get")

    ends_on = open_cycle(used.org_id)
    assert answer.status == 200
    assert answer.json == {
        "invoice_cycle_date": ends_on.isoformat(),
        "period": used("billing_info_get_account").json["current_period"],
        "totals": [
            _total("data", 10**15 + 52428800, "bytes", 0.01, 0.01),
            _total("sms", 1, "messages", 0.12, 0.1),
            # 1.37 at 21 % is 1.66, and 1 at 10 % is 1.10; a cent each would have had no tax at all.
            _total("voice", 6184, "seconds", 2.76, 2.37),
            _total("voice", 60, "seconds", 5, 5, "USD"),
        ],
    }


def _total(
    kind: str, units: int, unit: str, gross: float, net: float, currency: str = "EUR"
) -> dict[str, Any]:
    return {
        "type": kind,
        "units": units,
        "unit": unit,
        "amount": {
            "value_with_taxes": gross,
            "value_without_taxes": net,
            "currency": currency,
        },
    }


def test_says_so_where_nothing_was_used(used: Invoker) -> None:
    answer = used("consumptions_get")

    assert (answer.status, answer.json["totals"]) == (200, [])


def test_another_record_under_a_used_id_is_named_and_nothing_is_taken(used: Invoker) -> None:
    send(used, record(1), record(2))

    answer = send(used, record(3), record(1, units=61), record(4), record(2, destination="x"))

    assert (answer.status, answer.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert "'cdr-1'" in answer.json["message"]
    assert [detail["field"] for detail in answer.json["details"]] == [
        "records.1.external_consumption_unique_id",
        "records.3.external_consumption_unique_id",
    ]
    assert kept(used.org_id) == Counter(["cdr-1", "cdr-2"])


def test_counts_what_stands_twice_in_one_request_once(used: Invoker) -> None:
    twice = send(used, record(1), record(2), record(1), record(1))
    against = send(used, record(3), record(3, units=1))

    assert receipt(twice) == (201, 2, 2)
    assert (against.status, against.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert [detail["field"] for detail in against.json["details"]] == [
        "records.1.external_consumption_unique_id"
    ]
    assert kept(used.org_id) == Counter(["cdr-1", "cdr-2"])


def test_an_id_is_used_once_in_an_org_and_again_in_another(used: Invoker) -> None:
    send(used, record(1))
    other = {"external_movement_unique_id": "movement-2"}
    assert (
        used("movements_create", other, caller=EVERYWHERE, subscriptionId="600000000").status == 201
    )
    neighbour = Invoker(f"{used.org_id[:60]}-b")
    for event in (
        "billing_info_put_org",
        "billing_info_put_account",
        "billing_info_put_subscription",
    ):
        neighbour(event)

    elsewhere = send(used, record(1), subscriptionId="600000000")
    in_another_org = send(neighbour, record(1))

    assert (elsewhere.status, elsewhere.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert receipt(in_another_org) == (201, 1, 0)


def test_takes_a_thousand_records(used: Invoker, aws_calls: Any) -> None:
    kinds = [("voice", "seconds"), ("sms", "messages"), ("data", "bytes")]
    records = [
        record(number, type=kinds[number % 3][0], unit=kinds[number % 3][1])
        for number in range(1000)
    ]
    aws_calls()

    first = send(used, *records)
    calls = Counter(aws_calls())
    again = send(used, *reversed(records))

    assert (receipt(first), receipt(again)) == ((201, 1000, 0), (201, 0, 1000))
    # 1,000 external ids and the owner, 100 at a time, then the profiles; 48 records a transaction.
    assert calls == {"BatchGetItem": 12, "TransactWriteItems": 21}
    assert set(aws_calls()) == {"BatchGetItem"}
    assert kept(used.org_id) == Counter(f"cdr-{number}" for number in range(1000))


def test_a_transaction_holds_the_totals_of_its_records_too(used: Invoker, aws_calls: Any) -> None:
    free = {"type": "NONE", "percentage": 0, "category": "E"}
    records = [
        record(
            n,
            amount={
                "value_with_taxes": 1,
                "value_without_taxes": 1,
                "tax": {**free, "exemption_reason": f"Exempt by rule {n}"},
            },
        )
        for n in range(1, 100)
    ]
    aws_calls()

    answer = send(used, *records)

    assert receipt(answer) == (201, 99, 0)
    assert aws_calls() == ["BatchGetItem"] * 2 + ["TransactWriteItems"] * 3
    assert sum(kept(used.org_id).values()) == 99


# -------------------------------------------------------------------- at once


def test_twins_take_each_record_once(used: Invoker) -> None:
    records = [record(number) for number in range(60)]
    used("consumptions_get")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(used, *records), range(6)))

    assert {answer.status for answer in answers} == {201}
    assert sum(answer.json["accepted"] for answer in answers) == 60
    assert {sum(answer.json.values()) for answer in answers} == {60}
    assert kept(used.org_id) == Counter(f"cdr-{number}" for number in range(60))


def test_totals_are_exact_while_many_write(used: Invoker) -> None:
    def overlapping(part: int) -> Answer:
        return send(used, *(record(part * 10 + n, units=part * 10 + n) for n in range(30)))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(overlapping, range(16)))

    assert {answer.status for answer in answers} == {201}
    assert sum(answer.json["accepted"] for answer in answers) == 180
    assert kept(used.org_id) == Counter(f"cdr-{number}" for number in range(180))
    [total] = used("consumptions_get").json["totals"]
    assert (total["units"], total["amount"]["value_without_taxes"]) == (180 * 179 // 2, 1.8)


def test_a_closed_cycle_takes_no_more_while_many_write(used: Invoker) -> None:
    consumptions = ConsumptionRepository()
    closed: dict[date, list[ConsumptionTotal]] = {}

    def closing(part: int) -> Answer | None:
        if part % 4 == 3:
            end = close_cycle(used.org_id)
            closed[end] = consumptions.totals(used.org_id, ACCOUNT, end)
            return None
        return send(used, *(record(part * 50 + n) for n in range(50)))

    with ThreadPoolExecutor(4) as pool:
        answers = [answer for answer in pool.map(closing, range(16)) if answer]

    assert [receipt(answer) for answer in answers] == [(201, 50, 0)] * 12
    assert kept(used.org_id, *closed).total() == 600
    for end, billed in closed.items():
        assert consumptions.totals(used.org_id, ACCOUNT, end) == billed


def test_what_is_left_falls_into_the_next_cycle(
    used: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    closed: list[date] = []

    def close_before_the_second(writes: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            closed.append(close_cycle(used.org_id))
        transact(writes)

    monkeypatch.setattr("billing.persistence.consumptions.transact", close_before_the_second)

    answer = send(used, *(record(number) for number in range(100)))

    assert receipt(answer) == (201, 100, 0)
    assert sum(kept(used.org_id, *closed).values()) == 100
    assert [
        total.units // 60
        for end in (*closed, open_cycle(used.org_id))
        for total in ConsumptionRepository().totals(used.org_id, ACCOUNT, end)
    ] == [49, 51]


def test_opens_the_cycle_where_there_is_none(used: Invoker) -> None:
    ends_on = open_cycle(used.org_id)
    transact([delete(config.accounts_table(), open_cycle_key(used.org_id, ACCOUNT))])

    answer = send(used, *(record(number) for number in range(100)))

    assert receipt(answer) == (201, 100, 0)
    assert open_cycle(used.org_id) == ends_on
    assert sum(kept(used.org_id).values()) == 100


def test_gives_the_billing_run_the_totals_of_a_cycle(used: Invoker, aws_calls: Any) -> None:
    other = {"external_movement_unique_id": "movement-2"}
    used("movements_create", other, caller=EVERYWHERE, subscriptionId="600000000")
    send(used, record(1), record(2))
    send(used, record(3, amount=cents(110, 100, 10)), subscriptionId="600000000")
    closed = close_cycle(used.org_id)
    send(used, record(4))
    aws_calls()

    totals = ConsumptionRepository().totals(used.org_id, ACCOUNT, closed)

    assert aws_calls() == ["Query"]
    assert [(each.subscription_id, each.type, each.unit) for each in totals] == [
        ("600000000", ConsumptionType.VOICE, Unit.SECONDS),
        (SUBSCRIPTION, ConsumptionType.VOICE, Unit.SECONDS),
    ]
    assert [(each.units, each.net, each.tax.percentage) for each in totals] == [
        (60, Money(100, "EUR"), Decimal(10)),
        (120, Money(2, "EUR"), Decimal(21)),
    ]


def test_a_closed_account_takes_no_more_but_knows_its_records(used: Invoker) -> None:
    send(used, record(1))
    used("billing_info_put_account", {"closed": True})

    again = send(used, record(1))
    more = send(used, record(1), record(2))

    assert receipt(again) == (201, 0, 1)
    assert (more.status, more.json["code"]) == (409, "ACCOUNT_CLOSED")
    assert kept(used.org_id) == Counter(["cdr-1"])


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        ("consumptions_create", ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]),
        ("consumptions_get", ["BatchGetItem", "BatchGetItem", "Query"]),
        ("consumptions_list", ["BatchGetItem", "BatchGetItem", "Query"]),
    ],
)
def test_costs_no_more_calls_than_promised(
    used: Invoker, aws_calls: Any, event: str, calls: list[str]
) -> None:
    aws_calls()

    assert used(event).status in (200, 201)

    assert aws_calls() == calls


# -------------------------------------------------------------------- refuse


@pytest.mark.parametrize("event", ["consumptions_create", "consumptions_get", "consumptions_list"])
def test_hides_what_belongs_to_another(used: Invoker, event: str) -> None:
    send(used, record(9))
    limited = {"accounts": "100002,100003"}

    theirs = used(event, caller=limited)
    missing = used(event, caller=limited, subscriptionId="600999999")
    nowhere = used(event, subscriptionId="600999999")
    foreign = used(event, orgId="another-org")

    assert (theirs.status, theirs.json["code"]) == (404, "NOT_FOUND")
    assert theirs.text == missing.text == nowhere.text
    assert theirs.headers == missing.headers == nowhere.headers
    assert foreign.status == 403
    assert kept(used.org_id) == Counter(["cdr-9"])


@pytest.mark.parametrize(
    ("records", "fields"),
    [
        pytest.param([], ["records"], id="none"),
        pytest.param([record(n) for n in range(1001)], ["records"], id="too many"),
        pytest.param(
            [record(1), {"type": "fax", "units": -1}],
            [
                "records.1.external_consumption_unique_id",
                "records.1.type",
                "records.1.consumed_datetime",
                "records.1.units",
                "records.1.unit",
                "records.1.amount",
            ],
            id="every wrong field",
        ),
        pytest.param(
            [record(1), record(2, type="data", unit="seconds"), record(3, unit="messages")],
            ["records.1.unit", "records.2.unit"],
            id="a unit of another type",
        ),
        pytest.param([record(1, units=1.5)], ["records.0.units"], id="half a second"),
        pytest.param([record(1, units=10**15 + 1)], ["records.0.units"], id="too much"),
        pytest.param([record(1, colour="red")], ["records.0.colour"], id="unknown field"),
        pytest.param(
            [record(1, consumed_datetime="2026-11-03T09:15:00")],
            ["records.0.consumed_datetime"],
            id="no offset",
        ),
        pytest.param(
            [record(1), record(2, amount=cents(14, 10)), record(3, amount=cents(10, 10))],
            ["records.1.amount.value_with_taxes", "records.2.amount.value_with_taxes"],
            id="wrong tax",
        ),
        pytest.param(
            [record(1, amount=cents(1, 1) | {"value_without_taxes": 0.005})],
            ["records.0.amount.value_without_taxes"],
            id="half a cent",
        ),
        pytest.param(
            [record(1, amount=cents(1, 1) | {"tax": {"type": "NONE", "percentage": 21}})],
            ["records.0.amount.tax.percentage"],
            id="a rate of no tax",
        ),
        pytest.param(
            [record(1, amount=cents(-1, -1))],
            ["records.0.amount.value_with_taxes", "records.0.amount.value_without_taxes"],
            id="negative",
        ),
    ],
)
def test_refuses_what_cannot_be_right(
    used: Invoker, records: list[dict[str, Any]], fields: list[str]
) -> None:
    answer = send(used, *records)

    assert (answer.status, answer.json["code"]) == (400, "INVALID_REQUEST")
    assert [detail["field"] for detail in answer.json["details"]] == fields
    assert kept(used.org_id) == Counter()


# -------------------------------------------------------------------- details


def test_lists_records_as_they_were_sent(used: Invoker) -> None:
    used("consumptions_create")
    voice, _, _ = json.loads(used.event("consumptions_create")["body"])["records"]

    answer = used("consumptions_list")

    assert answer.status == 200
    assert answer.json == {
        "type": "voice",
        "from": "2026-11-01",
        "to": "2026-11-30",
        "records": [
            {
                **voice,
                "amount": {**voice["amount"], "currency": "EUR"},
                "invoice_cycle_date": open_cycle(used.org_id).isoformat(),
            }
        ],
        "next_cursor": None,
    }


def test_days_are_local_and_both_included(used: Invoker) -> None:
    send(
        used,
        record(1, consumed_datetime="2026-10-31T22:59:59.999999999Z"),
        record(2, consumed_datetime="2026-10-31T23:00:00Z"),
        record(3, consumed_datetime="2026-11-02T22:59:59.999999999Z"),
        record(4, consumed_datetime="2026-11-02T23:00:00Z"),
        record(5, consumed_datetime="2026-11-01T10:00:00Z", type="sms", unit="messages"),
    )

    answer = _list(used, type="voice", fromDate="2026-11-01", toDate="2026-11-02")

    assert _ids(answer) == ["cdr-3", "cdr-2"]


def test_lists_the_open_cycle_by_default(used: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    period = used("consumptions_get").json["period"]
    send(
        used,
        record(1, consumed_datetime=period["start_datetime"]),
        record(2, consumed_datetime=period["end_datetime"]),
    )

    answer = _list(used, type="voice")

    assert _ids(answer) == ["cdr-1"]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_have_every_record_once_newest_first(used: Invoker, limit: int) -> None:
    same_instant = "2026-11-04T00:00:00Z"
    send(used, *(record(n) for n in range(4)))
    send(used, *(record(n, consumed_datetime=same_instant) for n in range(4, 7)))
    query = {"type": "voice", "limit": str(limit)}

    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor:
        answer = _list(used, **query, **({"cursor": cursor} if cursor else {}))
        pages.append(_ids(answer))
        cursor = answer.json["next_cursor"]

    listed = [each for page in pages for each in page]
    assert sorted(listed[:3]) == ["cdr-4", "cdr-5", "cdr-6"]
    assert listed[3:] == ["cdr-3", "cdr-2", "cdr-1", "cdr-0"]
    assert all(len(page) == limit for page in pages[:-1])


def test_a_list_goes_on_where_it_began_when_the_cycle_moves(used: Invoker) -> None:
    send(used, *(record(n) for n in range(3)))
    first = _list(used, type="voice", limit="2")
    close_cycle(used.org_id)

    second = _list(used, type="voice", limit="2", cursor=first.json["next_cursor"])

    assert _ids(second) == ["cdr-0"]
    assert (second.json["from"], second.json["to"]) == (first.json["from"], first.json["to"])


def test_a_cursor_fits_its_own_list_only(used: Invoker) -> None:
    send(used, *(record(n) for n in range(3)))
    other = {"external_movement_unique_id": "movement-2"}
    used("movements_create", other, caller=EVERYWHERE, subscriptionId="600000000")
    cursor = _list(used, type="voice", limit="1").json["next_cursor"]

    refused = [
        _list(used, type="sms", limit="1", cursor=cursor),
        _list(used, type="voice", fromDate="2026-11-01", cursor=cursor),
        _list(used, type="voice", toDate="2026-11-30", cursor=cursor),
        _list(used, type="voice", cursor=cursor[:-1] + ("A" if cursor[-1] != "A" else "B")),
        _list(used, type="voice", cursor="x"),
        used(
            "consumptions_list",
            query={"type": "voice", "cursor": cursor},
            subscriptionId="600000000",
        ),
        used(
            "consumptions_list",
            query={"type": "voice", "cursor": cursor},
            caller={"token_id": "another"},
        ),
    ]

    assert [answer.status for answer in refused] == [400] * len(refused)
    assert {answer.json["details"][0]["field"] for answer in refused} == {"cursor"}
    assert _ids(_list(used, type="voice", limit="100", cursor=cursor)) == ["cdr-1", "cdr-0"]


@pytest.mark.parametrize(
    "place",
    [
        "x",
        "2026-11-01 2026-11-30 1 cdr-1",
        "2026-11-01 2026-11-30 -1 cdr-1",
        "2026-11-30 2026-11-01 1793707200000000000 cdr-1",
        "2026-11-01 9999-12-31 1793707200000000000 cdr-1",
        f"2026-11-01 2026-11-30 {10**40} cdr-1",
        f"2026-11-01 2026-11-30 1793707200000000000 {'x' * 2000}",
        "2026-11-01 2026-11-30 1793707200000000000 cdr#1",
    ],
)
def test_a_cursor_that_somebody_made_up_is_refused(used: Invoker, place: str) -> None:
    scope = (TOKEN_ID, used.org_id, "600123456", "voice", "None", "None")
    fits = cursors.encode("2026-11-01 2026-11-30 1793707200000000000 cdr-1", *scope)

    assert _list(used, type="voice", cursor=fits).status == 200
    answer = _list(used, type="voice", cursor=cursors.encode(place, *scope))

    assert answer.status == 400
    assert answer.json["details"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param({"type": ""}, "type", id="empty type"),
        pytest.param({"type": "fax"}, "type", id="unknown type"),
        pytest.param(
            {"type": "sms", "fromDate": "2026-11-02", "toDate": "2026-11-01"},
            "fromDate",
            id="backwards",
        ),
        pytest.param(
            {"type": "sms", "fromDate": "2025-11-01", "toDate": "2026-11-02"},
            "fromDate",
            id="367 days",
        ),
        pytest.param({"type": "sms", "fromDate": "2026-11-31"}, "fromDate", id="no such day"),
        pytest.param({"type": "sms", "toDate": "1-1-2026"}, "toDate", id="no such date"),
        pytest.param({"type": "sms", "limit": "101"}, "limit", id="too many"),
    ],
)
def test_refuses_a_malformed_query(used: Invoker, query: dict[str, str], field: str) -> None:
    answer = _list(used, **query)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == [field]


def test_lists_all_types_newest_first(used: Invoker) -> None:
    kinds = [("voice", "seconds"), ("sms", "messages"), ("data", "bytes")]
    records = [
        record(
            number,
            type=kinds[number % 3][0],
            unit=kinds[number % 3][1],
            consumed_datetime=f"2026-11-{10 + number // 2:02}T10:{number:02}:00Z",
        )
        for number in range(9)
    ]
    send(used, *records)
    days = {"fromDate": "2026-11-10", "toDate": "2026-11-13"}

    pages: list[list[str]] = []
    cursor = None
    while cursor or not pages:
        answer = _list(used, **days, limit="3", **({"cursor": cursor} if cursor else {}))
        assert (answer.status, answer.json["type"]) == (200, None)
        pages.append(_ids(answer))
        cursor = answer.json["next_cursor"]

    assert pages == [[f"cdr-{n}" for n in some] for some in ((7, 6, 5), (4, 3, 2), (1, 0))]
    of_type = _list(used, **days, type="sms", limit="3").json["next_cursor"]
    assert of_type is None
    assert _list(used, **days, type="sms", limit="1", cursor=_cursor(used, days)).status == 400


def test_all_types_cost_a_query_each(used: Invoker, aws_calls: Any) -> None:
    used("consumptions_create")
    aws_calls()

    assert _list(used).status == 200

    assert aws_calls() == ["BatchGetItem", "BatchGetItem", "Query", "Query", "Query"]


def test_lists_366_days(used: Invoker) -> None:
    answer = _list(used, type="sms", fromDate="2025-11-01", toDate="2026-11-01")

    assert answer.status == 200


def _list(used: Invoker, **query: str) -> Answer:
    return used("consumptions_list", query=query)


def _cursor(used: Invoker, query: dict[str, str]) -> str:
    return str(_list(used, **query, limit="1").json["next_cursor"])


def _ids(answer: Answer) -> list[str]:
    return [each["external_consumption_unique_id"] for each in answer.json["records"]]
