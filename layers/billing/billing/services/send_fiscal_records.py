"""Send fiscal records to the tax agency: in the order of their chain, until each has an answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from billing import deadline
from billing.domain.errors import ContentionError, UpstreamError
from billing.domain.fiscal_answers import Answer, RecordAnswer, StoredRecord
from billing.domain.fiscal_sending import AT_ONCE, Sending
from billing.domain.verifactu import FiscalEnd, FiscalRecord, KeptRecord, Verdict

MESSAGE_SECONDS = 150.0
"""What a message may take, its answer and the writing of it included: none begins with less."""
UNSENT_FOR = timedelta(hours=1)
"""Records that wait longer are told to the operator."""


class Senders(Protocol):
    def get(self, org_id: str) -> Sending: ...

    def replace(self, org_id: str, before: Sending, after: Sending) -> None: ...

    def list_unsent(self, after: str | None) -> Iterable[str]: ...

    def all_sent(self, org_id: str, position: int) -> None: ...


class Records(Protocol):
    def end(self, org_id: str) -> FiscalEnd: ...

    def pending(self, org_id: str, limit: int) -> list[KeptRecord]: ...

    def answered(self, answers: Sequence[tuple[KeptRecord, Verdict]]) -> None: ...


class Agency(Protocol):
    def submit(self, records: Sequence[FiscalRecord], *, late: bool) -> Answer: ...

    def find(self, records: Sequence[FiscalRecord]) -> Iterable[StoredRecord]: ...


class Queue(Protocol):
    def send_orgs(self, after: str) -> None: ...

    def send_org(self, org_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a message: the verdicts, and the reason why there are not more."""

    records: Sequence[KeptRecord]
    late: bool
    verdicts: Sequence[tuple[KeptRecord, Verdict]] = ()
    reason: str | None = None

    def is_overdue(self, now: datetime) -> bool:
        """Return whether records wait for so long that the operator has to know."""
        oldest = datetime.fromisoformat(self.records[0].record.generated_at)
        return self.reason is not None and now - oldest > UNSENT_FOR


def start_senders(after: str, *, senders: Senders, queue: Queue) -> None:
    """Queue each further org that has unsent records; continue later if time runs short."""
    for org_id in senders.list_unsent(after or None):
        if deadline.seconds_left() < deadline.STEP_SECONDS:
            queue.send_orgs(after)
            return
        queue.send_org(org_id)
        after = org_id


def send_fiscal_records(
    org_id: str,
    *,
    clock: Callable[[], datetime],
    senders: Senders,
    records: Records,
    agency: Callable[[], Agency],
) -> Iterator[Sent]:
    """
    Send what is pending of an org, as long as it is time to, and yield what came of each message.

    Only one sender at a time sends for an org. What was sent and not answered is sent again: the
    agency names what it has already, and is then asked whether that is the very record.
    """
    while deadline.seconds_left() > MESSAGE_SECONDS:
        now, sending, end = clock(), senders.get(org_id), records.end(org_id).position
        if sending.answered_through >= end:
            senders.all_sent(org_id, end)
            return
        if not sending.may_begin(end, now):
            return
        pending = records.pending(org_id, AT_ONCE)
        if not pending and sending.is_given_up(end):
            with suppress(ContentionError):  # another sender was faster
                senders.replace(org_id, sending, sending.all_answered())
            continue
        batch = sending.batch(pending, now)
        if not batch:
            return
        begun = sending.begun(batch, now)
        try:
            senders.replace(org_id, sending, begun)
        except ContentionError:
            return  # another sender was faster
        late = any(sending.is_late(each.record, now) for each in batch)
        tried = sending.tried_through
        yield _send(org_id, batch, begun, tried, late, clock, senders, records, agency)


def _send(
    org_id: str,
    batch: Sequence[KeptRecord],
    sending: Sending,
    tried: int,
    late: bool,
    clock: Callable[[], datetime],
    senders: Senders,
    records: Records,
    agency: Callable[[], Agency],
) -> Sent:
    """
    Send one message, and write what was answered, before the next sender may begin.

    """
    verdicts: list[tuple[KeptRecord, Verdict]] = []

    def failed(error: UpstreamError) -> Sent:
        senders.replace(org_id, sending, sending.failed(error.message, clock()))
        return Sent(batch, late, verdicts, reason=error.message)

    try:
        service = agency()
        answer = service.submit([each.record for each in batch], late=late)
    except UpstreamError as error:
        return failed(error)
    said = _by_record(batch, answer)
    at = clock()
    verdicts += [(each, it.verdict(answer.csv, at)) for each, it in said if not it.is_duplicate]
    records.answered(verdicts)
    if again := [(each, it) for each, it in said if it.is_duplicate]:
        try:
            found = {
                (each.number, each.issued_on): each
                for each in service.find([each.record for each, _ in again])
            }
        except UpstreamError as error:
            return failed(error)
        resolved = [
            (each, _as_kept(each.record, it, found.get((it.number, it.issued_on)), tried))
            for each, it in again
        ]
        adopted = [(each, it.verdict(None, at)) for each, it in resolved]
        records.answered(adopted)
        verdicts += adopted
    is_complete = len(verdicts) == len(batch)
    after = sending.answered(answer.wait, clock(), is_complete=is_complete)
    senders.replace(org_id, sending, after)
    return Sent(batch, late, verdicts)


def _as_kept(
    record: FiscalRecord, said: RecordAnswer, kept: StoredRecord | None, tried: int
) -> RecordAnswer:
    """
    Return what became of a record of whose document the agency has one already.

    It is ours if it has the same huella: an answer was lost, and the record has the state that the
    agency keeps. Otherwise somebody else has sent a document of that number. Where the agency finds
    none, its word stands, if ours was sent before, up to the position `tried`.
    """
    if kept:
        return kept.answer if kept.huella == record.huella else said
    return said.kept if said.kept and record.position <= tried else said


def _by_record(
    batch: Sequence[KeptRecord], answer: Answer
) -> list[tuple[KeptRecord, RecordAnswer]]:
    """Return each record with the answer about its document; one without an answer is left out."""
    said = {(each.number, each.issued_on): each for each in answer.records}
    documents = [each.record.declaration for each in batch]
    keys = [(each.number, each.issue_date) for each in documents]
    return [(each, said[key]) for each, key in zip(batch, keys, strict=True) if key in said]
