"""Billing runs: which cycles are billed, in what batches, and how far that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from billing.domain.cycles import OpenCycle
from billing.domain.errors import InvalidRequestError
from billing.domain.numbering import LETTERS, Lane, lane_of_account
from billing.domain.parties import Org
from billing.domain.periods import local_date

MAX_DOCUMENTS = 10
"""Documents that are issued together: as many as one transaction can hold."""
MAX_CREDIT_NOTES = 7
"""
Credit notes among them: each rewrites what is credited of up to 1,000 lines. Ten documents of the
largest size would then be more than the 4 MB that one transaction takes.
"""
ACCOUNTS_TOGETHER = MAX_DOCUMENTS
"""Accounts that are billed together; most have one document each."""
BATCH_ACCOUNTS = 30 * ACCOUNTS_TOGETHER
"""
Accounts of a batch: while some are being issued, the next are closed and gathered. The first ones
wait for that, and for the message; with more in a batch that weighs less. It has to be done within
the time of one function, and its message goes into the queue with nine others, of 256 KB together.
"""

MAX_WAITING = 200
"""
Batches of a run that are in the queue at once, at most.

A FIFO queue looks for work among its first 120,000 messages only: an org that filled these would
keep all others waiting.
"""
FEED_EVERY = 50
"""After every 50th batch, more of its run is sent: of 200 waiting batches, four ask for that."""


class RunStatus(StrEnum):
    """The state of a run."""

    RUNNING = "running"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Failure:
    """An account that could not be billed, or only in part, and why."""

    account_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BillingRun:
    """
    A billing run of an org: it bills each cycle that ends on or before `until`.

    Its accounts are listed in batches, numbered 1, 2, 3 …: `batches` of them so far, the first
    `sent` of which were surely sent to the queue, and `batches_done` of which are billed.
    `unlisted` has the lanes whose accounts are still to be listed, by their letters, each with the
    place where that goes on, None at the beginning; once the run `is_listed`, there is none.

    It issues in the `lanes` that its org had when it was started.
    """

    org_id: str
    id: str
    until: date
    created_at: datetime
    batches: int = 0
    sent: int = 0
    batches_done: int = 0
    unlisted: Mapping[str, str | None] = field(default_factory=dict)
    is_listed: bool = False
    accounts_total: int = 0
    accounts_done: int = 0
    invoices_issued: int = 0
    lanes: int = 1

    @classmethod
    def of(cls, org: Org, run_id: str, until: date, now: datetime) -> "BillingRun":
        """Create a run: all lanes that the org ever had are to be listed."""
        unlisted = dict.fromkeys(LETTERS[: org.most_lanes])
        return cls(org.id, run_id, until, now, unlisted=unlisted, lanes=org.lanes)

    @property
    def sendable(self) -> int:
        """Return how many batches may have been sent by now."""
        return min(self.batches, self.batches_done + MAX_WAITING)

    @property
    def status(self) -> RunStatus:
        done = self.is_listed and self.accounts_done == self.accounts_total
        return RunStatus.COMPLETED if done else RunStatus.RUNNING


@dataclass(frozen=True, slots=True)
class Batch:
    """Some accounts of a run, all in one of its `lanes`, that are billed one after the other."""

    org_id: str
    run_id: str
    number: int
    until: date
    account_ids: Sequence[str]
    lanes: int = 1

    @property
    def lane(self) -> Lane:
        return lane_of_account(self.account_ids[0], self.lanes)

    @property
    def feeds(self) -> bool:
        """Return whether the next part of its run is sent once it is billed."""
        return self.number % FEED_EVERY == 0


def run_until(asked: date | None, org: Org, now: datetime) -> date:
    """
    Return the day until which a run bills; by default today in the org's time zone.

    Raise InvalidRequestError if it is in the future.
    """
    today = local_date(now, org.time_zone)
    if asked and asked > today:
        raise InvalidRequestError.of("until", f"must not be after {today}, the org's today")
    return asked or today


def is_due(cycle: OpenCycle, until: date, now: datetime) -> bool:
    """Return whether a run until a day bills a cycle: it has ended, in the account's own zone."""
    return cycle.ends_on <= until and cycle.period.end <= now
