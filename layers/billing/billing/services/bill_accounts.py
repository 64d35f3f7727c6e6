"""
Bill the due cycles of some accounts: each is closed, gathered and issued.

Closing a cycle is what decides: every write depends on which cycle is open, so nothing comes into
a closed one any more, and all that did is found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.billing_runs import Batch, Failure
from billing.domain.credit_notes import Creditable
from billing.domain.cycle_invoices import CycleBill, CycleContents, draft_bill
from billing.domain.cycles import BillableAccount, ClosingCycle
from billing.domain.errors import (
    BillingError,
    ContentionError,
    CycleMovedError,
    UpstreamError,
)
from billing.domain.parties import Org

WRITES_AT_ONCE = 96
DOCUMENTS_AT_ONCE = 10
"""What one transaction takes: of 100 writes some are the run's, and 4 MB hold ten documents."""

_WRITES_OF_CYCLE = 5
_WRITES_OF_FAILURE = 1
_WRITES_OF_INVOICE = 4
_WRITES_OF_CREDIT_NOTE = 7
"""At most: with the account's totals, its days and blocks, and the original's settlement."""


class Billing[Book](Protocol):
    def get_batch(
        self, batch: Batch, account_ids: Sequence[str]
    ) -> tuple[Org, list[BillableAccount]] | None: ...

    def close(self, org_id: str, cycles: Iterable[ClosingCycle]) -> None: ...

    def gather(self, org_id: str, cycles: Sequence[ClosingCycle]) -> list[CycleContents]: ...

    def open_book(
        self, org: Org, originals: Mapping[str, Sequence[int]], now: datetime
    ) -> tuple[Book, dict[str, list[Creditable]]]: ...

    def issue(
        self,
        batch: Batch,
        steps: Sequence[tuple[ClosingCycle, CycleBill, bool]],
        book: Book,
        now: datetime,
    ) -> None: ...

    def finish(self, batch: Batch, failures: Iterable[Failure]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Step:
    """What is issued together for a cycle: the last step has its own documents."""

    cycle: ClosingCycle
    contents: CycleContents
    originals: Sequence[int]
    is_last: bool

    @classmethod
    def next(cls, cycle: ClosingCycle, contents: CycleContents) -> "_Step":
        credited = cycle.documents.credit_notes
        left = [each for each in contents.originals if each not in credited]
        together = len(left) + contents.currencies <= DOCUMENTS_AT_ONCE
        originals = left if together else left[:DOCUMENTS_AT_ONCE]
        return cls(cycle, contents, originals, is_last=together or not left)

    @property
    def documents(self) -> int:
        return len(self.originals) + (self.contents.currencies if self.is_last else 0)

    @property
    def writes(self) -> int:
        return (
            _WRITES_OF_CYCLE
            + (_WRITES_OF_FAILURE if self.contents.refunds else 0)
            + _WRITES_OF_CREDIT_NOTE * len(self.originals)
            + _WRITES_OF_INVOICE * self.contents.currencies
        )


def bill_accounts[Book](
    batch: Batch, *, now: datetime, billing: Billing[Book]
) -> dict[str, Exception]:
    """
    Bill all accounts of a batch, and count it in its run; tell which of them failed, and why.

    They are billed together; where one of them is in the way, each by itself, and the run names
    those that fail. Only trouble with AWS is passed on: then the batch comes again, and goes on
    where it was.
    """
    errors: dict[str, Exception] = {}
    try:
        if not _bill(batch, batch.account_ids, now, billing):
            return errors
    except UpstreamError:
        raise
    except Exception:
        for account_id in batch.account_ids:
            try:
                _bill(batch, [account_id], now, billing)
            except UpstreamError:
                raise
            except Exception as error:
                errors[account_id] = error
    billing.finish(batch, [_failure(*each) for each in errors.items()])
    return errors


def _bill[Book](
    batch: Batch, account_ids: Sequence[str], now: datetime, billing: Billing[Book]
) -> bool:
    """Bill all due cycles of some accounts; tell whether the batch is still to be counted."""
    attempts = deadline.attempts()
    next(attempts)
    while found := billing.get_batch(batch, account_ids):
        org, accounts = found
        due = [each for each in accounts if each.due_on <= batch.until]
        if not due:
            return True
        try:
            is_all = _bill_next_cycles(batch, org, due, now, billing)
        except ContentionError:
            next(attempts)
            continue
        if is_all:
            return True
    return False


def _bill_next_cycles[Book](
    batch: Batch,
    org: Org,
    due: Sequence[BillableAccount],
    now: datetime,
    billing: Billing[Book],
) -> bool:
    """Bill one cycle of each account; tell whether that was all that is due."""
    still_open = [each.close() for each in due if each.closing is None]
    if still_open:
        billing.close(org.id, still_open)
    cycles = [each.closing for each in due if each.closing] + still_open
    contents = billing.gather(org.id, cycles)
    steps = [_Step.next(*each) for each in zip(cycles, contents, strict=True)]
    for pack in _packs(steps):
        _issue(batch, org, pack, now, billing)
    return all(each.is_last and each.cycle.following.ends_on > batch.until for each in steps)


def _issue[Book](
    batch: Batch, org: Org, steps: Sequence[_Step], now: datetime, billing: Billing[Book]
) -> None:
    """Issue the documents of some cycles together, however often numbers are taken meanwhile."""
    originals = {each.cycle.account.id: each.originals for each in steps}
    for _ in deadline.attempts():
        book, creditable = billing.open_book(org, originals, now)
        bills = [
            (
                each.cycle,
                draft_bill(
                    org,
                    each.cycle,
                    each.contents,
                    creditable[each.cycle.account.id],
                    is_last=each.is_last,
                ),
                each.is_last,
            )
            for each in steps
        ]
        try:
            billing.issue(batch, bills, book, now)
        except CycleMovedError:
            raise
        except ContentionError:
            continue
        return
    raise ContentionError


def _packs(steps: Iterable[_Step]) -> Iterator[list[_Step]]:
    """Divide what is to be issued so that each part fits into one transaction."""
    pack: list[_Step] = []
    for step in steps:
        more = [*pack, step]
        writes = sum(each.writes for each in more)
        documents = sum(each.documents for each in more)
        if pack and (writes > WRITES_AT_ONCE or documents > DOCUMENTS_AT_ONCE):
            yield pack
            more = [step]
        pack = more
    if pack:
        yield pack


def _failure(account_id: str, error: Exception) -> Failure:
    if isinstance(error, BillingError):
        return Failure(account_id, error.code, error.message)
    return Failure(account_id, BillingError.code, "Something went wrong on our side.")
