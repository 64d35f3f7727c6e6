"""
Billing runs, and how far they are.

    pk                                sk                          what
    run#<org>#<run>                   batch#<n>                   accounts that are billed together;
                                                                  whether that is done
                                      failure#<account>           why an account could not be
                                                                  billed
                                      lane#<lane>                 what is billed of a lane and what
                                                                  is left, until all of it is done
                                      run                         the run, and its counters
    runs#<org>                        run#<time>#<run>            an entry for each run, to list
                                                                  them
    external#<org>#billing_run#<id>   external                    the one with that external id

Batches and failures are deleted after 400 days: the run tells enough of itself by then.

A counter moves in the transaction that does what it counts. Lanes count by themselves, so that
their transactions do not meet; with its last batch, a lane's counts are added to the run's. `run`
and lanes sort behind the failures, so that one query answers all of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import batched, chain, islice
from typing import Any

import orjson

from billing import config
from billing.domain.billing_runs import (
    BATCH_ACCOUNTS,
    Batch,
    BillingRun,
    Failure,
    RunStatus,
)
from billing.domain.errors import NotFoundError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.numbering import LANE, LETTERS, MAX_LANES, lane_of_account
from billing.domain.parties import Org
from billing.domain.records import instant, to_instant, to_json
from billing.persistence.accounts import org_key, org_of
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    at_once,
    expiring,
    get_items,
    get_items_of,
    int_of,
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

COUNTERS = ("batches_done", "accounts_done", "invoices_issued")
"""What is counted in a lane, and then in the run."""

_ENTRIES = "runs"

LISTED_AT_ONCE = 2000
"""
Accounts that are listed at once: their batches fit into one transaction, with a batch that is not
full and the counts of each of 26 lanes.
"""

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
        counters = ("batches", "sent", "accounts_total", *COUNTERS)
        attributes: dict[str, Any] = {
            "until": {"S": run.until.isoformat()},
            "created_at": {"S": instant(run.created_at)},
            "lanes": {"N": str(run.lanes)},
            "listed_to": {"S": to_json(run.unlisted)},
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
        return self._all_counted(page), found[limit - 1] if len(found) > limit else None

    def get(self, org_id: str, run_id: str) -> BillingRun:
        """Read a run, with what its lanes have counted so far."""
        pk, sk = run_key(org_id, run_id)
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :lanes AND :run",
            {":pk": {"S": pk}, ":lanes": {"S": joined("lane", "")}, ":run": {"S": sk}},
        )
        found = list(items)
        if not found:
            raise NotFoundError
        *lanes, run = found
        return _counted(to_run(org_id, run_id, run), lanes)

    def get_with_failures(self, org_id: str, run_id: str) -> tuple[BillingRun, list[Failure]]:
        """Read a run, and why some accounts could not be billed; the last thousand of them."""
        pk, sk = run_key(org_id, run_id)
        items = query(
            self._table,
            "pk = :pk AND sk BETWEEN :failures AND :run",
            {":pk": {"S": pk}, ":failures": {"S": joined("failure", "")}, ":run": {"S": sk}},
            ScanIndexForward=False,
            Limit=_FAILURES_SHOWN + MAX_LANES + 1,
        )
        newest = list(islice(items, _FAILURES_SHOWN + MAX_LANES + 1))
        if not newest:
            raise NotFoundError
        run, *others = newest
        lanes = [each for each in others if each["sk"]["S"].startswith(joined("lane", ""))]
        failures = others[len(lanes) :][:_FAILURES_SHOWN]
        return _counted(to_run(org_id, run_id, run), lanes), [
            _to_failure(item) for item in reversed(failures)
        ]

    def _all_counted(self, runs: Sequence[BillingRun]) -> list[BillingRun]:
        """Return runs with what their lanes have counted: those that are being billed."""
        lanes = {
            run.id: [lane_key(run.org_id, run.id, letter) for letter in LETTERS[: run.lanes]]
            for run in runs
            if run.is_listed and run.status is RunStatus.RUNNING
        }
        found: dict[Key, Item] = {}
        for keys in batched(chain.from_iterable(lanes.values()), 100, strict=False):
            found |= get_items_of(self._table, *keys)
        return [
            _counted(run, [found[key] for key in lanes.get(run.id, ()) if key in found])
            for run in runs
        ]

    # ---------------------------------------------------------------- list the accounts

    def list_due(self, run: BillingRun) -> tuple[list[str], dict[str, str | None]]:
        """
        List accounts that have something to bill, of all lanes that are not listed to their end.

        Return also the lanes that are left, each with the place where its listing goes on. An
        account that changes its lane meanwhile, as lanes were added and another run billed it, may
        be left to the next run.
        """
        share = LISTED_AT_ONCE // len(run.unlisted)
        share = max(share - share % BATCH_ACCOUNTS, min(LISTED_AT_ONCE, BATCH_ACCOUNTS))

        def read(lane: tuple[str, str | None]) -> list[Item]:
            letter, position = lane
            options = {"ExclusiveStartKey": orjson.loads(position)} if position else {}
            items = query(
                self._accounts,
                "org = :org AND due_on <= :until",
                {
                    ":org": {"S": lane_of(run.org_id, letter)},
                    ":until": {"S": run.until.isoformat()},
                },
                IndexName="due",
                Limit=share,
                **options,
            )
            return list(islice(items, share))

        lanes = list(run.unlisted.items())
        found = at_once(read, lanes) if len(lanes) > 1 else [read(lanes[0])]
        left: dict[str, str | None] = {
            letter: _position(due[-1])
            for (letter, _), due in zip(lanes, found, strict=True)
            if len(due) == share
        }
        return [item["pk"]["S"].split(SEPARATOR)[2] for due in found for item in due], left

    def add_batches(
        self, run: BillingRun, account_ids: Iterable[str], left: Mapping[str, str | None]
    ) -> None:
        """
        Write listed accounts in batches, each of one lane, all or nothing; `left` is still to list.

        Raise ContentionError where somebody else listed them.
        """
        pk, sk = run_key(run.org_id, run.id)
        lanes: dict[str, list[str]] = {}
        for account_id in account_ids:
            lane = lane_of_account(account_id, run.lanes)
            lanes.setdefault(lane.letter, []).append(account_id)
        batches = [
            some
            for accounts in lanes.values()
            for some in batched(accounts, BATCH_ACCOUNTS, strict=False)
        ]
        writes = [
            update(
                self._table,
                (pk, sk),
                "SET batches = :batches, lanes = :lanes, listed_to = :left, is_listed = :is_listed "
                "ADD accounts_total :more",
                {
                    ":batches": {"N": str(run.batches + len(batches))},
                    ":lanes": {"N": str(run.lanes)},
                    ":left": {"S": to_json(left)},
                    ":is_listed": {"BOOL": not left},
                    ":more": {"N": str(sum(map(len, lanes.values())))},
                },
                expected={"batches": run.batches},
            ),
            *(
                update(
                    self._table,
                    lane_key(run.org_id, run.id, letter),
                    "ADD accounts_left :more",
                    {":more": {"N": str(len(accounts))}},
                )
                for letter, accounts in lanes.items()
            ),
        ]
        for number, some in enumerate(batches, run.batches + 1):
            record = {"accounts": {"S": to_json(some)}, "done": {"N": "0"}}
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
                account_ids=orjson.loads(item["accounts"]["S"]),
                lanes=run.lanes,
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


def lane_key(org_id: str, run_id: str, lane: str) -> Key:
    return joined("run", org_id, run_id), joined("lane", lane)


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
    """Read a run, with what is counted in its own item: lanes of which all is done."""
    listed_to = item.get("listed_to", {}).get("S")
    if "lanes" in item:
        unlisted = orjson.loads(listed_to)
    else:  # of an older release, which knew one lane
        unlisted = {} if item["is_listed"]["BOOL"] else {LANE.letter: listed_to}
    return BillingRun(
        org_id=org_id,
        id=run_id,
        until=date.fromisoformat(item["until"]["S"]),
        created_at=to_instant(item["created_at"]["S"]),
        batches=int(item["batches"]["N"]),
        sent=int(item["sent"]["N"]),
        batches_done=int(item["batches_done"]["N"]),
        unlisted=unlisted,
        is_listed=item["is_listed"]["BOOL"],
        accounts_total=int(item["accounts_total"]["N"]),
        accounts_done=int(item["accounts_done"]["N"]),
        invoices_issued=int(item["invoices_issued"]["N"]),
        lanes=int_of(item, "lanes") or 1,
    )


def _counted(run: BillingRun, lanes: Iterable[Item]) -> BillingRun:
    """Return a run with what its lanes have counted so far."""
    counts = {
        name: getattr(run, name) + sum(int_of(each, name) for each in lanes) for name in COUNTERS
    }
    return replace(run, **counts)


def _to_failure(item: Item) -> Failure:
    account_id = item["sk"]["S"].split(SEPARATOR)[1]
    return Failure(account_id, item["code"]["S"], item["message"]["S"])
