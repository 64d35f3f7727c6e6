"""Chains: the documents of a lane, one after the other, as an audit walks them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from billing.domain.invoice_record import InvoiceRecord
from billing.domain.invoices import InvoiceKey
from billing.domain.numbering import ChainEnd, invoice_number
from billing.domain.verifactu import FiscalEnd, KeptRecord, Link


@dataclass(frozen=True, slots=True)
class LaneEnds:
    """
    Where the chains of a lane end: that of its documents, and that of its fiscal records.

    The tax agency has answered to all records up to the position `answered_through`.
    """

    chain: ChainEnd
    fiscal: FiscalEnd
    answered_through: int


@dataclass(frozen=True, slots=True)
class ChainLink:
    """
    A document as it is kept: its number, its place in the chain, and its record, if found.

    `series` includes the year: F2026. `fiscal` is its first fiscal record; `corrections` are those
    that took its place, by the positions that the document names, None where there is none.
    """

    key: InvoiceKey
    series: str
    sequence: int
    position: int
    hash: str
    previous_hash: str
    record: InvoiceRecord | None
    erased: bool
    fiscal: KeptRecord | None = None
    corrections: Mapping[int, KeptRecord | None] = field(default_factory=dict)

    @property
    def number(self) -> str:
        return invoice_number(self.series, self.sequence)


@dataclass(frozen=True, slots=True)
class Correction:
    """A fiscal record that takes the place of another, and the positions its document names."""

    kept: KeptRecord
    named: Sequence[int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    The documents of a lane that are still to be verified: behind `position`, up to `last`.

    `hash` is that of the document at `position`, and `sequences` has, by series and year, the last
    number up to there. Their fiscal records are those behind `fiscal_position`, which `fiscal_link`
    names, up to `fiscal_last`; up to `fiscal_answered` the tax agency has answered. The last
    document that was declared is of the year `declared_in`.
    """

    org_id: str
    lane: str
    last: int
    last_hash: str
    position: int = 0
    hash: str = ""
    sequences: Mapping[str, int] = field(default_factory=dict)
    fiscal_last: int = 0
    fiscal_last_link: str = ""
    fiscal_answered: int = 0
    fiscal_position: int = 0
    fiscal_link: str = ""
    declared_in: int = 0

    @property
    def is_done(self) -> bool:
        return self.position >= self.last and self.fiscal_position >= self.fiscal_last


def link_text(link: Link | None) -> str:
    """Write all that a fiscal record says of the one before it; nothing if it is the first."""
    return f"{link.number} {link.issue_date} {link.huella}" if link else ""
