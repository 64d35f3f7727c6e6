"""
What a billing run asks of AWS: recorded from the code that bills, while it bills accounts.

Processes take batches out of a FIFO queue, as Lambda would have functions take them. Each call is
noted with the step that makes it, and so is what the emulator took in the meantime: its latencies
are those of the very run whose speed the model has to come to, on a machine that others use too.
"""

import itertools
import json
import multiprocessing
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import sub
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from billing import aws, clock
from billing.adapters.queues import BatchesQueue, to_batch
from billing.domain.billing_runs import Batch
from billing.domain.idempotency import ExternalId
from billing.persistence.billing import BillingRepository
from billing.persistence.billing_runs import BillingRunRepository
from billing.services.bill_accounts import bill_accounts
from billing.services.run_billing import list_accounts, start_run
from local.stack import from_environment
from tests.integration.billing import charge
from tests.integration.conftest import Invoker

AHEAD = ("get_batch", "close", "gather", "read_ahead")
"""What is done for the next accounts, while the documents of others are issued."""
STEPS = {
    BillingRepository: (*AHEAD, "open_journal", "write", "finish"),
    BillingRunRepository: ("get", "list_due", "add_batches", "list_unsent", "mark_sent"),
}
IN_COMMON = ("lane", "number", "org", "run", "series")
"""Partitions that the accounts of an org, or of a lane, have in common; each item has 1 KB."""
A_CYCLE_AGO = timedelta(days=40)
NOBODY: Any = SimpleNamespace(send_run=lambda *_: None)
"""Feeds a run: it has few batches."""


@dataclass(frozen=True)
class Call:
    """A call: its seconds, those of the processor, and those in which it waited for one; items."""

    operation: str
    seconds: float
    cpu: float
    waited: float
    items: int
    units: dict[str, float]
    """Of the tables and indexes that it writes, and of partitions that accounts share."""
    written: list[str]


@dataclass
class Step:
    """One time that a step was taken: its calls, and its processor's time beside them."""

    name: str
    calls: list[Call] = field(default_factory=list)
    cpu: float = 0
    waited: float = 0
    thread: int = field(default_factory=threading.get_ident)


@dataclass(frozen=True)
class Billed:
    """A batch that was billed, and how."""

    batch: Batch
    steps: list[Step]
    cpu: float
    began: float
    ended: float
    emulator: tuple[float, float]
    """What `emulator` returned before and after."""


def emulator() -> float:
    """Return the seconds in which the emulator's loop was at work, or waited for a processor."""
    return sum(_schedule((from_environment().directory / "emulator.pid").read_text().strip()))


