"""The tax of places and the org's own rates, through the function's handler and on invoices."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from billing.domain.regimes import REGIMES
from billing.domain.regimes.es import province_code
from billing.domain.tax_rates import MAX_OWN_RATES
from billing.persistence.tax_rates import OwnRatesRepository
from tests.integration.conftest import Answer, Invoker
from tests.integration.usage import kept, receipt, record, send

pytestmark = pytest.mark.moto

CANARIES = {
    "state_id": 35,
    "address": {
        "street": "Calle Triana 1",
        "postal_code": "35002",
        "city": "Las Palmas de Gran Canaria",
        "country": "ES",
    },
}


def test_gives_the_shipped_tax_of_a_province(invoke: Invoker) -> None:
    answer = invoke("location_tax_get")

    assert answer.status == 200
    assert answer.json == {
        "state_id": 35,
        "country": "ES",
        "region": "ES-GC",
        "name": "Las Palmas",
        "tax": {"type": "IGIC", "percentage": 7},
        "valid_from": "2020-01-01",
    }


@pytest.mark.parametrize(
    ("state_id", "name", "kind", "percentage"),
    [
        (1, "Araba/Álava", "IVA", 21),
        (7, "Illes Balears", "IVA", 21),
        (28, "Madrid", "IVA", 21),
        ("08", "Barcelona", "IVA", 21),
        (38, "Santa Cruz de Tenerife", "IGIC", 7),
        (50, "Zaragoza", "IVA", 21),
        (51, "Ceuta", "IPSI", 10),
        (52, "Melilla", "IPSI", 8),
    ],
)
def test_knows_the_provinces(
    invoke: Invoker, state_id: int | str, name: str, kind: str, percentage: float
) -> None:
    location = invoke("location_tax_get", query={}, stateId=state_id).json

    assert location["state_id"] == int(state_id)
    assert location["name"] == name
    assert location["tax"] == {"type": kind, "percentage": percentage}


@pytest.mark.parametrize(
    ("state_id", "query", "field"),
    [
        (0, {}, "stateId"),
        (53, {}, "stateId"),
        ("x", {}, "stateId"),
        ("1.5", {}, "stateId"),
        (28, {"date": "2026-02-30"}, "date"),
        (28, {"date": "today"}, "date"),
        (28, {"date": "2015-12-31"}, "date"),
        (28, {"date": "1999-06-30"}, "date"),
    ],
)
def test_refuses_what_is_no_province_and_no_day(
    invoke: Invoker, state_id: int | str, query: dict[str, str], field: str
) -> None:
    answer = invoke("location_tax_get", query=query, stateId=state_id)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == [field]


def test_knows_a_day_before_the_rates_begin_by_the_own_rate_of_then(invoke: Invoker) -> None:
    assert invoke("location_tax_put", {"valid_from": "1999-01-01"}).status == 204

    answer = invoke("location_tax_get", query={"date": "1999-06-30"})

    assert (answer.status, answer.json["valid_from"]) == (200, "1999-01-01")


def test_lists_the_eu_and_the_provinces(invoke: Invoker) -> None:
    everything = invoke("location_tax_list", query={}).json
    spain = invoke("location_tax_list").json
    germany = invoke("location_tax_list", query={"country": "DE"}).json
    elsewhere = invoke("location_tax_list", query={"country": "US"})

    untaxed = 2 + 2 + 1 + 2
    """Büsingen and Heligoland, Livigno and Campione, Mount Athos, Guyane and Mayotte."""
    regions = sum(len(regime.regions) for regime in REGIMES.values())
    assert len(everything) == len(REGIMES) + regions - untaxed
    assert [each["state_id"] for each in spain] == [None, *range(1, 53)]
    assert germany == [
        {
            "state_id": None,
            "country": "DE",
            "region": None,
            "name": "Germany",
            "tax": {"type": "VAT", "percentage": 19},
            "valid_from": "2021-01-01",
        }
    ]
    assert (elsewhere.status, elsewhere.json) == (200, [])
    assert invoke("location_tax_list", query={"country": "Spain"}).status == 400


def test_the_latest_own_rate_of_the_day_counts(invoke: Invoker) -> None:
    later = {"tax": {"type": "IGIC", "percentage": 3}, "valid_from": "2027-01-01"}
    assert invoke("location_tax_put", later).status == 204
    assert invoke("location_tax_put").status == 204

    days = ["2018-06-30", "2019-06-30", "2026-10-31", "2026-11-01", "2026-12-31", "2027-01-01"]
    rates = {day: _percentage(invoke, day) for day in days}

    assert list(rates.values()) == [7, 3, 7, 9.5, 9.5, 3]
    assert invoke("location_tax_get", query={"date": "2027-05-01"}).json["valid_from"] == (
        "2027-01-01"
    )
    assert _percentage(invoke, "2026-12-01", stateId=38) == 7
    assert _percentage(Invoker(f"{invoke.org_id[:60]}-b"), "2026-12-01") == 7


def test_a_rate_of_the_same_day_gives_way(invoke: Invoker) -> None:
    invoke("location_tax_put")
    invoke("location_tax_put", {"tax": {"type": "NONE", "percentage": 0}})

    location = invoke("location_tax_get").json

    assert (location["tax"], location["valid_from"]) == (
        {"type": "NONE", "percentage": 0},
        "2026-11-01",
    )


def test_what_was_read_can_be_sent_back(invoke: Invoker) -> None:
    location = invoke("location_tax_get").json

    answer = invoke("location_tax_put", location)

    assert answer.status == 204
    assert invoke("location_tax_get").json == location


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({"valid_from": "2026-11"}, ["valid_from"], id="no date"),
        pytest.param({"tax": {"type": "GST", "percentage": 101}}, ["tax.type", "tax.percentage"]),
        pytest.param({"tax": {"type": "NONE", "percentage": 1}}, ["tax.percentage"], id="no tax"),
        pytest.param({"state_id": 38}, ["state_id"], id="another province"),
        pytest.param({"country": "PT"}, ["country"], id="another country"),
        pytest.param({"rate": 7}, ["rate"], id="unknown field"),
    ],
)
def test_refuses_a_malformed_rate(invoke: Invoker, body: dict[str, Any], fields: list[str]) -> None:
    answer = invoke("location_tax_put", body)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == fields
    assert OwnRatesRepository().get(invoke.org_id).by_place == {}


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_only_admins_set_rates(invoke: Invoker, aws_calls: Any, role: str) -> None:
    assert invoke("location_tax_put", caller={"role": role}).status == 403
    assert aws_calls() == []


@pytest.mark.moto_differs("threads break its conditions")
def test_no_rate_is_lost_when_many_are_set_at_once(invoke: Invoker) -> None:
    iva = {"type": "IVA", "percentage": 10}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda n: invoke("location_tax_put", {"tax": iva}, stateId=n),
                [*range(1, 21)] * 2,
            )
        )

    assert {answer.status for answer in answers} == {204}
    own = OwnRatesRepository().get(invoke.org_id)
    assert set(own.by_place) == {province_code(number) for number in range(1, 21)}
    assert own.version == 20


def test_a_province_has_so_many_rates_and_no_more(invoke: Invoker) -> None:
    days = [f"{2000 + number}-01-01" for number in range(MAX_OWN_RATES)]
    assert {invoke("location_tax_put", {"valid_from": day}).status for day in days} == {204}

    one_more = invoke("location_tax_put", {"valid_from": "2999-01-01"})
    in_place = invoke(
        "location_tax_put", {"valid_from": days[0], "tax": {"type": "IGIC", "percentage": 5}}
    )

    assert (one_more.status, one_more.json["code"]) == (409, "CONFLICT")
    assert in_place.status == 204


def _rates_of(invoke: Invoker, country: str) -> dict[str | None, float]:
    listed = invoke("location_tax_list", query={"country": country}).json
    return {each["region"]: each["tax"]["percentage"] for each in listed}


def test_a_rate_is_set_for_any_country_and_removed(invoke: Invoker) -> None:
    assert _rates_of(invoke, "CH") == {}
    assert invoke("location_tax_put_country").status == 204

    assert _rates_of(invoke, "CH") == {None: 8.1}
    assert invoke("location_tax_delete_country").status == 204
    assert _rates_of(invoke, "CH") == {}
    assert invoke("location_tax_delete_country").status == 204


def test_a_rate_is_set_for_any_region_and_removed(invoke: Invoker) -> None:
    california: Any = {"country": "US", "region": "US-CA"}
    vat = {"tax": {"type": "VAT", "percentage": 8.25}, "valid_from": "2026-01-01"}
    assert invoke("location_tax_put_region").status == 204
    assert invoke("location_tax_put_region", vat, **california).status == 204

    assert _rates_of(invoke, "PT") == {None: 23, "PT-20": 16, "PT-30": 12}
    assert _rates_of(invoke, "US") == {"US-CA": 8.25}
    assert invoke("location_tax_delete_region").status == 204
    assert invoke("location_tax_delete_region", **california).status == 204
    assert _rates_of(invoke, "PT")["PT-30"] == 22
    assert _rates_of(invoke, "US") == {}


def test_a_province_has_one_rate_whichever_way_it_was_set(invoke: Invoker) -> None:
    las_palmas: Any = {"country": "ES", "region": "ES-GC"}
    invoke("location_tax_put")
    igic = {"tax": {"type": "IGIC", "percentage": 5}, "valid_from": "2026-11-01"}

    assert invoke("location_tax_put_region", igic, **las_palmas).status == 204

    assert _percentage(invoke, "2026-11-21") == 5
    days = {"valid_from": "2026-11-01"}
    assert invoke("location_tax_delete_region", query=days, **las_palmas).status == 204
    assert _percentage(invoke, "2026-11-21") == 7


def test_what_was_listed_can_be_sent_back(invoke: Invoker) -> None:
    [azores] = [
        each
        for each in invoke("location_tax_list", query={"country": "PT"}).json
        if each["region"] == "PT-20"
    ]

    assert invoke("location_tax_put_region", azores, region="PT-20").status == 204
    assert OwnRatesRepository().get(invoke.org_id).by_place == {}


@pytest.mark.parametrize(
    ("event", "body", "path", "field"),
    [
        ("location_tax_put_country", {}, {"country": "XX"}, "country"),
        ("location_tax_put_country", {"country": "DE"}, {}, "country"),
        ("location_tax_put_country", {"region": "CH-ZH"}, {}, "region"),
        ("location_tax_put_country", {"tax": {"type": "IVA", "percentage": 8}}, {}, "tax.type"),
        ("location_tax_put_region", {"region": "PT-20"}, {}, "region"),
        ("location_tax_put_region", {}, {"region": "ES-M"}, "region"),
        ("location_tax_put_region", {}, {"country": "ES", "region": "ES-CN"}, "region"),
        ("location_tax_put_region", {}, {"country": "ES", "region": "ES-GC"}, "tax.type"),
        ("location_tax_put_region", {}, {"country": "US", "region": "US-XX"}, "region"),
        (
            "location_tax_put_country",
            {"tax": {"type": "NONE", "percentage": 0, "category": "AE"}},
            {},
            "tax.category",
        ),
    ],
)
def test_refuses_a_rate_that_the_place_cannot_have(
    invoke: Invoker, event: str, body: dict[str, Any], path: Any, field: str
) -> None:
    answer = invoke(event, body, **path)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == [field]


@pytest.mark.parametrize("valid_from", [None, "2026-02-30"])
def test_a_rate_is_removed_by_its_day(invoke: Invoker, valid_from: str | None) -> None:
    query = {"valid_from": valid_from} if valid_from else {}

    answer = invoke("location_tax_delete_country", query=query)

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == ["valid_from"]


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        ("location_tax_get", ["GetItem"]),
        ("location_tax_list", ["GetItem"]),
        ("location_tax_put", ["GetItem", "TransactWriteItems"]),
        ("location_tax_put_country", ["GetItem", "TransactWriteItems"]),
        ("location_tax_put_region", ["GetItem", "TransactWriteItems"]),
    ],
)
def test_costs_no_more_calls_than_promised(
    invoke: Invoker, aws_calls: Any, event: str, calls: list[str]
) -> None:
    aws_calls()

    assert invoke(event).status in (200, 204)

    assert aws_calls() == calls


# -------------------------------------------------------------------- what is charged


def test_an_invoice_line_is_charged_the_rate_of_its_day_of_supply(billed: Invoker) -> None:
    billed("billing_info_put_account", CANARIES)
    billed("location_tax_put")
    lines = [
        {"description": "October", "quantity": 1, "unit_price": 100, **_month("2026-10-31")},
        {"description": "November", "quantity": 1, "unit_price": 100, **_month("2026-11-30")},
        {"description": "Today", "quantity": 1, "unit_price": 100},
        {"description": "In 2019", "quantity": 1, "unit_price": 100, **_month("2019-05-31")},
        {
            "description": "Named",
            "quantity": 1,
            "unit_price": 100,
            "tax": {"type": "IGIC", "percentage": 15},
        },
    ]

    assert billed("invoices_create", {"lines": lines}).status == 201

    [details] = billed("invoices_get").json
    assert [item["vatAmount"] for item in details["items"]] == ["700", "950", "950", "300", "1500"]


def test_own_rates_cost_an_invoice_no_further_call(billed: Invoker, aws_calls: Any) -> None:
    billed("location_tax_put", stateId=28)
    aws_calls()

    billed("invoices_create")

    assert aws_calls() == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]


@pytest.mark.parametrize(
    ("when", "kind", "percentage"),
    [
        pytest.param({"period_end_datetime": "2026-10-31T22:59:59Z"}, "IGIC", 7, id="October"),
        pytest.param({"period_end_datetime": "2026-11-30T22:59:59Z"}, "IGIC", 9.5, id="November"),
        pytest.param(
            {
                "period_start_datetime": None,
                "period_end_datetime": None,
                "movement_datetime": "2026-10-31T22:59:59.999999999Z",
            },
            "IGIC",
            7,
            id="at the last instant of October",
        ),
        pytest.param(
            {
                "period_start_datetime": None,
                "period_end_datetime": None,
                "movement_datetime": "2026-10-31T23:00:00Z",
            },
            "IGIC",
            9.5,
            id="at the first instant of November",
        ),
    ],
)
def test_a_movement_is_charged_the_rate_of_its_day_of_supply(
    billed: Invoker, when: dict[str, str], kind: str, percentage: float
) -> None:
    billed("billing_info_put_account", CANARIES)
    billed("location_tax_put")
    untaxed = {
        "value_with_taxes": 100 + percentage,
        "value_without_taxes": 100,
        "tax": {"type": kind, "percentage": percentage},
    }
    asked = {name: value for name, value in untaxed.items() if name != "tax"}
    start = {"period_start_datetime": "2026-10-01T00:00:00Z"}

    created = billed("movements_create", {**start, **when, "amount": asked})

    assert created.status == 201
    movement = billed("movements_get", movementId=created.json["id"]).json
    assert movement["amount"] == untaxed
    again = billed("movements_create", {**start, **when, "amount": asked})
    assert (again.status, again.json) == (201, created.json)


def test_what_was_charged_stays_when_the_rate_changes(billed: Invoker) -> None:
    billed("billing_info_put_account", CANARIES)
    amount = {"value_with_taxes": 107, "value_without_taxes": 100}
    created = billed("movements_create", {"amount": amount}).json
    billed("location_tax_put")

    movement = billed("movements_get", movementId=created["id"]).json
    refund_id = billed("refunds_create", {"amount": amount}, movementId=created["id"]).json["id"]
    refund = billed("refunds_get", movementId=created["id"], refundId=refund_id).json

    assert movement["amount"]["tax"] == {"type": "IGIC", "percentage": 7}
    assert refund["amount"]["tax"] == {"type": "IGIC", "percentage": 7}
    next_one = {"amount": amount, "external_movement_unique_id": "movement-2"}
    refused = billed("movements_create", next_one)
    assert [detail["field"] for detail in refused.json["details"]] == ["amount.value_with_taxes"]


def test_a_record_is_charged_the_rate_of_the_day_it_was_consumed(billed: Invoker) -> None:
    billed("billing_info_put_account", CANARIES)
    billed("location_tax_put")
    billed("movements_create")

    def untaxed(number: int, consumed: str, gross: float) -> dict[str, Any]:
        amount = {"value_with_taxes": gross, "value_without_taxes": 100}
        return record(number, consumed_datetime=consumed, amount=amount)

    answer = send(
        billed,
        untaxed(1, "2026-10-31T22:59:59Z", 107),
        untaxed(2, "2026-10-31T23:00:00Z", 109.5),
    )

    assert receipt(answer) == (201, 2, 0)
    [total] = billed("consumptions_get").json["totals"]
    assert total["amount"] == {
        "value_with_taxes": 216.5,
        "value_without_taxes": 200,
        "currency": "EUR",
    }
    assert kept(billed.org_id).total() == 2


def _month(last_day: str) -> dict[str, str]:
    return {"period_start": f"{last_day[:8]}01", "period_end": last_day}


def _percentage(invoke: Invoker, day: str, **path: Any) -> float:
    answer: Answer = invoke("location_tax_get", query={"date": day}, **path)
    return float(answer.json["tax"]["percentage"])
