"""Chains: the documents of a lane, one after the other, as an audit walks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from billing.domain.invoice_record import InvoiceRecord
from billing.domain.invoices import InvoiceKey
from billing.domain.numbering import invoice_number


@dataclass(frozen=True, slots=True)
class ChainLink:
    """
    A document as it is kept: its number, its place in the chain, and its record, if found.

    `series` includes the year: F2026.
    """

    key: InvoiceKey
    series: str
    sequence: int
    position: int
    hash: str
    previous_hash: str
    record: InvoiceRecord | None
    erased: bool

    @property
    def number(self) -> str:
        return invoice_number(self.series, self.sequence)


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    The documents of a lane that are still to be verified: behind `position`, up to `last`.

    `hash` is that of the document at `position`, and `sequences` has, by series and year, the last
    number up to there.
    """

    org_id: str
    lane: str
    last: int
    last_hash: str
    position: int = 0
    hash: str = ""
    sequences: Mapping[str, int] = field(default_factory=dict)
