"""The tax of a place on a day."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import ConflictError
from billing.domain.regimes import REGIMES
from billing.domain.regimes.es import SPAIN
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.regimes.regime import Rate
from billing.domain.tax import Tax, TaxType
from billing.domain.tax_rates import (
    MAX_OWN_RATES,
    NO_OWN_RATES,
    OwnRates,
    location_taxes,
    tax_at,
)

TODAY = date(2026, 11, 21)
PLACES = sum(1 + len(regime.regions) for regime in REGIMES.values())
IGIC_3 = Tax(TaxType.IGIC, Decimal(3))


@pytest.mark.parametrize(
    ("country", "day", "percentage"),
    [
        pytest.param("DE", "2020-06-30", "19", id="before the cut"),
        pytest.param("DE", "2020-07-01", "16", id="its first day"),
        pytest.param("DE", "2020-12-31", "16", id="its last day"),
        pytest.param("DE", "2021-01-01", "19", id="after it"),
        pytest.param("FI", "2024-08-31", "24", id="Finland before"),
        pytest.param("FI", "2024-09-01", "25.5", id="Finland after"),
        pytest.param("EE", "2025-07-01", "24", id="Estonia"),
        pytest.param("RO", "2025-07-31", "19", id="Romania before"),
        pytest.param("ES", "1999-12-31", "21", id="the oldest stands in"),
        pytest.param("GR", "2999-12-31", "24", id="the newest lasts"),
        pytest.param("US", "2026-11-21", "0", id="nothing elsewhere"),
    ],
)
def test_a_country_has_the_rate_of_the_day(country: str, day: str, percentage: str) -> None:
    tax = tax_at(country, None, date.fromisoformat(day), NO_OWN_RATES)

    assert tax.percentage == Decimal(percentage)


def test_has_the_eu_and_the_provinces() -> None:
    places = location_taxes(None, TODAY, NO_OWN_RATES)

    assert len(MEMBER_STATES) == 27
    assert [SPAIN.regions[number].name for number in (1, 15, 28, 38, 52)] == [
        "Araba/Álava",
        "A Coruña",
        "Madrid",
        "Santa Cruz de Tenerife",
        "Melilla",
    ]
    assert len(SPAIN.regions) == 52
    assert {place.country for place in places} >= MEMBER_STATES
    assert len({(place.country, place.name) for place in places}) == len(places) == PLACES
    kinds = {place.state_id: place.rate.tax.type for place in places if place.country == "ES"}
    assert {number for number, kind in kinds.items() if kind is not TaxType.IVA} == {35, 38, 51, 52}


def test_own_rates_count_where_they_were_set() -> None:
    own = NO_OWN_RATES.plus(35, Rate(TODAY, IGIC_3))

    assert tax_at("ES", 35, TODAY, own) == IGIC_3
    assert tax_at("ES", 35, TODAY - timedelta(days=1), own).percentage == 7
    assert tax_at("ES", 38, TODAY, own).percentage == 7
    assert tax_at("ES", None, TODAY, own).percentage == 21


@given(
    rates=st.lists(st.tuples(st.dates(), st.integers(0, 100)), min_size=1, max_size=MAX_OWN_RATES),
    day=st.dates(),
)
def test_the_latest_rate_set_by_a_day_counts_in_whatever_order_they_came(
    rates: list[tuple[date, int]], day: date
) -> None:
    own = OwnRates()
    for valid_from, percentage in rates:
        own = own.plus(35, Rate(valid_from, Tax(TaxType.IGIC, Decimal(percentage))))

    charged = tax_at("ES", 35, day, own)

    last_said = dict(rates)
    begun = [valid_from for valid_from in last_said if valid_from <= day]
    shipped = tax_at("ES", 35, day, NO_OWN_RATES).percentage
    assert charged.percentage == (last_said[max(begun)] if begun else shipped)
    assert own.version == len(rates)


def test_a_province_has_so_many_rates_and_no_more() -> None:
    own = OwnRates()
    for number in range(MAX_OWN_RATES):
        own = own.plus(35, Rate(TODAY + timedelta(days=number), IGIC_3))

    with pytest.raises(ConflictError):
        own.plus(35, Rate(TODAY - timedelta(days=1), IGIC_3))

    assert own.plus(36, Rate(TODAY, IGIC_3)).version == MAX_OWN_RATES + 1
