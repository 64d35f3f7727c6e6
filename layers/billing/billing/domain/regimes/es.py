"""
Spain: its provinces by INE code, with IVA, IGIC or IPSI, and how long invoices are kept.

- IVA on the mainland and the Balearics: Ley 37/1992, art. 90.
- IGIC in the Canaries, that is Las Palmas (35) and Santa Cruz de Tenerife (38): Ley 4/2012,
  art. 51. In 2019 telecommunications were charged 3 % (Ley 7/2018); other services 6.5 %.
- IPSI in Ceuta (51) and Melilla (52): Ley 8/1991, art. 18. Each city sets its rates by kind of
  service, in its ordinance (Ordenanza fiscal del Impuesto sobre la Producción, los Servicios y la
  Importación; in Melilla that of the operaciones interiores); these are what telecommunications are
  charged. Other services have other rates.
- The three are outside the VAT area: Directive 2006/112/EC, art. 6 (1) (b) and (2) (c) and (d).
- Keeping invoices: Código de Comercio, art. 30.
"""

import re
from datetime import date
from decimal import Decimal

from billing.domain.regimes.regime import Regime, Region, history
from billing.domain.tax import TaxType

RETENTION_YEARS = 6
_POSTAL_CODE = re.compile(r"(0[1-9]|[1-4][0-9]|5[0-2])[0-9]{3}", re.ASCII)

_IVA = history(TaxType.IVA, "2016-01-01 21")
_IGIC = history(TaxType.IGIC, "2016-01-01 7, 2019-01-01 3, 2020-01-01 7")

IVA_RATES = frozenset(map(Decimal, (0, 4, 10, 21)))
"""The rates of IVA: arts. 90 and 91, and 0 for what was taxed at nothing for a time."""
RETIRED_IVA_RATES = {
    Decimal(5): (date(2022, 7, 1), date(2024, 9, 30)),
    Decimal(2): (date(2024, 10, 1), date(2024, 12, 31)),
    Decimal("7.5"): (date(2024, 10, 1), date(2024, 12, 31)),
}
"""Rates that there were for a time, with their first and last day."""

_SPECIAL_TERRITORIES = {
    35: ("ES-CN", _IGIC),
    38: ("ES-CN", _IGIC),
    51: ("ES-CE", history(TaxType.IPSI, "2016-01-01 10")),
    52: ("ES-ML", history(TaxType.IPSI, "2016-01-01 8")),
}

_PROVINCES = """
    Araba/Álava, Albacete, Alicante/Alacant, Almería, Ávila, Badajoz, Illes Balears, Barcelona,
    Burgos, Cáceres, Cádiz, Castellón/Castelló, Ciudad Real, Córdoba, A Coruña, Cuenca, Girona,
    Granada, Guadalajara, Gipuzkoa, Huelva, Huesca, Jaén, León, Lleida, La Rioja, Lugo, Madrid,
    Málaga, Murcia, Navarra, Ourense, Asturias, Palencia, Las Palmas, Pontevedra, Salamanca,
    Santa Cruz de Tenerife, Cantabria, Segovia, Sevilla, Soria, Tarragona, Teruel, Toledo,
    Valencia/València, Valladolid, Bizkaia, Zamora, Zaragoza, Ceuta, Melilla
"""
"""In the order of their codes, from 1 on."""

_REGION_CODES = """
    VI AB A AL AV BA PM B BU CC CA CS CR CO C CU GI GR GU SS H HU J LE L LO LU M MA MU NA OR O P GC
    PO SA TF S SG SE SO T TE TO V VA BI ZA Z CE ML
""".split()
"""ISO 3166-2:ES, the provinces in the order of their codes."""


def _province(state_id: int, name: str, code: str) -> Region:
    territory, rates = _SPECIAL_TERRITORIES.get(state_id, (None, None))
    return Region(
        name=" ".join(name.split()),
        code=f"ES-{code}",
        state_id=state_id,
        territory=territory,
        rates=rates,
    )


SPAIN = Regime(
    country="ES",
    name="Spain",
    rates=_IVA,
    regions=tuple(
        _province(state_id, name, code)
        for state_id, (name, code) in enumerate(
            zip(_PROVINCES.split(","), _REGION_CODES, strict=True), start=1
        )
    ),
    retention_years=RETENTION_YEARS,
)
REGIMES = (SPAIN,)


def region_of(postal_code: str) -> str | None:
    """Return the ISO 3166-2 code of the province of a postal code; None where it is none."""
    province = province_of(postal_code)
    return province_code(province) if province else None


def province_code(state_id: int) -> str:
    """Return the ISO 3166-2 code of a province by its INE code."""
    return f"ES-{_REGION_CODES[state_id - 1]}"


def province_of(postal_code: str) -> int | None:
    """Return the province that a postal code begins with, None where it is no code of Spain."""
    match = _POSTAL_CODE.fullmatch(postal_code)
    return int(match[1]) if match else None
