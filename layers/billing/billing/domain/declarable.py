"""
What can be declared to Spain's tax agency, decided when a charge comes in.

A document that was issued cannot be mended: what the agency would refuse in it is refused here. The
rates hold for every seller in Spain, so that each can switch VERIFACTU on.
"""

from datetime import date, datetime

from billing.domain.errors import InvalidRequestError
from billing.domain.parties import Org
from billing.domain.periods import local_date, years_before
from billing.domain.regimes.es import IVA_RATES
from billing.domain.tax import Tax, TaxType, VatCategory
from billing.domain.vatex import is_code

OLDEST_YEARS = 20
"""How many years before today an operation can be."""
_MARGIN_SCHEMES = ("VATEX-EU-D", "VATEX-EU-F", "VATEX-EU-I", "VATEX-EU-J")


def check_rate(tax: Tax, field: str, *, is_declared: bool = False) -> None:
    """
    Raise InvalidRequestError where a rate is none of Spain's taxes.

    What is called VAT there is declared as IVA.
    """
    is_vat_in_spain = tax.type is TaxType.VAT and tax.place == "ES"
    is_iva = tax.type is TaxType.IVA or (is_declared and is_vat_in_spain)
    if is_iva and tax.percentage not in IVA_RATES:
        rates = ", ".join(f"{rate:f}" for rate in sorted(IVA_RATES))
        raise InvalidRequestError.of(
            f"{field}.percentage", f"{tax.percentage:f} is no rate of IVA; its rates are {rates}"
        )
    if tax.type in (TaxType.IGIC, TaxType.IPSI) and tax.percentage != round(tax.percentage, 2):
        raise InvalidRequestError.of(
            f"{field}.percentage",
            f"{tax.percentage:f} has more than two decimals, which {tax.type} has not",
        )


def check_reason(tax: Tax, field: str) -> None:
    """Raise InvalidRequestError where a reason of exemption cannot be declared."""
    reason = tax.reason or ""
    if tax.category is not VatCategory.EXEMPT or not is_code(reason):
        return
    if reason in _MARGIN_SCHEMES:
        raise InvalidRequestError.of(
            f"{field}.exemption_reason", "margin schemes are not covered with VERIFACTU"
        )
    if not reason.startswith("VATEX-EU-"):
        raise InvalidRequestError.of(
            f"{field}.exemption_reason", f"{reason} is no exemption of Spanish law"
        )


def check_period(last_day: date | None, org: Org, now: datetime, field: str) -> None:
    """Raise InvalidRequestError where an org declares what it supplied too long ago."""
    oldest = years_before(local_date(now, org.time_zone), OLDEST_YEARS)
    if org.is_declared and last_day and last_day < oldest:
        raise InvalidRequestError.of(
            field, f"must not be before {oldest}: the tax agency takes no older operation"
        )
