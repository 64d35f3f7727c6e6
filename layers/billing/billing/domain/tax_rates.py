"""
The tax of a place on a day.

Standard VAT rates of the EU: European Commission, "Taxes in Europe Database", every change from
2016 on, as of 2026-10-01. Spain by INE province code: IVA on the mainland and the Balearics
(Ley 37/1992, art. 90), IGIC in Las Palmas (35) and Santa Cruz de Tenerife (38) (Ley 4/2012,
art. 51; 6.5 % in 2019), IPSI in Ceuta (51) and Melilla (52) (Ley 8/1991, art. 18: the general rates
of services). An org can set rates of its own for the provinces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing.domain.errors import ConflictError
from billing.domain.tax import NO_TAX, Tax, TaxType


@dataclass(frozen=True, slots=True)
class Rate:
    """A tax, and the first day that it is charged."""

    valid_from: date
    tax: Tax


def _history(kind: TaxType, text: str) -> tuple[Rate, ...]:
    pairs = [change.split() for change in text.split(",")]
    return tuple(Rate(date.fromisoformat(day), Tax(kind, Decimal(rate))) for day, rate in pairs)


_COUNTRIES = """
    AT Austria:      2016-01-01 20
    BE Belgium:      2016-01-01 21
    BG Bulgaria:     2016-01-01 20
    CY Cyprus:       2016-01-01 19
    CZ Czechia:      2016-01-01 21
    DE Germany:      2016-01-01 19, 2020-07-01 16, 2021-01-01 19
    DK Denmark:      2016-01-01 25
    EE Estonia:      2016-01-01 20, 2024-01-01 22, 2025-07-01 24
    ES Spain:        2016-01-01 21
    FI Finland:      2016-01-01 24, 2024-09-01 25.5
    FR France:       2016-01-01 20
    GR Greece:       2016-01-01 23, 2016-06-01 24
    HR Croatia:      2016-01-01 25
    HU Hungary:      2016-01-01 27
    IE Ireland:      2016-01-01 23, 2020-09-01 21, 2021-03-01 23
    IT Italy:        2016-01-01 22
    LT Lithuania:    2016-01-01 21
    LU Luxembourg:   2016-01-01 17, 2023-01-01 16, 2024-01-01 17
    LV Latvia:       2016-01-01 21
    MT Malta:        2016-01-01 18
    NL Netherlands:  2016-01-01 21
    PL Poland:       2016-01-01 23
    PT Portugal:     2016-01-01 23
    RO Romania:      2016-01-01 20, 2017-01-01 19, 2025-08-01 21
    SE Sweden:       2016-01-01 25
    SI Slovenia:     2016-01-01 22
    SK Slovakia:     2016-01-01 20, 2025-01-01 23
"""
_PROVINCES = """
    Araba/Álava, Albacete, Alicante/Alacant, Almería, Ávila, Badajoz, Illes Balears, Barcelona,
    Burgos, Cáceres, Cádiz, Castellón/Castelló, Ciudad Real, Córdoba, A Coruña, Cuenca, Girona,
    Granada, Guadalajara, Gipuzkoa, Huelva, Huesca, Jaén, León, Lleida, La Rioja, Lugo, Madrid,
    Málaga, Murcia, Navarra, Ourense, Asturias, Palencia, Las Palmas, Pontevedra, Salamanca,
    Santa Cruz de Tenerife, Cantabria, Segovia, Sevilla, Soria, Tarragona, Teruel, Toledo,
    Valencia/València, Valladolid, Bizkaia, Zamora, Zaragoza, Ceuta, Melilla
