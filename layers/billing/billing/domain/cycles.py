"""Cycles: the open one that writes fall into, and the closed ones that were billed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from billing.domain.mails import MailState
from billing.domain.parties import Account
from billing.domain.periods import (
    BillingPeriod,
    local_date,
    midnight,
    next_billing_date,
    period_at,
)


@dataclass(frozen=True, slots=True)
class OpenCycle:
    """
    The one cycle of an account that writes fall into.

    `ends_on` is the local day on which it ends and is billed, and its name. It, the instants of
    `period` and the time zone are fixed when the cycle is opened: another billing day or time zone
    of the account takes effect with the next cycle.
    """

    ends_on: date
    period: BillingPeriod
    time_zone: str

    @classmethod
    def first(cls, account: Account, now: datetime) -> "OpenCycle":
        """Create the first cycle of an account: the current billing period."""
        today = local_date(now, account.time_zone)
        return cls(
            ends_on=next_billing_date(account.billing_day, today),
            period=period_at(account.billing_day, account.time_zone, now),
            time_zone=account.time_zone,
        )

    def following(self, account: Account) -> "OpenCycle":
        """
        Open the cycle that begins where this one ends, by the account's billing day and time zone.

        A zone further east may have the next day by then: the cycle ends after both.
        """
        start, zone = self.period.end, account.time_zone
        latest = max(self.ends_on, local_date(start, zone))
        ends_on = next_billing_date(account.billing_day, latest)
        return OpenCycle(ends_on, BillingPeriod(start, midnight(ends_on, zone)), zone)


def document_of(line_key: str) -> str:
    """Return the part of a line's key that its document is named by: Tax.document."""
    head, mark, _ = line_key.rpartition("|")
    return head + mark


@dataclass(frozen=True, slots=True)
class Part:
    """
    One document of a cycle: its lines in a currency from `first_line` on, up to the next part's.

    `ordinal` is None until the document is issued. It is a credit note where it came out below
    zero.
    """

    currency: str
    first_line: str
    ordinal: int | None = None
    is_credit: bool = False

    @property
    def document(self) -> str:
        """Return what it is divided from other documents by, besides the currency."""
        return document_of(self.first_line)


@dataclass(frozen=True, slots=True)
class CycleDocuments:
    """
    What a billing run issues for a cycle.

    `parts` are the documents with the cycle's own lines, in their order; `credit_notes` has, by
    the ordinals of earlier invoices, the credit notes that give back what was refunded of them.
    """

    parts: tuple[Part, ...] = ()
    credit_notes: Mapping[int, int] = field(default_factory=dict)

    @property
    def ordinals(self) -> list[int]:
        """Return the ordinals of those that are issued."""
        parts = [part.ordinal for part in self.parts if part.ordinal is not None]
        return [*parts, *self.credit_notes.values()]

    def part_of(self, currency: str, line_key: str) -> Part | None:
        """Return the part that a line of the cycle is in, None where nothing was billed."""
        key = self.planned(line_key)
        before = [
            part
            for part in self.parts
            if part.currency == currency
            and part.document == document_of(key)
            and part.first_line <= key
        ]
        return before[-1] if before else None

    def planned(self, line_key: str) -> str:
        """
        Return the key of a line as these documents were planned by.

        Version 1.0 did not divide documents by place, and its keys say nothing of it.
        """
        if any(part.document for part in self.parts):
            return line_key
        return line_key.removeprefix(document_of(line_key))


@dataclass(frozen=True, slots=True)
class ClosedCycle:
    """A cycle that takes no more writes; its documents are None until all of them are issued."""

    ends_on: date
    documents: CycleDocuments | None

    def is_billed_up_to(self, ordinal: int) -> bool:
        """Return whether all its documents are issued, none of them after that one."""
        return self.documents is not None and max(self.documents.ordinals, default=0) <= ordinal

    def part_of(self, currency: str, line_key: str) -> Part | None:
        """Return the document that bills a line of the cycle, None where none does (yet)."""
        return self.documents.part_of(currency, line_key) if self.documents else None


@dataclass(frozen=True, slots=True)
class ClosingCycle:
    """A cycle that takes no more writes and is being billed: by `documents`, so far."""

    account: Account
    ends_on: date
    period: BillingPeriod
    time_zone: str
    documents: CycleDocuments
    following: OpenCycle

    @property
    def buyer(self) -> Account:
        """Return the account as its documents have it: in the time zone of the cycle."""
        return replace(self.account, time_zone=self.time_zone)


@dataclass(frozen=True, slots=True)
class BillableAccount:
    """
    An account with the cycle that is open, and the one before it while that is being billed.

    `version` is that of its profile.
    """

    account: Account
    version: int
    open: OpenCycle
    closing: ClosingCycle | None

    @property
    def due_on(self) -> date:
        """Return the first day on which there is something to bill."""
        return self.closing.ends_on if self.closing else self.open.ends_on

    def close(self) -> ClosingCycle:
        """Close the open cycle: the next one begins where it ends."""
        return ClosingCycle(
            account=self.account,
            ends_on=self.open.ends_on,
            period=self.open.period,
            time_zone=self.open.time_zone,
            documents=CycleDocuments(),
            following=self.open.following(self.account),
        )


@dataclass(frozen=True, slots=True)
class BillingDetails:
    """
    An account with the version of its profile, and the cycle that is open.

    `next_billing_date` is the day on which a run bills it, None where nothing will be billed.
    `mail_state` is that of its e-mail address.
    """

    account: Account
    version: int
    open: OpenCycle
    next_billing_date: date | None
    mail_state: MailState


type ClosedCycles = Mapping[date, ClosedCycle]
"""Closed cycles of one account by the day they ended on; what is not there is still open."""
