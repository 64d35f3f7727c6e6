"""
Billing runs over all tables: cycles are closed, gathered and issued.

Each step is one transaction for several accounts, and stands under the condition that nobody else
did it. So steps can be repeated from any point, with the same result.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from itertools import batched
from typing import Any

from billing import config
from billing.domain.billing_runs import MAX_CREDIT_NOTES, MAX_DOCUMENTS, Batch, Failure
from billing.domain.cycle_invoices import CycleContents, Step
from billing.domain.cycles import BillableAccount, ClosingCycle, CycleDocuments
from billing.domain.errors import CycleMovedError
from billing.domain.invoices import InvoiceKey
from billing.domain.issuing import AccountEnd, Journal, OpenJournal
from billing.domain.parties import Org
from billing.persistence.accounts import (
    account_key,
    account_of,
    check_account,
    org_key,
    org_of,
    version_of,
)
from billing.persistence.adjustments import to_adjustment
from billing.persistence.billing_runs import (
    COUNTERS,
    batch_key,
    lane_key,
    put_failure,
    run_key,
)
from billing.persistence.consumptions import to_total
from billing.persistence.cycles import (
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
    Key,
    at_once,
    delete,
    get_items,
    get_items_of,
    int_of,
    transact,
    update,
)
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.issuing import (
    MAX_WRITES,
    WRITES_OF_ACCOUNT,
    WRITES_OF_CREDIT_NOTE,
    WRITES_OF_INVOICE,
    WRITES_OF_JOURNAL,
    IssuingRepository,
    transact_documents,
)
from billing.persistence.movements import to_movement
from billing.persistence.org_time import org_time
from billing.persistence.refunds import to_refund

_MAX_WRITES = MAX_WRITES - WRITES_OF_JOURNAL - 1
"""Besides the journal's, one write counts the documents in the lane of the run."""
_WRITES_OF_CYCLE = 2
"""The open cycle and the closed one."""


