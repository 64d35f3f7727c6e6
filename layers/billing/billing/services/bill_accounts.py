"""
Bill the due cycles of some accounts: each is closed, gathered and issued.

Closing a cycle is what decides: every write depends on which cycle is open, so nothing comes into
a closed one any more, and all that did is found.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import batched, chain, repeat
from typing import Protocol

from billing import deadline
from billing.ahead import prepared
from billing.domain.billing_runs import ACCOUNTS_TOGETHER, Batch, Failure, is_due
from billing.domain.credit_notes import CreditNote
from billing.domain.cycle_invoices import CycleContents, Step, draft_bill, next_step
from billing.domain.cycles import BillableAccount, ClosingCycle, CycleDocuments
from billing.domain.errors import (
    BillingError,
    ContentionError,
    CycleMovedError,
    SellerChangedError,
    UpstreamError,
)
from billing.domain.exchange_rates import FindRate
from billing.domain.invoices import InvoiceKey
from billing.domain.issuing import Journal, OpenJournal, RegimeChangedError
from billing.domain.parties import Org
from billing.services.convert_tax import with_national_tax

_MOVED = (ContentionError, CycleMovedError, SellerChangedError, RegimeChangedError)
"""What was read is out of date, in one way or another: it is read again."""


class Billing(Protocol):
    def get_batch(
        self, batch: Batch, account_ids: Sequence[str]
    ) -> tuple[Org, list[BillableAccount]] | None: ...

    def org_time(self, org: Org, now: datetime) -> datetime: ...

    def close(self, org_id: str, accounts: Iterable[BillableAccount]) -> None: ...

    def gather(self, org_id: str, cycles: Sequence[ClosingCycle]) -> list[CycleContents]: ...

    def read_ahead(self, org_id: str, cycles: Sequence[ClosingCycle]) -> None: ...

    def packs(self, steps: Iterable[Step]) -> Iterator[Sequence[Step]]: ...

    def open_journal(
        self, batch: Batch, org: Org, steps: Sequence[Step], now: datetime
    ) -> OpenJournal: ...

    @property
    def find_rate(self) -> FindRate: ...

    def write(
        self, batch: Batch, billed: Sequence[tuple[Step, CycleDocuments]], journal: Journal
    ) -> None: ...

    def finish(self, batch: Batch, failures: Iterable[Failure], now: datetime) -> None: ...


class RunsQueue(Protocol):
    def send_run(self, org_id: str, run_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Gathered:
    """Closed cycles of some accounts with all that fell into them, and who bills them, when."""

    org: Org
    now: datetime
    cycles: Sequence[ClosingCycle]
    contents: Sequence[CycleContents]


def bill_accounts(
    batch: Batch, *, now: datetime, billing: Billing, queue: RunsQueue
) -> Mapping[str, Exception]:
    """
    Bill all accounts of a batch, and count it in its run; return the errors of those that failed.

    Every 50th batch asks for the next part of its run to be sent. A repeated batch asks again, as
    the first try may have stopped before.
    """
    errors = _bill_and_count(batch, now, billing)
    if batch.feeds:
        queue.send_run(batch.org_id, batch.run_id)
    return errors


def _bill_and_count(batch: Batch, now: datetime, billing: Billing) -> Mapping[str, Exception]:
    """
    Bill all accounts of a batch, unless that is done, and count it.

    Ten of them are billed together; while their documents are issued, which only one function at a
    time can do in a lane, the next are closed and gathered. Where one of the ten fails, each is
    billed by itself, and the run names those that fail. Only trouble with AWS is passed on: then
    the batch comes again, and goes on where it was.
    """
    errors: dict[str, Exception] = {}
    parts = list(batched(batch.account_ids, ACCOUNTS_TOGETHER, strict=False))
    with prepared(lambda ids: _gather(batch, ids, now, billing), parts) as gathered:
        for account_ids, begin in gathered:
            try:
                if not _bill(batch, account_ids, begin, now, billing):
                    return errors
            except UpstreamError:
                raise
            except Exception:
                errors |= _bill_each(batch, account_ids, now, billing)
    failures = [_failure(*each) for each in errors.items()]
    deadline.retry(lambda: billing.finish(batch, failures, now))
    return errors


def _bill_each(
    batch: Batch, account_ids: Sequence[str], now: datetime, billing: Billing
) -> dict[str, Exception]:
    """Bill some accounts one by one; return the errors of those that fail."""
    errors: dict[str, Exception] = {}
    for account_id in account_ids:
        try:
            begin = partial(_gather, batch, [account_id], now, billing)
            _bill(batch, [account_id], begin, now, billing)
        except UpstreamError:
            raise
        except Exception as error:
            errors[account_id] = error
    return errors


def _bill(
    batch: Batch,
    account_ids: Sequence[str],
    begin: Callable[[], _Gathered | None],
    now: datetime,
    billing: Billing,
) -> bool:
    """
    Bill all due cycles of some accounts; return whether the batch is still to be counted.

    What `begin` returns was gathered before; whatever is due after that is gathered anew.
    """
    again = partial(_gather, batch, account_ids, now, billing)
    sources: Iterator[Callable[[], _Gathered | None]] = chain([begin], repeat(again))

    def bill_next() -> bool | None:
        gathered = next(sources)()
        if gathered is None:
            return False
        return not gathered.cycles or _bill_next_cycles(batch, gathered, billing) or None

    while True:
        done = deadline.retry(bill_next, on=_MOVED)
        if done is not None:
            return done


def _gather(
    batch: Batch, account_ids: Sequence[str], now: datetime, billing: Billing
) -> _Gathered | None:
    """
    Close one due cycle of each of some accounts, and gather what is in it.

    Return None where the batch is done.
    """

    def gather() -> _Gathered | None:
        found = billing.get_batch(batch, account_ids)
        if found is None:
            return None
        org, accounts = found
        today = billing.org_time(org, now)
        due = [
            each
            for each in accounts
            if each.due_on <= batch.until
            and (each.closing or is_due(each.open, batch.until, today))
        ]
        if still_open := [each for each in due if each.closing is None]:
            billing.close(org.id, still_open)
        cycles = [each.closing or each.close() for each in due]
        contents = billing.gather(org.id, cycles) if cycles else []
        if cycles and len(batch.account_ids) > ACCOUNTS_TOGETHER:
            billing.read_ahead(org.id, cycles)
        return _Gathered(org, today, cycles, contents)

    return deadline.retry(gather)


def _bill_next_cycles(batch: Batch, gathered: _Gathered, billing: Billing) -> bool:
    """Issue what some cycles are billed by; return whether that was all that is due."""
    org, now, cycles = gathered.org, gathered.now, gathered.cycles
    left = list(zip(cycles, gathered.contents, strict=True))
    while left:
        steps = [next_step(org, *each) for each in left]
        left = []
        for pack in billing.packs(steps):
            for step, documents in _issue(batch, org, pack, now, billing):
                if not step.is_last:
                    left.append((replace(step.cycle, documents=documents), step.contents))
    return not any(is_due(each.following, batch.until, now) for each in cycles)


def _issue(
    batch: Batch, org: Org, steps: Sequence[Step], now: datetime, billing: Billing
) -> Sequence[tuple[Step, CycleDocuments]]:
    """Issue the documents of some steps together; return what each cycle has by then."""

    def issue() -> Sequence[tuple[Step, CycleDocuments]]:
        opened = billing.open_journal(batch, org, steps, now)
        journal = opened.journal
        billed = []
        for step in steps:
            keys = [InvoiceKey(org.id, step.cycle.account.id, each) for each in step.originals]
            bill = draft_bill(org, step, [opened.originals[key] for key in keys])
            credits_ = [_with_rate(note, now, billing.find_rate) for note in bill.credit_notes]
            notes = [journal.credit(note).key.ordinal for note in credits_]
            drafts = [with_national_tax(each, now, billing.find_rate) for each in bill.invoices]
            invoices = [journal.issue(draft).key.ordinal for draft in drafts]
            billed.append((step, bill.documents(notes, invoices)))
        billing.write(batch, billed, journal)
        return billed

    return deadline.retry(issue)


def _with_rate(note: CreditNote, now: datetime, find_rate: FindRate) -> CreditNote:
    """Return a credit note that is declared with a rate, which its original may not have."""
    if not note.draft.seller.is_declared:
        return note
    return replace(note, draft=with_national_tax(note.draft, now, find_rate))


def _failure(account_id: str, error: Exception) -> Failure:
    if isinstance(error, BillingError):
        return Failure(account_id, error.code, error.message)
    return Failure(account_id, BillingError.code, "Something went wrong on our side.")
