"""Run billing: start a run, and list its accounts in batches that are billed one by one."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.billing_runs import Batch, BillingRun, run_until
from billing.domain.errors import ContentionError
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.parties import Org


class NewRuns(Protocol):
    def get_for_start(
        self, org_id: str, external: ExternalId
    ) -> tuple[Org, IdempotencyRecord | None]: ...

    def add(self, run: BillingRun, external: ExternalId | None) -> None: ...


class Runs(Protocol):
    def get(self, org_id: str, run_id: str) -> BillingRun: ...

    def list_due(self, run: BillingRun) -> tuple[list[str], Mapping[str, str | None]]: ...

    def add_batches(
        self, run: BillingRun, account_ids: Iterable[str], left: Mapping[str, str | None]
    ) -> None: ...

    def list_unsent(self, run: BillingRun) -> list[Batch]: ...

    def mark_sent(self, run: BillingRun, sent: Sequence[Batch]) -> None: ...


class Orgs(Protocol):
    def list_orgs(self, after: str | None = None) -> Iterable[str]: ...

    def get_org(self, org_id: str) -> Org: ...


class RunsQueue(Protocol):
    def send_run(self, org_id: str, run_id: str) -> None: ...

    def send_daily(self, after: str) -> None: ...


class BatchesQueue(Protocol):
    def send(self, batches: Iterable[Batch]) -> None: ...


def start_run(
    org_id: str,
    until: date | None,
    external: ExternalId,
    *,
    now: datetime,
    org_time: datetime,
    runs: NewRuns,
    queue: RunsQueue,
) -> Created:
    """
    Start a billing run.

    It is put into the queue each time, as nobody knows whether the first request came that far;
    listing it twice does nothing.
    """

    def start() -> Created:
        org, record = runs.get_for_start(org_id, external)
        started = external.replay(record)
        if started is None:
            started = Created(new_id(now))
            run = BillingRun.of(org, started.id, run_until(until, org, org_time), now)
            runs.add(run, external)
        return started

    started = deadline.retry(start)
    queue.send_run(org_id, started.id)
    return started


def start_daily_runs(
    after: str | None, *, now: datetime, orgs: Orgs, runs: NewRuns, queue: RunsQueue
) -> None:
    """
    Start the daily run of each further org; continue later if time runs short.

    Sandboxes are left out: their time is their own.
    """
    for org_id in orgs.list_orgs(after):
        if deadline.seconds_left() < deadline.STEP_SECONDS:
            queue.send_daily(after or "")
            return
        org = orgs.get_org(org_id)
        if not org.sandbox:
            until = run_until(None, org, now)
            run = BillingRun.of(org, f"daily-{until}", until, now)
            with suppress(ContentionError):  # it was started before
                runs.add(run, None)
            queue.send_run(org_id, run.id)
        after = org_id


def list_accounts(
    org_id: str, run_id: str, *, runs: Runs, queue: RunsQueue, batches: BatchesQueue
) -> None:
    """
    List the due accounts of a run, and then send as many of its batches as may wait in the queue.

    Nothing is billed before all is listed: an account that is due for several cycles would come
    up again, once the first of them is billed. Each step reads first how far it is, so that it can
    be taken again from any point. Where time gets short, the run goes back into the queue; batches
    that are billed send it there too, so that further ones follow.
    """
    while True:
        run = runs.get(org_id, run_id)
        with suppress(ContentionError):  # somebody else did the step: we look again how far it is
            if run.is_listed and run.sent >= run.sendable:
                return
            if deadline.seconds_left() < deadline.STEP_SECONDS:
                queue.send_run(org_id, run_id)
                return
            if run.is_listed:
                unsent = runs.list_unsent(run)
                batches.send(unsent)
                runs.mark_sent(run, unsent)
            else:
                runs.add_batches(run, *runs.list_due(run))
