"""Billing runs: what a document costs in one, and what the same document costs on its own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

import boto3

from benchmarks.accounts import SANDBOX, event, many, set_up, with_body
from benchmarks.figures import figure, how_many, milliseconds, ratio, table
from benchmarks.workers import Call, Json, Workers


class Document(NamedTuple):
    """One document, as the mean of those that were issued together."""

    cpu: float
    wall: float
    requests: float


def _mean(calls: list[Call], documents: int) -> Document:
    sums = [(call.cpu, call.wall, len(call.calls)) for call in calls]
    return Document(*(sum(each) / documents for each in zip(*sums, strict=True)))


def measure(workers: Workers, run: str) -> str:
    """
    Write the section about billing runs.

    Accounts with a movement each are billed in three lanes, a batch in each, and as many invoices
    are issued one by one.
    The org is a sandbox, so that a month can be over at once: each batch reads its clock besides.
    The run has queues of its own, and its messages go to the functions as Lambda hands them over.
    """
    size = how_many("RUN_ACCOUNTS", 300)
    org_id, accounts = f"bench-{SANDBOX}-{run}", [str(500_000 + number) for number in range(size)]
    movements = workers.of("Movements")
    for account_id in accounts:
        set_up(workers, org_id, account_id, billing_day=1)
        made = event("movements_create", org_id, account_id, subscriptionId=account_id)
        movements(with_body(made, external_movement_unique_id=f"run-{account_id}"), expect=201)

    put_org = with_body(event("billing_info_put_org", org_id), lanes=3)
    workers.of("BillingInfo")(put_org, expect=204)
    sqs: Any = boto3.client("sqs")
    fifo: Json = {"QueueName": f"{org_id}.fifo", "Attributes": {"FifoQueue": "true"}}
    asked: dict[str, Json] = {"RUNS_QUEUE": {"QueueName": org_id}, "BATCHES_QUEUE": fifo}
    queues = {name: sqs.create_queue(**what)["QueueUrl"] for name, what in asked.items()}
    workers.settings |= queues
    runs, bill = workers.of("BillingRun"), workers.of("BillAccounts")
    in_a_month = datetime.now(UTC) + timedelta(days=31)
    put_clock = with_body(event("sandbox_clock_put", org_id), now=in_a_month.isoformat())
    workers.of("SandboxClock")(put_clock, expect=204)
    until = in_a_month.date().isoformat()
    created = runs(with_body(event("billing_run_create", org_id), until=until), expect=201)
    for record in _received(sqs, queues["RUNS_QUEUE"], "dispatch_billing_run"):
        workers.of("DispatchBilling")(record)

    alone = many("invoices_create", org_id, accounts[0])
    in_run, one_by_one = [], []
    for record in _received(sqs, queues["BATCHES_QUEUE"], "bill_accounts_batch"):
        billed = bill(record)
        documents = len(json.loads(record["Records"][0]["body"])["account_ids"])
        issued = [
            workers.of("Invoices")(request, expect=201) for request in islice(alone, documents)
        ]
        in_run.append(_mean([billed], documents))
        one_by_one.append(_mean(issued, documents))
    done = runs(event("billing_run_get", org_id, runId=created.json["id"])).json
    if done["invoices_issued"] != size:
        raise RuntimeError(f"Of {size} accounts not all were billed: {done}")

    both, rows = (in_run, one_by_one), []
    for name, what, digits in (("CPU", "cpu", 2), ("wall", "wall", 1)):
        part, texts = ratio(*both, what), [milliseconds(each, what, digits) for each in both]
        rows.append([name, *texts, part.text(), part.verdict(0.5) if what == "cpu" else ""])
    asked_for = [figure(each, "requests").median for each in both]
    requests = [f"{each:.1f}" for each in (*asked_for, asked_for[0] / asked_for[1])]
    rows.append(["requests to AWS", *requests, ""])
    return f"""## Billing run

{size} accounts with a movement each, against as many invoices issued one by one. The function
that bills them came to {bill.peak_megabytes():.0f} MB. A batch of {documents} asks for
{billed.requests}.

{table(["one document", "in a run", "issued alone", "in a run / alone", "goal"], rows)}"""


def _received(sqs: Any, queue: str, example: str) -> Iterator[Json]:
    """Receive messages until there are none, each as the event of a function."""
    while messages := sqs.receive_message(QueueUrl=queue).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            made = event(example, "demo")
            made["Records"][0]["body"] = message["Body"]
            yield made
