"""Run audits: verify every lane of every org, in as many steps as it takes."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from billing import deadline
from billing.domain.chains import Stretch
from billing.services.audit import Audited, Chains, audit_stretch, stretches


class Orgs(Protocol):
    def list_orgs(self, after: str | None = None) -> Iterable[str]: ...


class AuditsQueue(Protocol):
    def send_orgs(self, after: str) -> None: ...

    def send_stretch(self, stretch: Stretch) -> None: ...


def start_audits(after: str | None, *, orgs: Orgs, chains: Chains, queue: AuditsQueue) -> None:
    """Queue every lane of each further org for verification; continue later if time runs short."""
    for org_id in orgs.list_orgs(after):
        if deadline.seconds_left() < deadline.STEP_SECONDS:
            queue.send_orgs(after or "")
            return
        for stretch in stretches(org_id, chains):
            queue.send_stretch(stretch)
        after = org_id


def audit_in_time(stretch: Stretch, *, chains: Chains, queue: AuditsQueue) -> Iterator[Audited]:
    """Verify documents of a lane; continue later if time runs short."""
    for audited in audit_stretch(stretch, chains=chains):
        yield audited
        if not audited.left.is_done and deadline.seconds_left() < deadline.STEP_SECONDS:
            queue.send_stretch(audited.left)
            return
