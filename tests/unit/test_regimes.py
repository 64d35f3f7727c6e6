"""What is known of each country, and that a country is added by a module alone."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing.domain import regimes, tax_rates, territories
from billing.domain.regimes import REGIMES, retention_years
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.regimes.regime import Rate
from billing.domain.tax import Tax, TaxType
from billing.domain.tax_rates import NO_OWN_RATES, location_taxes, rate_at
from billing.domain.territories import named_place

DAY = date(2026, 11, 21)

SOMEWHERE = '''
"""Somewhere."""

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

REGIMES = (
    Regime(
        country="ZZ",
        name="Somewhere",
        rates=history(TaxType.VAT, "2018-01-01 7.7, 2024-01-01 8.1"),
        regions=(
            Region(
                name="The Islands",
                code="ZZ-12",
                rates=history(TaxType.VAT, "2018-01-01 0"),
            ),
        ),
        retention_years=11,
    ),
)
'''


@pytest.mark.parametrize("country", sorted(MEMBER_STATES))
def test_every_member_state_has_a_rate(country: str) -> None:
    regime = REGIMES[country]

    assert regime.country == country
    assert regime.name
    assert [rate.valid_from for rate in regime.rates] == sorted(
        rate.valid_from for rate in regime.rates
    )


@pytest.mark.parametrize(
    ("country", "years"),
    [
        pytest.param("ES", 6, id="art. 30 of Spain's Código de Comercio"),
        pytest.param("DE", 10, id="a regime without a term of its own"),
        pytest.param("US", 10, id="no regime"),
    ],
)
def test_how_long_invoices_are_kept(country: str, years: int) -> None:
    assert retention_years(country) == years


def test_a_country_is_added_by_a_module_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "zz.py").write_text(SOMEWHERE)
    monkeypatch.setattr(regimes, "__path__", [*regimes.__path__, str(tmp_path)])
    collected = regimes._collect()
    monkeypatch.setattr(regimes, "REGIMES", collected)
    for module in (tax_rates, territories):
        monkeypatch.setattr(module, "REGIMES", collected)

    own = NO_OWN_RATES.plus("ES-GC", Rate(DAY, Tax(TaxType.IGIC, Decimal(3))))

    for region, percentage in [(None, "8.1"), ("ZZ-12", "0")]:
        rate = rate_at(named_place("ZZ", region), DAY, own)
        assert rate is not None
        assert rate.tax == Tax(TaxType.VAT, Decimal(percentage))
    assert [place.name for place in location_taxes("ZZ", DAY, own)] == ["Somewhere", "The Islands"]
    assert retention_years("ZZ") == 11
    assert "ZZ" not in MEMBER_STATES


def test_a_country_has_one_regime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ib.py").write_text("from billing.domain.regimes.es import REGIMES")
    monkeypatch.setattr(regimes, "__path__", [*regimes.__path__, str(tmp_path)])

    with pytest.raises(ValueError, match="ES has two regimes"):
        regimes._collect()
