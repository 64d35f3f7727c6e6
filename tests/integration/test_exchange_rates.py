"""Exchange rates: those that an org sets itself, and which rate is found for a day."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.domain.exchange_rates import MAX_AGE, ExchangeRate
from billing.persistence.exchange_rates import ExchangeRateRepository
from tests.integration.conftest import Invoker

pytestmark = pytest.mark.moto

PUT, GET, DELETE = (f"location_tax_{verb}_exchange_rate" for verb in ("put", "get", "delete"))
DAY = date(1971, 3, 10)
"""Long ago, so that these tests alone have reference rates then."""


@pytest.fixture
def rates(aws: None) -> ExchangeRateRepository:
    repository = ExchangeRateRepository()
    repository.put_daily(DAY, {"USD": Decimal("1.0812"), "JPY": Decimal("163.06")})
    return repository


def own(currency: str, day: date, per_euro: str) -> ExchangeRate:
    return ExchangeRate(currency, day, Decimal(per_euro))


def test_sets_reads_and_deletes_a_rate(invoke: Invoker) -> None:
    assert invoke(GET).status == 404
    assert [invoke(PUT).status, invoke(PUT).status] == [204, 204]
    assert invoke(GET).json == {"currency": "USD", "date": "2026-11-20", "rate": 1.0812}

    assert invoke(PUT, {"rate": 1.09}).status == 204
    assert invoke(GET).json["rate"] == 1.09
    assert invoke(GET, currency="GBP").status == 404

    assert [invoke(DELETE).status, invoke(DELETE).status] == [204, 204]
    assert invoke(GET).status == 404


@pytest.mark.parametrize("rate", [0, -1, 10_000_000, 1.000000001, "1.08", None, True, 1e30])
def test_refuses_what_is_no_rate(invoke: Invoker, rate: object) -> None:
    answer = invoke(PUT, {"rate": rate})

    assert (answer.status, answer.json["details"][0]["field"]) == (400, "rate")


@pytest.mark.parametrize(
    ("field", "value"),
    [("currency", "EUR"), ("currency", "XXX"), ("date", "2026-02-30"), ("date", "20261120")],
)
def test_refuses_what_has_no_rate(invoke: Invoker, field: str, value: str) -> None:
    path: Any = {field: value}
    for event in (PUT, GET, DELETE):
        answer = invoke(event, **path)
        assert answer.status == 400
        assert field in answer.json["details"][0]["field"]


def test_an_org_does_not_see_the_rates_of_another(invoke: Invoker, aws: None) -> None:
    assert invoke(PUT).status == 204

    assert Invoker(f"{invoke.org_id}-other")(GET).status == 404


@pytest.mark.parametrize(
    ("days", "found"),
    [
        pytest.param(-1, False, id="the day before"),
        pytest.param(0, True, id="its own day"),
        pytest.param(10, True, id="ten days later"),
        pytest.param(11, False, id="too old"),
    ],
)
def test_a_rate_is_used_for_its_day_and_ten_more(
    rates: ExchangeRateRepository, org_id: str, days: int, found: bool
) -> None:
    rates.put_own(org_id, own("SEK", DAY, "10.5"))
    day = DAY + timedelta(days=days)

    assert rates.find(org_id, "SEK", day) == (own("SEK", DAY, "10.5") if found else None)
    assert rates.find(org_id, "USD", day) == (own("USD", DAY, "1.0812") if found else None)


def test_the_orgs_own_rate_wins_and_the_last_of_both_counts(
    rates: ExchangeRateRepository, org_id: str
) -> None:
    def found() -> ExchangeRate | None:
        return rates.find(org_id, "USD", DAY + timedelta(days=3))

    assert found() == own("USD", DAY, "1.0812")
    rates.put_own(org_id, own("USD", DAY - timedelta(days=2), "1.2"))
    rates.put_own(org_id, own("JPY", DAY, "200"))
    assert found() == own("USD", DAY - timedelta(days=2), "1.2")
    rates.put_own(org_id, own("USD", DAY + timedelta(days=1), "1.3"))
    rates.put_own(org_id, own("USD", DAY + timedelta(days=4), "1.4"))
    assert found() == own("USD", DAY + timedelta(days=1), "1.3")
    for days in (-2, 1):
        rates.delete_own(org_id, "USD", DAY + timedelta(days=days))
    assert found() == own("USD", DAY, "1.0812")


def test_there_is_no_rate_of_an_unknown_currency(
    rates: ExchangeRateRepository, org_id: str
) -> None:
    assert rates.find(org_id, "UAH", DAY) is None
    assert rates.find(org_id, "USD", DAY - MAX_AGE) is None


def test_finds_a_rate_by_one_query_for_each_source(
    rates: ExchangeRateRepository, org_id: str, aws_calls: Callable[[], list[str]]
) -> None:
    aws_calls()
    rates.find(org_id, "USD", DAY)
    assert aws_calls() == ["Query", "Query"]

    rates.put_own(org_id, own("USD", DAY, "1.2"))
    aws_calls()
    rates.find(org_id, "USD", DAY)
    assert aws_calls() == ["Query"]


def test_takes_one_request(invoke: Invoker, aws_calls: Callable[[], list[str]]) -> None:
    aws_calls()

    for event, call in ((PUT, "PutItem"), (GET, "GetItem"), (DELETE, "DeleteItem")):
        assert invoke(event).status < 300
        assert aws_calls() == [call]
