"""
Writes the table of regions: the subdivisions of every country, by ISO 3166-2.

    python -m tools.subdivisions    write layers/billing/billing/domain/subdivisions.py

The data is that of Debian's iso-codes, as the package pycountry has it.
"""

import textwrap

import pycountry

from local.stack import ROOT

FILE = ROOT / "layers" / "billing" / "billing" / "domain" / "subdivisions.py"
ADDED = {"FR": ("75",), "IN": ("OR",), "NO": ("31", "32", "33", "39", "40", "55", "56")}
"""Norway's counties of 2024, and older codes that addresses still have."""
HEAD = '''\
"""
The subdivisions of countries, ISO 3166-2: written by `python -m tools.subdivisions`.

A row begins with the country; a country without subdivisions has none.
"""
'''


def module() -> str:
    """Return the source of the table."""
    by_country = {country: list(codes) for country, codes in ADDED.items()}
    for each in pycountry.subdivisions:
        country, _, code = each.code.partition("-")
        by_country.setdefault(country, []).append(code)
    rows = [
        textwrap.fill(
            " ".join(sorted(set(codes))),
            width=100,
            initial_indent=f"{country} ",
            subsequent_indent=f"{country} ",
        )
        for country, codes in sorted(by_country.items())
    ]
    table = "\n".join(rows)
    return f'{HEAD}\nSUBDIVISIONS = """\n{table}\n"""\n'


if __name__ == "__main__":
    FILE.write_text(module())