def _schedule(thread: str) -> tuple[float, float]:
    """Return the seconds in which a processor ran a thread, and in which it waited for one."""
    ran, waited, _ = Path(f"/proc/{thread}/schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9


def _clock() -> tuple[float, float]:
    """Return the same of this thread; what it ran in the last milliseconds is not in that file."""
    return time.thread_time(), _schedule("thread-self")[1]


_step: ContextVar[Step | None] = ContextVar("step", default=None)


def _watch_calls() -> None:
    """Note the calls of this process with the steps that make them."""

    def begin(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
        context["noted"] = params, time.perf_counter(), _clock()
        return {**params, "ReturnConsumedCapacity": "INDEXES"}

    def end(parsed: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        if step := _step.get():
            params, began, before = context["noted"]
            cpu, waited = map(sub, _clock(), before)
            took = time.perf_counter() - began
            step.calls.append(Call(model.name, took, cpu, waited, *_asked(params, parsed)))
            if threading.get_ident() == step.thread:
                step.cpu, step.waited = step.cpu - cpu, step.waited - waited

    hooks: dict[str, Any] = {"provide-client-params": begin, "after-call": end}
    for event, hook in hooks.items():
        aws.dynamodb().meta.events.register(f"{event}.dynamodb", hook, event)


def _asked(params: Any, parsed: Any) -> tuple[int, dict[str, float], list[str]]:
    """Return the items of a call, its units, and the items that it writes."""
    read = [key for each in params.get("RequestItems", {}).values() for key in each["Keys"]]
    actions = [each for action in params.get("TransactItems", ()) for each in action.items()]
    written = [
        each.get("Key") or each["Item"] for kind, each in actions if kind != "ConditionCheck"
    ]
    units: Counter[str] = Counter()
    for key in read or written:
        kind = key["pk"]["S"].split("#")[0]
        units[f"partition {kind}"] += (1 if read else 2) * (kind in IN_COMMON)
    for consumed in parsed["ConsumedCapacity"] if actions else ():
        [table] = [name for name, value in os.environ.items() if value == consumed["TableName"]]
        indexes = consumed.get("GlobalSecondaryIndexes", {}).items()
        of_indexes = {f"index {name}": each["CapacityUnits"] for name, each in indexes}
        of_table = consumed["CapacityUnits"] - sum(of_indexes.values())
        units.update({table.lower().replace("_", " "): of_table, **of_indexes})
    items = [f"{key['pk']['S']} {key['sk']['S']}" for key in written]
    return len(read) or len(actions) or 1, {name: n for name, n in units.items() if n}, items


def _watched[T](repository: type[T], noted: list[Step]) -> T:
    """
    Make a repository that notes its steps.

    What comes between opening the journal and writing is a step too: drafting.
    """
    opened: list[tuple[float, float]] = []

    def watch(name: str) -> Callable[..., Any]:
        method = getattr(repository, name)

        def step(*arguments: Any) -> Any:
            began = _clock()
            if name == "write":
                noted.append(Step("draft", [], *map(sub, began, opened.pop())))
            step = Step(name)
            noted.append(step)
            token = _step.set(step)
            try:
                return method(*arguments)
            finally:
                _step.reset(token)
                ended = _clock()
                cpu, waited = map(sub, ended, began)
                step.cpu, step.waited = step.cpu + cpu, step.waited + waited
                if name == "open_journal":
                    opened.append(ended)

        return step

    watching: Any = type(
        "Watched", (repository,), {name: watch(name) for name in STEPS[repository]}
    )
    return watching()  # type: ignore[no-any-return]


def _bill(batch: Batch) -> Billed:
    """Bill a batch as the function does, and note how."""
    steps: list[Step] = []
    before, began, cpu = emulator(), time.monotonic(), time.process_time()
    billing = _watched(BillingRepository, steps)
    errors = bill_accounts(batch, now=clock.now(), billing=billing, queue=NOBODY)
    if errors:
        raise RuntimeError(errors)
    ended, cpu = time.monotonic(), time.process_time() - cpu
    return Billed(batch, steps, cpu, began, ended, (before, emulator()))


def _get_ready(all_ready: Any) -> None:
    """Connect, and wait until all can begin at once."""
    aws.dynamodb().list_tables()
    _watch_calls()
    all_ready.wait()


def _work(queue: str) -> list[Billed]:
    """Bill what is in a queue until it is empty."""
    billed, sqs = [], aws.sqs()
    counts: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    while True:
        received = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        for message in received:
            billed.append(_bill(to_batch(json.loads(message["Body"]))))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if not received:  # all is billed, or what is left waits for others of its lanes
            left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=counts)["Attributes"]
            if not any(map(int, left.values())):
                return billed
            time.sleep(0.1)


def measure(
    name: str, orgs: Iterable[tuple[int, int]], workers: int
) -> tuple[list[Billed], list[Step]]:
    """
    Bill orgs with so many accounts, a movement each, in so many lanes.

    Return their batches, in the order in which they were sent, and the steps of listing them.
    """
    fifo: Any = {"FifoQueue": "true"}
    queue = aws.sqs().create_queue(QueueName=f"{name}.fifo", Attributes=fifo)["QueueUrl"]
    os.environ["BATCHES_QUEUE"] = queue
    listing: list[Step] = []
    _watch_calls()
    now = clock.now
    for number, (accounts, lanes) in enumerate(orgs):
        org = Invoker(f"{name}-{number:03}")
        clock.now = lambda: datetime.now(UTC) - A_CYCLE_AGO
        org("billing_info_put_org", {"lanes": lanes})
        for account_id in map(str, range(100_000, 100_000 + accounts)):
            org("billing_info_put_account", accountId=account_id, caller={"accounts": "*"})
            charge(org, account_id=account_id, subscriptionId=account_id)
        clock.now = now
        runs = _watched(BillingRunRepository, listing)
        at: Any = {"now": now(), "org_time": now()}
        run = start_run(org.org_id, None, ExternalId(name, name), **at, runs=runs, queue=NOBODY)
        list_accounts(org.org_id, run.id, runs=runs, queue=NOBODY, batches=BatchesQueue())
    context = multiprocessing.get_context("spawn")
    ready = _get_ready, (context.Barrier(workers),)
    with ProcessPoolExecutor(workers, context, *ready) as pool:
        done = [each.result() for each in [pool.submit(_work, queue) for _ in range(workers)]]
    billed = sorted(itertools.chain(*done), key=lambda each: (each.batch.org_id, each.batch.number))
    writers = defaultdict(set)
    for each in billed:
        for item in {item for step in each.steps for call in step.calls for item in call.written}:
            writers[item].add(each.batch.lane.letter)
    conflicts = {item for item, lanes in writers.items() if len(lanes) > 1}
    if strange := {item for item in conflicts if not item.endswith(" run")}:
        raise RuntimeError(f"Several lanes write {strange}, in which the model knows no conflicts")
    return billed, listing
