"""
Billing runs, and how far they are.

    pk                                sk                          what
    run#<org>#<run>                   batch#<n>                   accounts that are billed together;
                                                                  whether that is done
                                      failure#<account>           why an account could not be
                                                                  billed
                                      run                         the run, and its counters
    runs#<org>                        run#<time>#<run>            an entry for each run, to list
                                                                  them
    external#<org>#billing_run#<id>   external                    the one with that external id

Batches and failures are deleted after 400 days: the run tells enough of itself by then.

A counter moves in the transaction that does what it counts. `run` sorts behind the failures, so
that one query answers both.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import batched, islice
from typing import Any

from billing import config
from billing.domain.billing_runs import BATCH_ACCOUNTS, Batch, BillingRun, Failure
from billing.domain.errors import NotFoundError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.parties import Org
from billing.domain.records import instant, to_instant, to_json
from billing.persistence.accounts import org_key, org_of
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    expiring,
    get_item,
    get_items,
    get_items_of,
    joined,
    list_after,
    put,
    query,
    transact,
    update,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.lanes import lane_of

KEPT = timedelta(days=400)
"""Batches and failures are kept until a year later, and a month."""

_ENTRIES = "runs"

LISTED_AT_ONCE = 500
"""Accounts that are listed at once: their batches fit into one transaction."""

_SENT_AT_ONCE = 100
_FAILURES_SHOWN = 1000


class BillingRunRepository:
    """The billing runs of all orgs."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._table = config.billing_runs_table()

    # ---------------------------------------------------------------- start and watch

    def get_for_start(
        self, org_id: str, external: ExternalId
    ) -> tuple[Org, IdempotencyRecord | None]:
        """Read the org of a new run, and what has its external id already."""
        org, taken = org_key(org_id), _external_key(org_id, external)
        found = get_items({self._accounts: [org], self._table: [taken]})
        return (
            org_of(found.get((self._accounts, *org))),
            to_idempotency_record(found.get((self._table, *taken))),
        )

    def add(self, run: BillingRun, external: ExternalId | None) -> None:
        """
        Write a new run.

        Raise ContentionError where its id or its external id was taken meanwhile.
        """
        counters = (
            "batches",
            "sent",
            "batches_done",
            "accounts_total",
            "accounts_done",
            "invoices_issued",
        )
        attributes: dict[str, Any] = {
            "until": {"S": run.until.isoformat()},
            "created_at": {"S": instant(run.created_at)},
            "is_listed": {"BOOL": False},
            **{name: {"N": "0"} for name in counters},
        }
        writes = [
            put(self._table, run_key(run.org_id, run.id), attributes),
            put_entry(self._table, run),
        ]
        if external:
            key = _external_key(run.org_id, external)
            writes.append(put_external(self._table, key, run.id, external))
        transact(writes)

    def list_page(
        self, org_id: str, after: str | None, limit: int
    ) -> tuple[list[BillingRun], str | None]:
        """
        List the runs of an org, newest first.

        `after` is where a page before ended; return where this one ends, None at the end of all.
        """
        prefix = joined("run", "")
        items = list_after(self._table, (joined(_ENTRIES, org_id), prefix), after, limit + 1)
        found = [item["sk"]["S"].removeprefix(prefix) for item in items]
        ids = [each.split(SEPARATOR)[1] for each in found[:limit]]
        keys = [run_key(org_id, run_id) for run_id in ids]
        runs = get_items_of(self._table, *keys) if keys else {}
        page = [to_run(org_id, run_id, runs[run_key(org_id, run_id)]) for run_id in ids]
        return page, found[limit - 1] if len(found) > limit else None

    def get(self, org_id: str, run_id: str) -> BillingRun:
        item = get_item(self._table, run_key(org_id, run_id))
        if item is None:
            raise NotFoundError
        return to_run(org_id, run_id, item)

    def get_with_failures(self, org_id: str, run_id: str) -> tuple[BillingRun, list[Failure]]:
        """Read a run, and why some accounts could not be billed; the last thousand of them."""
        pk, sk = run_key(org_id, run_id)
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :failures AND :run",
            {":pk": {"S": pk}, ":failures": {"S": joined("failure", "")}, ":run": {"S": sk}},
            ScanIndexForward=False,
            Limit=_FAILURES_SHOWN + 1,
        )
        newest = list(islice(items, _FAILURES_SHOWN + 1))
        if not newest:
            raise NotFoundError
        run, *failures = newest
        return to_run(org_id, run_id, run), [_to_failure(item) for item in reversed(failures)]

    # ---------------------------------------------------------------- list the accounts

    def list_due(self, run: BillingRun) -> tuple[list[str], str | None]:
        """List accounts that have something to bill, and tell where the listing goes on."""
        options = {"ExclusiveStartKey": json.loads(run.position)} if run.position else {}
        items = query(
            self._accounts,
            "org = :org AND due_on <= :until",
            {":org": {"S": lane_of(run.org_id)}, ":until": {"S": run.until.isoformat()}},
            IndexName="due",
            Limit=LISTED_AT_ONCE,
            **options,
        )
        due = list(islice(items, LISTED_AT_ONCE))
        position = None if len(due) < LISTED_AT_ONCE else _position(due[-1])
        return [item["pk"]["S"].split(SEPARATOR)[2] for item in due], position

    def add_batches(
        self, run: BillingRun, account_ids: Sequence[str], position: str | None
    ) -> None:
        """
        Write listed accounts in batches, all or nothing.

        Raise ContentionError where somebody else listed them.
        """
        pk, sk = run_key(run.org_id, run.id)
        batches = list(batched(account_ids, BATCH_ACCOUNTS, strict=False))
        writes = [
            update(
                self._table,
                (pk, sk),
                "SET batches = :batches, listed_to = :position, is_listed = :is_listed "
                "ADD accounts_total :more",
                {
                    ":batches": {"N": str(run.batches + len(batches))},
                    ":position": {"S": position} if position else {"NULL": True},
                    ":is_listed": {"BOOL": position is None},
                    ":more": {"N": str(len(account_ids))},
                },
                expected={"batches": run.batches},
            ),
        ]
        for number, accounts in enumerate(batches, run.batches + 1):
            record = {"accounts": {"S": to_json(accounts)}, "done": {"N": "0"}}
            record |= expiring(run.created_at + KEPT)
            writes.append(put(self._table, batch_key(run.org_id, run.id, number), record))
        transact(writes)

    def list_unsent(self, run: BillingRun) -> list[Batch]:
        """List the next batches that may be sent, and perhaps were."""
        pk, first = batch_key(run.org_id, run.id, run.sent + 1)
        _, last = batch_key(run.org_id, run.id, min(run.sent + _SENT_AT_ONCE, run.sendable))
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
        )
        return [
            Batch(
                org_id=run.org_id,
                run_id=run.id,
                number=int(item["sk"]["S"].split(SEPARATOR)[1]),
                until=run.until,
                account_ids=json.loads(item["accounts"]["S"]),
            )
            for item in items
        ]

    def mark_sent(self, run: BillingRun, batches: Sequence[Batch]) -> None:
        """Record that the next batches of a run were sent to the queue."""
        sent = {":sent": {"N": str(batches[-1].number)}}
        key = run_key(run.org_id, run.id)
        transact([update(self._table, key, "SET sent = :sent", sent, expected={"sent": run.sent})])


