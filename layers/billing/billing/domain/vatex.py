"""VATEX, the code list of reasons for which no VAT is charged (BT-121), and their categories."""

from typing import Literal

_EXEMPT = """
    EU-132 EU-132-1A EU-132-1B EU-132-1C EU-132-1D EU-132-1E EU-132-1F EU-132-1G EU-132-1H
    EU-132-1I EU-132-1J EU-132-1K EU-132-1L EU-132-1M EU-132-1N EU-132-1O EU-132-1P
    EU-132-1Q EU-135-1 EU-143 EU-143-1A EU-143-1B EU-143-1C EU-143-1D EU-143-1E EU-143-1F
    EU-143-1FA EU-143-1G EU-143-1H EU-143-1I EU-143-1J EU-143-1K EU-143-1L EU-144 EU-146-1E
    EU-148 EU-148-A EU-148-B EU-148-C EU-148-D EU-148-E EU-148-F EU-148-G EU-151 EU-151-1A
    EU-151-1AA EU-151-1B EU-151-1C EU-151-1D EU-151-1E EU-153 EU-159 EU-309 EU-79-C EU-D
    EU-F EU-I EU-J FR-298SEXDECIESA FR-CGI261-1 FR-CGI261-2 FR-CGI261-3 FR-CGI261-4
    FR-CGI261-5 FR-CGI261-7 FR-CGI261-8 FR-CGI261A FR-CGI261B FR-CGI261C-1 FR-CGI261C-2
    FR-CGI261C-3 FR-CGI261D-1 FR-CGI261D-1BIS FR-CGI261D-2 FR-CGI261D-3 FR-CGI261D-4
    FR-CGI261E-1 FR-CGI261E-2 FR-CGI275 FR-CGI277A FR-CGI295 FR-CNWVAT FR-FRANCHISE
""".split()

VATEX: dict[str, Literal["E", "AE", "O"]] = {
    **{f"VATEX-{code}": "E" for code in _EXEMPT},
    "VATEX-EU-AE": "AE",
    "VATEX-FR-AE": "AE",
    "VATEX-EU-O": "O",
}
"""
Each code's category (UNTDID 5305).

Left out are those of categories for goods that leave the country: VATEX-EU-G and VATEX-EU-IC.
"""


def is_code(reason: str) -> bool:
    """Return whether a reason is a VATEX code, and not words."""
    return reason.startswith("VATEX-")
