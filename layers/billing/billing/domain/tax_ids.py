"""Tax ids, and those of them that are VAT ids."""

import re

from billing.domain.regimes.eu import MEMBER_STATES

_VAT_PREFIXES = {country: country for country in MEMBER_STATES} | {"GR": "EL", "MC": "FR"}
"""The prefix of VAT ids by country; Monaco's are France's."""


def plain_tax_id(tax_id: str) -> str:
    """Return a tax id in capitals, without what only separates its digits and letters."""
    return re.sub(r"[^0-9A-Z+*]", "", tax_id.upper())


def vat_id(tax_id: str, country: str) -> str | None:
    """
    Return a tax id of a member state with its prefix (BR-CO-09, art. 215); Greece's is EL.

    Elsewhere there is no VAT id in the directive's sense.
    """
    prefix = _VAT_PREFIXES.get(country)
    if prefix is None:
        return None
    plain = plain_tax_id(tax_id)
    return prefix + (plain[2:] if plain.startswith((prefix, country)) else plain)


def vies_id(tax_id: str | None, country: str) -> str | None:
    """Return the VAT id that VIES can be asked for; Northern Ireland's begin with XI."""
    if tax_id is None:
        return None
    plain = plain_tax_id(tax_id)
    return plain if country == "GB" and plain.startswith("XI") else vat_id(tax_id, country)
