"""Billing runs: what a document costs in one, and what the same document costs on its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import boto3

from benchmarks.accounts import SANDBOX, event, new_invoices, set_up, with_body
from benchmarks.figures import figure, ratio, table
from benchmarks.workers import Call, Json, Workers


@dataclass(frozen=True)
class Document:
    """One document, as the mean of those that were issued together."""

    cpu: float
    wall: float
    requests: float

    @classmethod
    def of(cls, calls: list[Call], documents: int) -> "Document":
        cpu, wall = sum(call.cpu for call in calls), sum(call.wall for call in calls)
        requests = sum(len(call.calls) for call in calls)
        return cls(cpu / documents, wall / documents, requests / documents)


def measure(workers: Workers, run: str, size: int) -> str:
    """
    Write the section about billing runs.

    Accounts with a movement each are billed in batches, and as many invoices are issued one by one.
    The org is a sandbox, so that a month can be over at once: each batch reads its clock besides.
    The run has queues of its own, and its messages go to the functions as Lambda hands them over.
    """
    org_id, accounts = f"bench-{SANDBOX}-{run}", [str(500_000 + number) for number in range(size)]
    billing_info, movements = (
        workers.start("BillingInfoFunction"),
        workers.start("MovementsFunction"),
    )
    for account_id in accounts:
        set_up(billing_info, org_id, account_id, billing_day=1)
        made = event("movements_create", org_id, account_id, subscriptionId=account_id)
        movements(with_body(made, external_movement_unique_id=f"run-{account_id}"), expect=201)

    sqs: Any = boto3.client("sqs")
    queues = {
        "RUNS_QUEUE": sqs.create_queue(QueueName=org_id)["QueueUrl"],
        "BATCHES_QUEUE": sqs.create_queue(
            QueueName=f"{org_id}.fifo", Attributes={"FifoQueue": "true"}
        )["QueueUrl"],
    }
    runs = workers.start("BillingRunFunction", **queues)
    dispatch = workers.start("DispatchBillingFunction", **queues)
    bill = workers.start("BillAccountsFunction", **queues)
    invoices = workers.start("InvoicesFunction")
    in_a_month = datetime.now(UTC) + timedelta(days=31)
    put_clock = with_body(event("sandbox_clock_put", org_id), now=in_a_month.isoformat())
    workers.start("SandboxClockFunction")(put_clock, expect=204)
    until = in_a_month.date().isoformat()
    run_id = runs(with_body(event("billing_run_create", org_id), until=until), expect=201).json[
        "id"
    ]
    for record in _received(sqs, queues["RUNS_QUEUE"], "dispatch_billing_run"):
        dispatch(record)

    alone = new_invoices(org_id, accounts[0], "alone")
    in_run, one_by_one, memory = [], [], 0.0
    for record in _received(sqs, queues["BATCHES_QUEUE"], "bill_accounts_batch"):
        billed = bill(record)
        documents = len(json.loads(record["Records"][0]["body"])["account_ids"])
        issued = [invoices(request, expect=201) for request in islice(alone, documents)]
        in_run.append(Document.of([billed], documents))
        one_by_one.append(Document.of(issued, documents))
        memory = max(memory, billed.memory)
    done = runs(event("billing_run_get", org_id, runId=run_id)).json
    if done["invoices_issued"] != size:
        raise RuntimeError(f"Of {size} accounts not all were billed: {done}")

    rows = []
    for name, what, digits in (("CPU", "cpu", 2), ("wall", "wall", 1)):
        times, ours = ratio(one_by_one, in_run, what), figure(in_run, what)
        shown = [each.text(digits, " ms") for each in (ours, figure(one_by_one, what))]
        rows.append([name, *shown, times.text(1), times.verdict(5, at_least=True)])
    asked = [figure(each, "requests").median for each in (in_run, one_by_one)]
    rows.append(["requests to AWS", *(f"{each:.1f}" for each in (*asked, asked[1] / asked[0])), ""])
    return f"""## Billing run

{size} accounts with a movement each, against as many invoices issued one by one. The function
that bills them came to {memory:.0f} MB. A batch of ten asks for {billed.requests}.

{table(["one document", "in a run", "issued alone", "times fewer", "goal"], rows)}"""


def _received(sqs: Any, queue: str, example: str) -> Iterator[Json]:
    """Receive messages until there are none, each as the event of a function."""
    while messages := sqs.receive_message(QueueUrl=queue).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            made = event(example, "demo")
            made["Records"][0]["body"] = message["Body"]
            yield made