def put_entry(table: str, run: BillingRun) -> dict[str, Any]:
    """List a run within a transaction; twice is once."""
    at = f"{int(run.created_at.timestamp() * 1000):015}"
    return put(table, (joined(_ENTRIES, run.org_id), joined("run", at, run.id)), {}, new=False)


def run_key(org_id: str, run_id: str) -> Key:
    return joined("run", org_id, run_id), "run"


def batch_key(org_id: str, run_id: str, number: int) -> Key:
    return joined("run", org_id, run_id), joined("batch", f"{number:08}")


def put_failure(table: str, batch: Batch, failure: Failure, now: datetime) -> Any:
    """Return the write, for a transaction, of the reason why an account was not billed."""
    key = joined("run", batch.org_id, batch.run_id), joined("failure", failure.account_id)
    said = {"code": {"S": failure.code}, "message": {"S": failure.message}}
    return put(table, key, {**said, **expiring(now + KEPT)}, new=False)


def _external_key(org_id: str, external: ExternalId) -> Key:
    return external_key(org_id, "billing_run", external.value)


def _position(item: Item) -> str:
    return to_json({name: item[name] for name in ("pk", "sk", "org", "due_on")})


def to_run(org_id: str, run_id: str, item: Item) -> BillingRun:
    return BillingRun(
        org_id=org_id,
        id=run_id,
        until=date.fromisoformat(item["until"]["S"]),
        created_at=to_instant(item["created_at"]["S"]),
        batches=int(item["batches"]["N"]),
        sent=int(item["sent"]["N"]),
        batches_done=int(item["batches_done"]["N"]),
        position=item.get("listed_to", {}).get("S"),
        is_listed=item["is_listed"]["BOOL"],
        accounts_total=int(item["accounts_total"]["N"]),
        accounts_done=int(item["accounts_done"]["N"]),
        invoices_issued=int(item["invoices_issued"]["N"]),
    )


def _to_failure(item: Item) -> Failure:
    account_id = item["sk"]["S"].split(SEPARATOR)[1]
    return Failure(account_id, item["code"]["S"], item["message"]["S"])
