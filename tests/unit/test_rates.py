"""
The rates that we ship, against two data sets that others keep.

duty27-eu-vat has the standard rate of each member state by day since 2016 (CC BY 4.0, Duty27,
https://duty27.com/vat-rates/history); eu-vat-rates-data has all rates of today, regions included.
"""

from datetime import date, timedelta
from decimal import Decimal

import duty27_eu_vat
import eu_vat_rates_data
import pytest

from billing.domain.regimes import REGIMES
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.tax_rates import NO_OWN_RATES, rate_at
from billing.domain.territories import named_place, regions_of

FIRST = date(2016, 1, 1)
LAST = date(2026, 12, 31)


@pytest.mark.parametrize("country", sorted(MEMBER_STATES))
def test_the_standard_rate_of_every_day_is_that_of_others(country: str) -> None:
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    place = named_place(country)

    ours = [rate.tax.percentage for day in days if (rate := rate_at(place, day, NO_OWN_RATES))]

    assert ours == [duty27_eu_vat.get_standard_rate(country, day) for day in days]


@pytest.mark.parametrize("country", sorted(MEMBER_STATES))
def test_the_rates_of_today_are_those_of_others(country: str) -> None:
    theirs = eu_vat_rates_data.get_rate(country)
    assert theirs is not None

    assert float(REGIMES[country].rates[-1].tax.percentage) == theirs["standard"]
    regional = {
        float(place.rates[-1].tax.percentage)
        for place in regions_of(country)
        if place.region and place.region.differs and place.rates and country != "ES"
    }
    assert regional - {theirs["standard"]} <= set(theirs["reduced"])


@pytest.mark.parametrize(
    ("country", "region", "rates"),
    [
        pytest.param("PT", "PT-20", {"2016-01-01": "18", "2021-07-01": "16"}, id="Azores"),
        pytest.param("PT", "PT-30", {"2016-01-01": "22"}, id="Madeira"),
        pytest.param("FR", "FR-974", {"2016-01-01": "8.5"}, id="Réunion"),
        pytest.param(
            "ES", "ES-GC", {"2016-01-01": "7", "2019-01-01": "3", "2020-01-01": "7"}, id="Canaries"
        ),
        pytest.param("ES", "ES-CE", {"2016-01-01": "10"}, id="Ceuta"),
        pytest.param("ES", "ES-ML", {"2016-01-01": "8"}, id="Melilla"),
        pytest.param("FI", "FI-01", {"2016-01-01": "24", "2024-09-01": "25.5"}, id="Åland"),
    ],
)
def test_regions_have_their_rates_by_day(country: str, region: str, rates: dict[str, str]) -> None:
    place = named_place(country, region)

    assert {rate.valid_from.isoformat(): rate.tax.percentage for rate in place.rates} == {
        day: Decimal(percentage) for day, percentage in rates.items()
    }
