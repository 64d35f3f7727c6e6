"""
The tax of a place.

Standard VAT rates of the EU: European Commission, "Taxes in Europe Database", as of 2026-01-01.
Spain by INE province code: IVA on the mainland and the Balearics (Ley 37/1992, art. 90: 21 %),
IGIC in Las Palmas (35) and Santa Cruz de Tenerife (38) (Ley 4/2012, art. 51: 7 %),
IPSI in Ceuta (51) and Melilla (52) (Ley 8/1991, art. 18: general rates of services, 10 % and 8 %).
"""

from decimal import Decimal

from billing.domain.tax import NO_TAX, Tax, TaxType

STANDARD_RATES = {
    country: Decimal(rate)
    for country, rate in {
        "AT": "20", "BE": "21", "BG": "20", "CY": "19", "CZ": "21", "DE": "19", "DK": "25",
        "EE": "24", "ES": "21", "FI": "25.5", "FR": "20", "GR": "24", "HR": "25", "HU": "27",
        "IE": "23", "IT": "22", "LT": "21", "LU": "17", "LV": "21", "MT": "18", "NL": "21",
        "PL": "23", "PT": "23", "RO": "21", "SE": "25", "SI": "22", "SK": "23",
    }.items()
}  # fmt: skip
"""The standard rate, in percent, of each member state of the EU."""

_SPANISH_EXCEPTIONS = {
    35: Tax(TaxType.IGIC, Decimal(7)),
    38: Tax(TaxType.IGIC, Decimal(7)),
    51: Tax(TaxType.IPSI, Decimal(10)),
    52: Tax(TaxType.IPSI, Decimal(8)),
}


def tax_at(country: str, state_id: int | None) -> Tax:
    """
    Tell the standard tax of a place; outside the EU none is charged.

    `state_id` is the INE province code, 1 to 52, and counts in Spain only.
    """
    if country == "ES":
        return _SPANISH_EXCEPTIONS.get(state_id or 0, Tax(TaxType.IVA, STANDARD_RATES["ES"]))
    rate = STANDARD_RATES.get(country)
    return Tax(TaxType.VAT, rate) if rate is not None else NO_TAX
