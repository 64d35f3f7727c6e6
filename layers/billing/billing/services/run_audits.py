"""Run audits: have every series of every org verified, in as many steps as it takes."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from billing import deadline
from billing.domain.invoices import Stretch
from billing.services.audit import Invoices, audit_stretch, stretches


class Orgs(Protocol):
    def list_orgs(self, after: str | None = None) -> Iterable[str]: ...


class AuditsQueue(Protocol):
    def send_orgs(self, after: str) -> None: ...

    def send_stretch(self, stretch: Stretch) -> None: ...


def start_audits(after: str | None, *, orgs: Orgs, invoices: Invoices, queue: AuditsQueue) -> None:
    """Have every series of each org behind one verified; where time gets short, go on later."""
    for org_id in orgs.list_orgs(after):
        if deadline.seconds_left() < deadline.STEP_SECONDS:
            queue.send_orgs(after or "")
            return
        for stretch in stretches(org_id, invoices):
            queue.send_stretch(stretch)
        after = org_id


def audit_in_time(
    stretch: Stretch, *, invoices: Invoices, queue: AuditsQueue
) -> Iterator[tuple[str, list[str]]]:
    """Verify numbers; tell each, with what is wrong. Where time gets short, go on later."""
    for left, faults in audit_stretch(stretch, invoices=invoices):
        yield left.number, faults
        if deadline.seconds_left() < deadline.STEP_SECONDS:
            if left.sequence < left.last:
                queue.send_stretch(left)
            return
