"""
Numbers: lanes with one hash chain each, series with their years, and sequences without gaps.

An org's documents are numbered in lanes. Each lane has one hash chain over all its documents,
never restarted, and series of its own: one for invoices and one for credit notes, which begin
anew each year. Documents of different lanes do not wait for each other.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from string import ascii_uppercase

from billing.domain.invoices import InvoiceKind
from billing.domain.parties import FiscalRegime, Org

_NUMBER = re.compile(r"([A-Z]{1,9}[0-9]{4})-([0-9]{6}|[1-9][0-9]{6,8})", re.ASCII)

LETTERS: Sequence[str] = ascii_uppercase
"""The letters of lanes, in the order in which an org gets them."""
MAX_LANES = len(LETTERS)


@dataclass(frozen=True, slots=True)
class Lane:
    """
    A lane of an org: its letter, and what that adds to the names of its series.

    An org with one lane has series without a letter: F, where those of three are FA, FB and FC.
    """

    letter: str = LETTERS[0]
    mark: str = ""


LANE = Lane()
"""The one lane of an org that has only one; with more, lane A goes on with its chain."""


def lane_of_account(account_id: str, lanes: int) -> Lane:
    """
    Return the lane of an account, in an org that has so many.

    It is the one whose letter has the highest hash with the account's id (rendezvous hashing): the
    same on every machine and for ever, about as many accounts in each, and lanes that are added
    take accounts from the others without moving any between those.
    """
    if lanes == 1:
        return LANE
    letter = max(LETTERS[:lanes], key=lambda each: sha256(f"{each}{account_id}".encode()).digest())
    return Lane(letter, letter)


def lanes_up_to(lanes: int) -> Iterator[Lane]:
    """Return every lane that an org may ever have numbered in which had so many at most."""
    yield LANE
    if lanes > 1:
        yield from (Lane(letter, letter) for letter in LETTERS[:lanes])


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last document of a lane: its position in the chain, its hash and its date."""

    position: int = 0
    hash: str = ""
    issue_date: date | None = None
    regime: FiscalRegime | None = None
    """The fiscal regime that the next document has; None before the first one."""


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


def series_of(org: Org, kind: InvoiceKind, lane: Lane) -> str:
    """Return the series that numbers a kind of document in a lane."""
    name = org.credit_series if kind is InvoiceKind.CREDIT_NOTE else org.invoice_series
    return f"{name}{lane.mark}"


def are_a_letter_apart(one: str, other: str) -> bool:
    """Return whether a series is another with one more letter, as lanes add one."""
    return one[:-1] == other or other[:-1] == one


def invoice_number(series_and_year: str, sequence: int) -> str:
    """Return an invoice number: series, year and a sequence without gaps, such as F2026-000001."""
    return f"{series_and_year}-{sequence:06}"


def read_number(number: str) -> tuple[str, int]:
    """Return the series with its year, and the sequence. Raise ValueError for any other text."""
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise ValueError("not the number of an invoice")
    return match[1], int(match[2])
