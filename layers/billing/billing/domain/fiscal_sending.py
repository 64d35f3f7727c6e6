"""
When fiscal records are sent: as the agency asks, and again where nobody answered.

Orden HAC/1177/2024, article 16: a message waits as long as the last answer asked for, unless there
are as many records as a message holds; what could not be sent is tried again at least once an hour,
in the order of the chain, and says that it is late.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.verifactu import FiscalRecord, KeptRecord

AT_ONCE = 1000
"""The records that a message holds."""
FIRST_WAIT = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=15)
"""The longest pause after messages that got no answer, unless the agency asked for a longer one."""
PUNCTUAL = timedelta(seconds=240)
"""What the agency takes for the time of generation: later it has an error of its own for it."""
LAG = timedelta(minutes=10)
"""By how much the list of what is pending may lag, at the very most."""
BUSY_FOR = timedelta(minutes=5)
"""How long a sender keeps others away: as long as its function may run."""


@dataclass(frozen=True, slots=True)
class Sending:
    """
    How far the sending of an org's records is.

    All records up to the position `answered_through` have an answer; those behind it, up to
    `tried_through`, were sent, and their answer is not known. `failures` counts messages in a row
    without an answer, `reason` says why the last one had none.
    """

    wait: timedelta = FIRST_WAIT
    last_at: datetime | None = None
    tried_through: int = 0
    answered_through: int = 0
    failures: int = 0
    reason: str | None = None
    busy_until: datetime | None = None
    version: int = 0

    @property
    def pause(self) -> timedelta:
        """Return how long the next message waits after the last one."""
        if not self.failures:
            return self.wait
        doubled = FIRST_WAIT * (1 << min(self.failures - 1, 10))
        return max(self.wait, min(doubled, LONGEST_PAUSE))

    def may_begin(self, end: int, now: datetime) -> bool:
        """Return whether it is time for a message, where the last record has the position `end`."""
        if self.busy_until is not None and now < self.busy_until:
            return False  # another sender is at work
        if self.last_at is None or now >= self.last_at + self.pause:
            return True
        return not self.failures and end - self.tried_through >= AT_ONCE

    def batch(self, pending: Sequence[KeptRecord], now: datetime) -> list[KeptRecord]:
        """
        Return what the next message has of records that are listed as pending, in their order.

        The list may lag: what was answered just now is passed over, and none goes before a new one
        that is still missing.
        """
        is_fresh = self.last_at is not None and now - self.last_at < LAG
        chosen, following = list[KeptRecord](), self.tried_through + 1
        for each in pending:
            position = each.record.position
            if position > following:
                break
            if position > self.answered_through or not is_fresh:
                chosen.append(each)
            following += position == following
        return chosen

    def is_given_up(self, end: int) -> bool:
        """
        Return whether a sender ended within its message, of which no record was left to be sent.

        It may have written all answers by then. What it sent was listed, so nothing of it is
        missing from the list but what has an answer.
        """
        return self.busy_until is not None and self.tried_through >= end

    def all_answered(self) -> "Sending":
        """Return how it is where all that was sent has an answer."""
        return replace(
            self,
            answered_through=self.tried_through,
            failures=0,
            reason=None,
            busy_until=None,
            version=self.version + 1,
        )

    def is_late(self, record: FiscalRecord, now: datetime) -> bool:
        """Return whether something kept a record from being sent in time."""
        age = now - datetime.fromisoformat(record.generated_at)
        return record.position <= self.tried_through or age > max(PUNCTUAL, self.wait)

    def begun(self, batch: Sequence[KeptRecord], now: datetime) -> "Sending":
        """Return how it is while a message is sent."""
        through = max(self.tried_through, batch[-1].record.position)
        version = self.version + 1
        return replace(self, tried_through=through, busy_until=now + BUSY_FOR, version=version)

    def answered(self, wait: timedelta, now: datetime, *, is_complete: bool) -> "Sending":
        """Return how it is after an answer, which is complete if no record was left out."""
        return replace(
            self,
            wait=wait,
            last_at=now,
            answered_through=self.tried_through if is_complete else self.answered_through,
            failures=0,
            reason=None,
            busy_until=None,
            version=self.version + 1,
        )

    def failed(self, reason: str, now: datetime) -> "Sending":
        return replace(
            self,
            last_at=now,
            failures=self.failures + 1,
            reason=reason,
            busy_until=None,
            version=self.version + 1,
        )
