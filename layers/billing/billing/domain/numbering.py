"""
Numbers: lanes with one hash chain each, series with their years, and sequences without gaps.

An org's documents are numbered in lanes. Each lane has one hash chain over all its documents,
never restarted, and series of its own: one for invoices and one for credit notes, which begin
anew each year.
"""

import re
from dataclasses import dataclass
from datetime import date

from billing.domain.invoices import InvoiceKind
from billing.domain.parties import Org

_NUMBER = re.compile(r"([A-Z]{1,9}[0-9]{4})-([0-9]{6}|[1-9][0-9]{6,8})", re.ASCII)

LANE = "A"
"""The one lane that an org has."""


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last document of a lane: its position in the chain, its hash and its date."""

    position: int = 0
    hash: str = ""
    issue_date: date | None = None


@dataclass(frozen=True, slots=True)
class SeriesEnd:
    """
    The last number of a series; `sequence` is 0 where it has numbered nothing yet.

    A series numbers one kind of document in one lane, for ever.
    """

    kind: InvoiceKind
    lane: str
    first_year: int
    year: int
    sequence: int


def series_of(org: Org, kind: InvoiceKind) -> str:
    """Return the series that numbers a kind of document."""
    return org.credit_series if kind is InvoiceKind.CREDIT_NOTE else org.invoice_series


def invoice_number(series_and_year: str, sequence: int) -> str:
    """Return an invoice number: series, year and a sequence without gaps, such as F2026-000001."""
    return f"{series_and_year}-{sequence:06}"


def read_number(number: str) -> tuple[str, int]:
    """Return the series with its year, and the sequence. Raise ValueError for any other text."""
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise ValueError("not the number of an invoice")
    return match[1], int(match[2])