class BillingRepository:
    """The cycles of all accounts, and what they are billed by."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._movements = config.movements_table()
        self._runs = config.billing_runs_table()
        self._issuing = IssuingRepository()
        self.find_rate = cache(ExchangeRateRepository().find)
        """Finds an exchange rate, and reads it once for all accounts that this one bills."""
        self._account_ends: dict[str, AccountEnd] = {}
        """The last documents of accounts that were read ahead."""
        self._written: Journal | None = None
        """The journal that this one has written last."""

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
            to_billable_account(account_of(item), version_of(item), found[self._accounts, *cycle])
            for profile, cycle in keys.values()
            for item in [found.get((self._accounts, *profile))]
        ]

    def get_billable(self, org_id: str, account_id: str) -> tuple[Org, BillableAccount | None]:
        """
        Read an account to be billed, and who bills; None where nothing was ever charged to it.

        Raise NotFoundError where the org or the account has no profile.
        """
        org, profile = org_key(org_id), account_key(org_id, account_id)
        cycle = open_cycle_key(org_id, account_id)
        found = get_items({self._accounts: [org, profile, cycle]})
        item, opened = (found.get((self._accounts, *key)) for key in (profile, cycle))
        account = account_of(item)
        billable = to_billable_account(account, version_of(item), opened) if opened else None
        return org_of(found.get((self._accounts, *org))), billable

    def close(self, org_id: str, accounts: Iterable[BillableAccount]) -> None:
        """
        Close the open cycles of some accounts, all or none.

        Raise ContentionError where one of them is not open any more, or where a profile, which
        says when the next cycle ends, has changed.
        """
        table = self._accounts
        transact(
            [
                write
                for each in accounts
                for write in (
                    *close_cycle(table, org_id, each.close()),
                    check_account(table, org_id, each.account.id, each.version),
                )
            ]
        )

    def gather(self, org_id: str, cycles: Sequence[ClosingCycle]) -> list[CycleContents]:
        """Read all that fell into some closed cycles, in their order."""
        return at_once(lambda each: self._contents(org_id, each), cycles)

    def _contents(self, org_id: str, closing: ClosingCycle) -> CycleContents:
        members: dict[str, list[Item]] = {
            kind: [] for kind in ("movement", "refund", "total", "adjustment")
        }
        for item in list_members(self._movements, org_id, closing.account.id, closing.ends_on):
            members[item["sk"]["S"].split(SEPARATOR)[0]].append(item)
        return CycleContents(
            movements=list(map(to_movement, members["movement"])),
            usage=list(map(to_total, members["total"])),
            refunds=list(map(to_refund, members["refund"])),
            adjustments=list(map(to_adjustment, members["adjustment"])),
        )

    def read_ahead(self, org_id: str, cycles: Sequence[ClosingCycle]) -> None:
        """Read the last documents of the accounts of some cycles, to be issued soon."""
        accounts = [each.account.id for each in cycles]
        self._account_ends |= self._issuing.read_accounts(org_id, accounts)

    def org_time(self, org: Org, now: datetime) -> datetime:
        """Return the current time of an org; only a sandbox costs a read."""
        return org_time(org.id, now, is_sandbox=org.sandbox)

    def packs(self, steps: Iterable[Step]) -> Iterator[list[Step]]:
        """Divide what is to be issued so that each part fits into one transaction."""
        pack: list[Step] = []
        for step in steps:
            more = [*pack, step]
            if pack and not _fit(more):
                yield pack
                more = [step]
            pack = more
        if pack:
            yield pack

    def open_journal(
        self, batch: Batch, org: Org, steps: Sequence[Step], now: datetime
    ) -> OpenJournal:
        """
        Return what the documents of some cycles follow, and the invoices that they credit.

        What was read ahead, and written last, need not be read again: should anybody have issued
        meanwhile, the transaction fails, and the next try reads all of it.
        """
        originals = [
            InvoiceKey(org.id, step.cycle.account.id, ordinal)
            for step in steps
            for ordinal in step.originals
        ]
        accounts = [step.cycle.account.id for step in steps]
        known = self._following(org, accounts, now)
        if known and not originals:
            return OpenJournal(known, {}, None)
        return self._issuing.open(org, accounts, now, originals, lanes=batch.lanes)

    def write(
        self, batch: Batch, billed: Sequence[tuple[Step, CycleDocuments]], journal: Journal
    ) -> None:
        """
        Write the documents of some cycles and count them in its lane of the run, all or nothing.

        Raise CycleMovedError where one of the cycles was billed meanwhile, and ContentionError
        where a number was taken, or something has happened to an invoice that is credited.
        """
        cycles: list[Any] = []
        conditions: set[int] = set()
        for step, documents in billed:
            conditions.add(len(cycles))
            cycles += bill_cycle(
                self._accounts,
                batch.org_id,
                step.cycle,
                documents,
                journal.lane,
                is_all=step.is_last,
            )
        writes = [*cycles, *self._issuing.writes(journal)]
        if count := len(journal.issued):
            more = {":more": {"N": str(count)}}
            lane = self._lane_key(batch)
            writes.append(update(self._runs, lane, "ADD invoices_issued :more", more))
        try:
            transact_documents(writes)
            self._written = journal
        except ConditionFailedError as error:
            moved = [item for place, item in error.failed.items() if place in conditions]
            if moved:
                raise CycleMovedError(date.fromisoformat(moved[0]["ends_on"]["S"])) from error
            raise

    def _following(self, org: Org, account_ids: Sequence[str], now: datetime) -> Journal | None:
        """
        Return the journal that follows the last one, as far as it is known without reading, once.

        A second try reads all of it. What is declared of a sandbox depends on its clock, which is
        read with the rest.
        """
        written = self._written
        accounts = {each: self._account_ends.pop(each, None) for each in account_ids}
        known = {name: end for name, end in accounts.items() if end}
        if written is None or len(known) < len(accounts):
            return None
        if written.org.fiscal_regime is not org.fiscal_regime or (org.is_declared and org.sandbox):
            return None
        ends = replace(written.ends, series=dict(written.ends.series), accounts=known)
        return Journal(org, written.lane, now, ends, written.fiscal)

    def finish(self, batch: Batch, failures: Iterable[Failure], now: datetime) -> None:
        """
        Count a batch in its lane of the run, once, and name those of its accounts that failed.

        With the last accounts of a lane, all that it counted becomes the run's. Raise
        ContentionError where another batch of the lane was counted meanwhile.
        """
        lane = self._lane_key(batch)
        counted = get_items_of(self._runs, lane).get(lane, {})
        counts = {name: int_of(counted, name) for name in COUNTERS}
        counts["batches_done"] += 1
        counts["accounts_done"] += len(batch.account_ids)
        left = int_of(counted, "accounts_left") - len(batch.account_ids)
        done = update(
            self._runs,
            batch_key(batch.org_id, batch.run_id, batch.number),
            "SET done = :done",
            {":done": {"N": "1"}},
            expected={"done": 0},
        )
        named = [put_failure(self._runs, batch, failure, now) for failure in failures]
        unchanged = {
            name: int(counted[name]["N"]) if name in counted else None
            for name in ("accounts_left", *COUNTERS)
        }
        values = {f":{name}": {"N": str(count)} for name, count in counts.items()}
        if left > 0:
            changes = ", ".join(f"{name} = :{name}" for name in ("accounts_left", *counts))
            values[":accounts_left"] = {"N": str(left)}
            count = [update(self._runs, lane, f"SET {changes}", values, expected=unchanged)]
        else:
            changes = ", ".join(f"{name} :{name}" for name in counts)
            run = run_key(batch.org_id, batch.run_id)
            count = [
                delete(self._runs, lane, expected=unchanged),
                update(self._runs, run, f"ADD {changes}", values),
            ]
        room = MAX_WRITES - len([done, *count])
        for more in batched(named[room:], MAX_WRITES, strict=False):
            transact(list(more))  # twice is once
        try:
            transact([done, *count, *named[:room]])
        except ConditionFailedError as error:
            if 0 not in error.failed:
                raise
            # it was counted before

    def _lane_key(self, batch: Batch) -> Key:
        return lane_key(batch.org_id, batch.run_id, batch.lane.letter)


def _fit(steps: Sequence[Step]) -> bool:
    """Return whether some steps fit into one transaction: its writes, and its 4 MB."""
    notes = sum(len(each.originals) for each in steps)
    documents = notes + sum(len(each.parts) for each in steps)
    return (
        sum(map(_writes, steps)) <= _MAX_WRITES
        and documents <= MAX_DOCUMENTS
        and notes <= MAX_CREDIT_NOTES
    )


def _writes(step: Step) -> int:
    """Return how many writes a step takes, at most."""
    return (
        _WRITES_OF_CYCLE
        + WRITES_OF_ACCOUNT
        + WRITES_OF_CREDIT_NOTE * len(step.originals)
        + WRITES_OF_INVOICE * len(step.parts)
    )
