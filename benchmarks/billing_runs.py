"""Billing runs: what a document costs in one, and what the same document costs on its own."""

import json
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import uuid4

from benchmarks.accounts import event, new_invoices, set_up, with_body
from benchmarks.figures import Figure
from benchmarks.growth import requests
from benchmarks.workers import Json, Worker
from billing.adapters.queues import _message
from billing.domain.billing_runs import Batch, BillingRun
from billing.persistence.billing_runs import BillingRunRepository
from local.stack import Stack


@dataclass(frozen=True)
class Throughput:
    """Milliseconds for one document in a run, alone, how often faster, and megabytes."""

    in_run_cpu: Figure
    alone_cpu: Figure
    times_cpu: Figure
    in_run_wall: Figure
    alone_wall: Figure
    times_wall: Figure
    requests_in_run: float
    requests_alone: float
    requests_of_a_batch: str
    memory: float


def measure(
    billing_info: Worker, movements: Worker, invoices: Worker, runs: Worker, org_id: str, size: int
) -> Throughput:
    """
    Bill accounts with a movement each in batches, and issue as many invoices one by one.

    The batches go to the function as its queue would hand them over, one after the other.
    """
    accounts = [str(500_000 + number) for number in range(size)]
    for account_id in accounts:
        set_up(billing_info, org_id, account_id, billing_day=1)
        made = event("movements_create", org_id, account_id, subscriptionId=account_id)
        movements(with_body(made, external_movement_unique_id=f"run-{account_id}"), expect=201)

    now = datetime.now(UTC)
    repository = BillingRunRepository()
    run = BillingRun(org_id, "benchmark", (now + timedelta(days=31)).date(), now)
    repository.add(run, None)
    while not run.is_listed:
        repository.add_batches(run, *repository.list_due(run))
        run = repository.get(org_id, run.id)
    alone = new_invoices(org_id, accounts[0], "alone")
    batches = repository.list_unsent(run)
    in_run_cpu, in_run_wall, alone_cpu, alone_wall = [], [], [], []
    requests_in_run = requests_alone = memory = 0.0
    for batch in batches:
        billed = runs(_event(batch))
        if billed.answer["batchItemFailures"]:
            raise RuntimeError("A batch was not billed")
        issued = [
            invoices(request, expect=201) for request in islice(alone, len(batch.account_ids))
        ]
        documents = len(batch.account_ids)
        in_run_cpu.append(billed.cpu / documents)
        in_run_wall.append(billed.wall / documents)
        alone_cpu.append(sum(call.cpu for call in issued) / documents)
        alone_wall.append(sum(call.wall for call in issued) / documents)
        requests_in_run += len(billed.calls)
        requests_alone += sum(len(call.calls) for call in issued)
        memory = max(memory, billed.memory)
    done = repository.get(org_id, run.id)
    if done.invoices_issued < size:
        raise RuntimeError(f"Of {size} accounts {done.invoices_issued} were billed")
    return Throughput(
        Figure.of(in_run_cpu),
        Figure.of(alone_cpu),
        Figure.ratio(alone_cpu, in_run_cpu),
        Figure.of(in_run_wall),
        Figure.of(alone_wall),
        Figure.ratio(alone_wall, in_run_wall),
        requests_in_run / done.invoices_issued,
        requests_alone / size,
        requests([billed]),
        memory,
    )


def over_http(stack: Stack, count: int) -> Figure:
    """Issue invoices one by one as a client does, through the gateway."""
    facts = json.loads(stack.file.read_text())
    account_id = next(iter(facts["accounts"]))
    url = f"{facts['base_url']}/v1/orgs/{facts['org_id']}/accounts/{account_id}/invoices"
    headers = {"PRIVATE-TOKEN": facts["admin_token"], "Content-Type": "application/json"}
    walls = []
    for made in islice(new_invoices(facts["org_id"], account_id, uuid4().hex), count):
        request = urllib.request.Request(url, made["body"].encode(), headers)
        began = time.perf_counter()
        urllib.request.urlopen(request, timeout=30).close()
        walls.append((time.perf_counter() - began) * 1e3)
    return Figure.of(walls)


def _event(batch: Batch) -> Json:
    made = event("bill_accounts_batch", batch.org_id)
    made["Records"][0]["body"] = _message(batch)
    return made
