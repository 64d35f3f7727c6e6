"""Addresses, as they are written in their country."""

import re
from functools import cache

from billing.domain.parties import Address

_PART = re.compile(r"((?:[A-Z]{1,2}[- ]?|〒)?)%(.)")
"""A part of an address, with what the post writes before it."""
_OTHER_LETTERS = re.compile("[\u0370-\u1dff\u2e80-\U0003ffff]")


def lines_of(address: Address) -> list[str]:
    """Return the lines of an address, without its country, in the order that its country has."""
    others = bool(_OTHER_LETTERS.search(address.street + address.city))
    region = _region(address, others=others)
    values = {"A": address.street, "Z": address.postal_code, "C": address.city, "S": region}
    lines = (_line(form, values) for form in _format(address.country, latin=not others).split("|"))
    return [line for line in lines if line]


@cache
def _format(country: str, *, latin: bool) -> str:
    from functions.documents.pdf.address_formats import FORMATS, LATIN

    return (latin and LATIN.get(country)) or FORMATS.get(country, "%A|%C %Z")


def _region(address: Address, *, others: bool) -> str:
    """Return the name of the region, unless the city says it."""
    from functions.documents.pdf.address_formats import REGIONS

    code = (address.region or "").partition("-")[2]
    name, latin = REGIONS.get(address.country, {}).get(code, ("", ""))
    region = name if others else latin
    return "" if address.city.casefold().startswith(region.casefold()) else region


def _line(form: str, values: dict[str, str]) -> str:
    """Write a line: what has no value takes its separators with it, and no prefix comes twice."""

    def written(part: re.Match[str]) -> str:
        prefix, value = part[1], values[part[2]]
        if value.upper().startswith(prefix.strip(" -")):
            prefix = ""
        return prefix + value if value else "\0"

    return re.sub(r"^\0[-, ]*|[-, ]*\0", "", _PART.sub(written, form))
