"""Sandbox clocks: the current time of a sandbox org, instead of the present."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.domain.errors import ClockBackwardsError
from billing.domain.records import instant


@dataclass(frozen=True, slots=True)
class SandboxClock:
    """
    The clock of a sandbox org; it stands at `now`, and where that is None it shows the present.

    It moves business dates only: never tokens, links, ids, the order of events or retention.
    `version` counts how often it was set.
    """

    now: datetime | None = None
    version: int = 0

    def moved(
        self, now: datetime | None, present: datetime, last_issue: datetime | None
    ) -> "SandboxClock":
        """
        Return the clock with a new time: any before the first document, then only a later one.

        A time that it shows already changes nothing, so that a request can be sent again.

        `last_issue` is the beginning of the day of the org's last document. Raise
        ClockBackwardsError where that, or the time that the clock shows, is later.
        """
        if now == self.now:
            return self
        if last_issue:
            earliest = max(self.now or present, last_issue)
            if (now or present) < earliest:
                whole = earliest + timedelta(microseconds=-earliest.microsecond % 1_000_000)
                raise ClockBackwardsError(instant(whole))
        return SandboxClock(now, self.version + 1)
