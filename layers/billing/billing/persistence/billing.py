"""
What a billing run reads and writes, over all tables: cycles are closed, gathered and issued.

Each step is one transaction for several accounts, and stands under the condition that nobody else
did it. So steps can be repeated from any point, with the same result.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from billing import config
from billing.domain.billing_runs import Batch, Failure
from billing.domain.credit_notes import Creditable
from billing.domain.cycle_invoices import CycleBill, CycleContents
from billing.domain.cycles import BillableAccount, ClosingCycle, CycleDocuments
from billing.domain.errors import ContentionError, CycleMovedError
from billing.domain.invoices import InvoiceKey, InvoiceKind, series_in
from billing.domain.parties import Org
from billing.persistence.accounts import account_key, account_of, org_key, org_of
from billing.persistence.billing_runs import batch_key, put_failure, run_key
from billing.persistence.consumptions import to_total
from billing.persistence.cycles import (
    CycleRepository,
    bill_cycle,
    close_cycle,
    list_members,
    open_cycle_key,
    to_billable_account,
)
from billing.persistence.dynamodb import (
    SEPARATOR,
    ConditionFailedError,
    Item,
    at_once,
    get_items,
    transact,
    update,
)
from billing.persistence.invoices import Book, InvoiceRepository
from billing.persistence.movements import to_movement
from billing.persistence.refunds import to_refund

_UNCREDITED = "REFUND_EXCEEDS_INVOICE"

type Step = tuple[ClosingCycle, CycleBill, bool]
"""What is issued together for a cycle, and whether it is the last there is to issue."""


class BillingRepository:
    """The cycles of all accounts, and what they are billed by."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._movements = config.movements_table()
        self._runs = config.billing_runs_table()
        self._cycles = CycleRepository()
        self._invoices = InvoiceRepository()

    def get_batch(
        self, batch: Batch, account_ids: Sequence[str]
    ) -> tuple[Org, list[BillableAccount]] | None:
        """Read who bills and some of the accounts to be billed; None where the batch is done."""
        org_id = batch.org_id
        org, row = org_key(org_id), batch_key(org_id, batch.run_id, batch.number)
        keys = {
            each: (account_key(org_id, each), open_cycle_key(org_id, each)) for each in account_ids
        }
        found = get_items(
            {
                self._accounts: [org, *(key for pair in keys.values() for key in pair)],
                self._runs: [row],
            }
        )
        if found[self._runs, *row]["done"]["N"] == "1":
            return None
        return org_of(found.get((self._accounts, *org))), [
            to_billable_account(
                account_of(found.get((self._accounts, *profile))), found[self._accounts, *cycle]
            )
            for profile, cycle in keys.values()
        ]

    def close(self, org_id: str, cycles: Iterable[ClosingCycle]) -> None:
        """
        Close the open cycles of some accounts, all or none.

        Raises ContentionError where one of them is not open any more.
        """
        writes = [write for each in cycles for write in close_cycle(self._accounts, org_id, each)]
        try:
            transact(writes)
        except ConditionFailedError as error:
            raise ContentionError from error

    def gather(self, org_id: str, cycles: Sequence[ClosingCycle]) -> list[CycleContents]:
        """Read all that fell into some closed cycles, in their order."""
        return at_once(lambda each: self._contents(org_id, each), cycles)

    def _contents(self, org_id: str, closing: ClosingCycle) -> CycleContents:
        cycle = org_id, closing.account.id, closing.ends_on
        members: dict[str, list[Item]] = {"movement": [], "refund": [], "total": []}
        for item in list_members(self._movements, *cycle):
            members[item["sk"]["S"].split(SEPARATOR)[0]].append(item)
        refunds = list(map(to_refund, members["refund"]))
        earlier = {each.movement_cycle for each in refunds} - {closing.ends_on}
        closed = self._cycles.find_closed(org_id, closing.account.id, earlier)
        return CycleContents(
            movements=list(map(to_movement, members["movement"])),
            usage=list(map(to_total, members["total"])),
            refunds=refunds,
            invoiced={
                each.key.id: original
                for each in refunds
                if each.movement_cycle in closed
                and (original := closed[each.movement_cycle].creditable_in(each.currency))
            },
        )

    def open_book(
        self, org: Org, originals: Mapping[str, Sequence[int]], now: datetime
    ) -> tuple[Book, dict[str, list[Creditable]]]:
        """Read what documents of some accounts follow, and the invoices that they credit."""
        keys = {
            account_id: [InvoiceKey(org.id, account_id, ordinal) for ordinal in ordinals]
            for account_id, ordinals in originals.items()
        }
        series = [series_in(org, kind, now) for kind in InvoiceKind]
        every = [key for some in keys.values() for key in some]
        book, creditable = self._invoices.open_book(org.id, keys, series, every)
        return book, {
            account_id: [creditable[key] for key in some] for account_id, some in keys.items()
        }

    def issue(self, batch: Batch, steps: Sequence[Step], book: Book, now: datetime) -> None:
        """
        Issue the documents of some cycles and count them in the run, all or nothing.

        Raises CycleMovedError where somebody else billed one of the cycles, and ContentionError
        where a number was taken meanwhile, or something has happened to an invoice that is
        credited.
        """
        cycles: list[Any] = []
        conditions: set[int] = set()
        failures: list[Any] = []
        for cycle, bill, is_last in steps:
            documents = self._issue(cycle, bill, book, now)
            conditions.add(len(cycles))
            cycles += bill_cycle(self._accounts, batch.org_id, cycle, documents, is_all=is_last)
            if bill.uncredited:
                failure = Failure(cycle.account.id, _UNCREDITED, " ".join(bill.uncredited))
                failures.append(put_failure(self._runs, batch, failure, cycle.ends_on))
        writes = [*cycles, *failures, *book.writes()]
        if count := sum(bill.documents for _, bill, _ in steps):
            writes.append(self._count(batch, "invoices_issued", count))
        try:
            transact(writes)
        except ConditionFailedError as error:
            moved = [item for place, item in error.failed.items() if place in conditions]
            if moved:
                raise CycleMovedError(date.fromisoformat(moved[0]["ends_on"]["S"])) from error
            raise ContentionError from error

    def _issue(
        self, cycle: ClosingCycle, bill: CycleBill, book: Book, now: datetime
    ) -> CycleDocuments:
        """
        Enter documents of a cycle into the book; tell which ones it has by then.

        Where nothing could be credited of an invoice, there is no document but the invoice.
        """
        before = cycle.documents
        credit_notes = {**before.credit_notes, **{each: each for each in bill.credited}}
        for note in bill.credit_notes:
            credit_notes[note.original.invoice.key.ordinal] = book.credit(note, now).key.ordinal
        return CycleDocuments(
            invoices=dict(before.invoices)
            | {draft.currency: book.issue(draft, now).key.ordinal for draft in bill.invoices},
            credit_notes=credit_notes,
            below_zero=before.below_zero
            | {each.currency for each in bill.invoices if each.kind is InvoiceKind.CREDIT_NOTE},
        )

    def finish(self, batch: Batch, failures: Iterable[Failure]) -> None:
        """Count a batch in its run, once, and name those of its accounts that failed."""
        done = update(
            self._runs,
            batch_key(batch.org_id, batch.run_id, batch.number),
            "SET done = :done",
            {":done": {"N": "1"}},
            expected={"done": 0},
        )
        named = [put_failure(self._runs, batch, failure) for failure in failures]
        count = self._count(batch, "accounts_done", len(batch.account_ids))
        try:
            transact([done, *named, count])
        except ConditionFailedError:
            return  # it was counted before

    def _count(self, batch: Batch, what: str, more: int) -> Any:
        key = run_key(batch.org_id, batch.run_id)
        return update(self._runs, key, f"ADD {what} :more", {":more": {"N": str(more)}})
