"""Issuing: the journal that numbers, dates and chains documents."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.errors import (
    FiscalRegimeError,
    InvalidRequestError,
    SeriesTakenError,
)
from billing.domain.idempotency import IdempotencyRecord
from billing.domain.invoice_record import InvoiceRecord, write_record
from billing.domain.invoices import Draft, InvoiceKey, InvoiceKind, IssuedInvoice
from billing.domain.numbering import ChainEnd, Lane, SeriesEnd, invoice_number, series_of
from billing.domain.parties import Org
from billing.domain.periods import local_date
from billing.domain.verifactu import (
    NO_PRODUCER,
    FiscalEnd,
    FiscalRecord,
    FiscalSetting,
    chained,
    declare,
    summary_of,
)

SALT_BYTES = 16
"""Random bytes beside the personal part of a record: nobody can guess what its hash is of."""


class RegimeChangedError(Exception):
    """The org's fiscal regime is not the one that was read: read it anew, and issue again."""


@dataclass(frozen=True, slots=True)
class AccountEnd:
    """The last document of an account: its ordinal and its date."""

    ordinal: int = 0
    issue_date: date | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A document as it was issued: with its record, and its place in the chain of its lane."""

    invoice: IssuedInvoice
    record: InvoiceRecord
    position: int
    hash: str
    previous_hash: str
    fiscal: FiscalRecord | None = None


@dataclass
class Ends:
    """
    The ends that new documents follow: of a lane, of its series and of some accounts.

    `fiscal` is that of the chain of fiscal records, if the org has any.
    """

    chain: ChainEnd
    series: dict[str, SeriesEnd]
    accounts: dict[str, AccountEnd]
    fiscal: FiscalEnd = field(default_factory=FiscalEnd)

    def copy(self) -> "Ends":
        return Ends(self.chain, dict(self.series), dict(self.accounts), self.fiscal)


@dataclass
class Journal:
    """
    Documents that are issued together, each following the one before it.

    `read` are the ends as they were read; what was issued since stands in `issued`, and the credit
    notes among it in `credited` too, each with the document that it became. `fiscal` says how
    fiscal records are made, if the org has them.
    """

    org: Org
    lane: Lane
    now: datetime
    read: Ends
    fiscal: FiscalSetting | None = None
    make_salt: Callable[[], str] = field(default=lambda: secrets.token_hex(SALT_BYTES))
    issued: list[Issued] = field(default_factory=list, init=False)
    credited: list[tuple[CreditNote, IssuedInvoice]] = field(default_factory=list, init=False)
    ends: Ends = field(init=False)

    def __post_init__(self) -> None:
        self.ends = self.read.copy()

    def issue(self, draft: Draft) -> IssuedInvoice:
        """
        Number, date and chain a document.

        It is dated today in the seller's time zone, and never before a document that it follows.
        Raise SeriesTakenError where its series has numbered another kind, or another lane,
        InvalidRequestError where it would be due before that day or the tax agency would refuse
        it, and RegimeChangedError where the org's fiscal regime has changed since it was read.
        """
        if self.ends.chain.regime not in (None, self.org.fiscal_regime):
            raise RegimeChangedError
        account = self.ends.accounts[draft.buyer.id]
        today = local_date(self.now, self.org.time_zone)
        chain = self.ends.chain
        issue_date = max(day for day in (today, chain.issue_date, account.issue_date) if day)
        if draft.due_date and draft.due_date < issue_date:
            raise InvalidRequestError.of(
                "due_date", f"must not be before the day of issue, {issue_date}"
            )
        series, end = self._next_number(draft.kind, issue_date.year)
        term = 0 if draft.kind is InvoiceKind.CREDIT_NOTE else draft.buyer.payment_term_days
        invoice = IssuedInvoice(
            key=InvoiceKey(self.org.id, draft.buyer.id, account.ordinal + 1),
            number=invoice_number(f"{series}{end.year}", end.sequence),
            issued_at=self.now,
            issue_date=issue_date,
            due_date=draft.due_date or issue_date + timedelta(days=term),
            **draft.content,
        )
        invoice, fiscal = self._declared(invoice, draft)
        record = write_record(invoice, self.make_salt())
        following = replace(
            chain,
            position=chain.position + 1,
            hash=record.hash(chain.hash),
            issue_date=issue_date,
        )
        self.issued.append(
            Issued(invoice, record, following.position, following.hash, chain.hash, fiscal)
        )
        self.ends.chain = following
        self.ends.series[series] = end
        self.ends.accounts[draft.buyer.id] = AccountEnd(invoice.key.ordinal, issue_date)
        return invoice

    def _declared(
        self, invoice: IssuedInvoice, draft: Draft
    ) -> tuple[IssuedInvoice, FiscalRecord | None]:
        """Make and chain the fiscal record of a document, where its org has them."""
        if not self.org.is_declared:
            return invoice, None
        if self.fiscal is None:
            raise FiscalRegimeError(NO_PRODUCER)
        said = declare(invoice, draft.credit_reason, draft.original_day)
        record = chained(said, self.ends.fiscal, self.fiscal, self.now, self.org.time_zone)
        self.ends.fiscal = record.end
        return replace(invoice, fiscal=summary_of(said, self.fiscal.service)), record

    def credit(self, note: CreditNote) -> IssuedInvoice:
        """Issue a credit note; what it credits of the original is written with it."""
        issued = self.issue(note.draft)
        self.credited.append((note, issued))
        return issued

    def _next_number(self, kind: InvoiceKind, year: int) -> tuple[str, SeriesEnd]:
        series, letter = series_of(self.org, kind, self.lane), self.lane.letter
        end = self.ends.series.get(series) or SeriesEnd(kind, letter, year, year, 0)
        if (end.kind, end.lane) != (kind, letter):
            raise SeriesTakenError(series, end.kind)
        if end.year < year:
            end = replace(end, year=year, sequence=0)
        return series, replace(end, sequence=end.sequence + 1)


@dataclass(frozen=True, slots=True)
class OpenJournal:
    """
    A journal, with what was read beside it.

    `originals` are invoices to be credited, as far as they were found; `known` is what keeps the
    external id of the document to be issued, if that was used before.
    """

    journal: Journal
    originals: Mapping[InvoiceKey, Creditable]
    known: IdempotencyRecord | None