"""

_SPAIN = "ES"
_NAMES: dict[str, str] = {}
_STANDARD: dict[str, tuple[Rate, ...]] = {}
for _line in _COUNTRIES.strip().splitlines():
    _place, _rates = _line.split(":")
    _code, _NAMES[_code] = _place.split()
    _STANDARD[_code] = _history(TaxType.IVA if _code == _SPAIN else TaxType.VAT, _rates)

EU_COUNTRIES = frozenset(_STANDARD)
"""The member states of the EU."""

PROVINCES = {
    number: " ".join(name.split()) for number, name in enumerate(_PROVINCES.split(","), start=1)
}
"""The provinces of Spain by their INE code."""

_IGIC = _history(TaxType.IGIC, "2016-01-01 7, 2019-01-01 6.5, 2020-01-01 7")
_EXCEPTIONS = {
    35: _IGIC,
    38: _IGIC,
    51: _history(TaxType.IPSI, "2016-01-01 10"),
    52: _history(TaxType.IPSI, "2016-01-01 8"),
}

_RETENTION_YEARS = {"ES": 6}
"""Years that issued documents are kept: in Spain art. 30 of the Código de Comercio."""


def retention_years(country: str) -> int:
    """Return how many years a seller keeps what it issued; ten where a country is not known."""
    return _RETENTION_YEARS.get(country, 10)


MAX_OWN_RATES = 24
"""How many rates an org can set for one province; all of an org's are read with each invoice."""


@dataclass(frozen=True, slots=True)
class OwnRates:
    """The rates that an org has set itself, by province, oldest first; `version` counts changes."""

    version: int = 0
    by_province: Mapping[int, Sequence[Rate]] = field(default_factory=dict)

    def plus(self, state_id: int, rate: Rate) -> "OwnRates":
        """
        Set a rate; what the org had set for the same day gives way to it.

        Raises ConflictError where the province has too many rates.
        """
        others = [
            each
            for each in self.by_province.get(state_id, ())
            if each.valid_from != rate.valid_from
        ]
        if len(others) >= MAX_OWN_RATES:
            raise ConflictError(f"The province has {MAX_OWN_RATES} rates of its own already.")
        rates = sorted([*others, rate], key=lambda each: each.valid_from)
        return OwnRates(self.version + 1, {**self.by_province, state_id: tuple(rates)})


NO_OWN_RATES = OwnRates()


@dataclass(frozen=True, slots=True)
class LocationTax:
    """The tax of a place; `state_id` None is a whole country."""

    country: str
    state_id: int | None
    name: str
    rate: Rate


def tax_at(country: str, state_id: int | None, day: date, own: OwnRates) -> Tax:
    """
    Tell the tax of a place on a day; outside the EU none is charged.

    `state_id` is the INE province code and counts in Spain only.
    """
    if country == _SPAIN and state_id is not None:
        return province_tax(state_id, day, own).rate.tax
    return _in_force(_STANDARD[country], day).tax if country in _STANDARD else NO_TAX


def province_tax(state_id: int, day: date, own: OwnRates) -> LocationTax:
    """Tell the tax of a province on a day: the org's own rate, where it has set one by then."""
    set_by_then = [each for each in own.by_province.get(state_id, ()) if each.valid_from <= day]
    shipped = _EXCEPTIONS.get(state_id, _STANDARD[_SPAIN])
    rate = set_by_then[-1] if set_by_then else _in_force(shipped, day)
    return LocationTax(_SPAIN, state_id, PROVINCES[state_id], rate)


def location_taxes(country: str | None, day: date, own: OwnRates) -> list[LocationTax]:
    """List the standard tax of every country of the EU, or of one, and of Spain's provinces."""
    countries = [
        LocationTax(code, None, _NAMES[code], _in_force(rates, day))
        for code, rates in _STANDARD.items()
        if country in (None, code)
    ]
    provinces = PROVINCES if country in (None, _SPAIN) else ()
    return countries + [province_tax(number, day, own) for number in provinces]


def _in_force(rates: Sequence[Rate], day: date) -> Rate:
    """Find the rate of a day; for days before the data begins, the oldest stands in."""
    return max(
        (rate for rate in rates if rate.valid_from <= day), default=rates[0], key=_valid_from
    )


def _valid_from(rate: Rate) -> date:
    return rate.valid_from
