"""Set the clock of a sandbox org."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.numbering import ChainEnd
from billing.domain.parties import Org
from billing.domain.periods import midnight
from billing.domain.sandbox_clocks import SandboxClock


class Clocks(Protocol):
    def get_for_move(
        self, org_id: str
    ) -> tuple[SandboxClock, Org | None, Mapping[str, ChainEnd]]: ...

    def move(self, org_id: str, clock: SandboxClock, ends: Mapping[str, ChainEnd]) -> None: ...


def set_sandbox_clock(
    org_id: str, now: datetime | None, *, present: datetime, clocks: Clocks
) -> None:
    """
    Set the clock of a sandbox org to a time; None is the present.

    Raise ClockBackwardsError where it has issued documents, and its clock would move back.
    """

    def move() -> None:
        clock, org, ends = clocks.get_for_move(org_id)
        last_day = max((end.issue_date for end in ends.values() if end.issue_date), default=None)
        issued_on = midnight(last_day, org.time_zone) if org and last_day else None
        moved = clock.moved(now, present, issued_on)
        if moved != clock:
            clocks.move(org_id, moved, ends)

    deadline.retry(move)
