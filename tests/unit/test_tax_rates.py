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
    MAX_OWN_RATES_IN_ALL,
    NO_OWN_RATES,
    OwnRates,
    location_taxes,
    rate_at,
)
from billing.domain.territories import named_place

TODAY = date(2026, 11, 21)
PLACES = sum(
    1 + sum(region.rates is None or bool(region.rates) for region in regime.regions)
    for regime in REGIMES.values()
)
IGIC_3 = Tax(TaxType.IGIC, Decimal(3))
VAT_8 = Tax(TaxType.VAT, Decimal(8))


def _percentage(country: str, day: date, own: OwnRates, region: str | None = None) -> Decimal:
    rate = rate_at(named_place(country, region), day, own)
    return rate.tax.percentage if rate else Decimal(0)


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
    charged = _percentage(country, date.fromisoformat(day), NO_OWN_RATES)

    assert charged == Decimal(percentage)


def test_has_the_eu_and_the_provinces() -> None:
    places = location_taxes(None, TODAY, NO_OWN_RATES)

    assert len(MEMBER_STATES) == 27
    assert [SPAIN.regions[number - 1].name for number in (1, 15, 28, 38, 52)] == [
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
    own = NO_OWN_RATES.plus("ES-GC", Rate(TODAY, IGIC_3))

    assert rate_at(named_place("ES", "ES-GC"), TODAY, own) == Rate(TODAY, IGIC_3)
    assert _percentage("ES", TODAY - timedelta(days=1), own, "ES-GC") == 7
    assert _percentage("ES", TODAY, own, "ES-TF") == 7
    assert _percentage("ES", TODAY, own) == 21


@given(
    rates=st.lists(st.tuples(st.dates(), st.integers(0, 100)), min_size=1, max_size=MAX_OWN_RATES),
    day=st.dates(),
)
def test_the_latest_rate_set_by_a_day_counts_in_whatever_order_they_came(
    rates: list[tuple[date, int]], day: date
) -> None:
    own = OwnRates()
    for valid_from, percentage in rates:
        own = own.plus("ES-GC", Rate(valid_from, Tax(TaxType.IGIC, Decimal(percentage))))

    charged = _percentage("ES", day, own, "ES-GC")

    last_said = dict(rates)
    begun = [valid_from for valid_from in last_said if valid_from <= day]
    shipped = _percentage("ES", day, NO_OWN_RATES, "ES-GC")
    assert charged == (last_said[max(begun)] if begun else shipped)
    assert own.version == len(rates)


def test_a_province_has_so_many_rates_and_no_more() -> None:
    own = OwnRates()
    for number in range(MAX_OWN_RATES):
        own = own.plus("ES-GC", Rate(TODAY + timedelta(days=number), IGIC_3))

    with pytest.raises(ConflictError):
        own.plus("ES-GC", Rate(TODAY - timedelta(days=1), IGIC_3))

    assert own.plus("ES-TF", Rate(TODAY, IGIC_3)).version == MAX_OWN_RATES + 1


def test_an_org_has_so_many_rates_in_all_and_no_more() -> None:
    places = MAX_OWN_RATES_IN_ALL // MAX_OWN_RATES + 1
    rates = tuple(Rate(TODAY + timedelta(days=number), IGIC_3) for number in range(MAX_OWN_RATES))
    own = OwnRates(1, {f"US-{number}": rates for number in range(places - 1)})
    left = MAX_OWN_RATES_IN_ALL - (places - 1) * MAX_OWN_RATES
    for number in range(left):
        own = own.plus("US-X", Rate(TODAY + timedelta(days=number), IGIC_3))

    with pytest.raises(ConflictError):
        own.plus("US-Y", Rate(TODAY, IGIC_3))


def test_a_rate_that_was_set_can_be_removed_and_no_other() -> None:
    own = NO_OWN_RATES.plus("US", Rate(TODAY, VAT_8)).plus("US", Rate(date(2026, 1, 1), VAT_8))

    less = own.minus("US", TODAY)

    assert [rate.valid_from for rate in less.by_place["US"]] == [date(2026, 1, 1)]
    assert less.minus("US", date(2026, 1, 1)).by_place == {}
    for name, day in [("US", date(2020, 1, 1)), ("US-CA", TODAY)]:
        assert own.minus(name, day) is own


@pytest.mark.parametrize(
    ("named", "country", "region", "holds"),
    [
        pytest.param("US", "US", None, True, id="a country"),
        pytest.param("US", "US", "US-CA", True, id="its regions too"),
        pytest.param("US-CA", "US", "US-CA", True, id="a region"),
        pytest.param("US-CA", "US", "US-NY", False, id="not another"),
        pytest.param("US-CA", "US", None, False, id="not the country"),
        pytest.param("ES", "ES", "ES-M", True, id="Spain's, in Madrid"),
        pytest.param("ES", "ES", "ES-GC", False, id="not in the Canaries"),
        pytest.param("PT", "PT", "PT-30", False, id="Portugal's not in Madeira"),
        pytest.param("PT", "PT", "PT-11", True, id="but in Lisbon"),
        pytest.param("FR-974", "RE", None, True, id="Réunion by a code of its own"),
        pytest.param("FR", "MC", None, True, id="Monaco counts as France"),
        pytest.param("FI", "AX", None, False, id="Finland's not in Åland"),
    ],
)
def test_where_an_own_rate_holds(
    named: str, country: str, region: str | None, *, holds: bool
) -> None:
    own = NO_OWN_RATES.plus(named, Rate(TODAY, VAT_8))

    assert (own.at(named_place(country, region), TODAY) is not None) is holds


def test_own_places_are_listed_behind_those_that_are_known() -> None:
    own = NO_OWN_RATES.plus("US-CA", Rate(TODAY, VAT_8)).plus("DE-BY", Rate(TODAY, VAT_8))
    own = own.plus("ES-GC", Rate(TODAY, IGIC_3))

    listed = location_taxes(None, TODAY, own)

    assert [(each.country, each.region, each.name) for each in listed[-2:]] == [
        ("DE", "DE-BY", "DE-BY"),
        ("US", "US-CA", "US-CA"),
    ]
    assert len(listed) == PLACES + 2
    [canaries] = [each for each in listed if each.region == "ES-GC"]
    assert (canaries.state_id, canaries.rate.tax) == (35, IGIC_3)
    assert [each.region for each in location_taxes("US", TODAY, own)] == ["US-CA"]
