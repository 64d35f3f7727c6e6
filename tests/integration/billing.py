"""Billing runs with queues of their own: what is sent is delivered when a test says so."""

import copy
import importlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from billing import clock, config
from billing.aws import dynamodb, sqs
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.invoices import IssuedInvoice
from billing.persistence.chains import ChainRepository
from billing.persistence.cycles import list_members
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.invoices import InvoiceRepository
from billing.services.audit import audit_invoices
from tests.integration.ledger import open_cycle

if TYPE_CHECKING:
    from tests.integration.conftest import Invoker

EVENTS = Path(__file__).parents[2] / "events"

type Json = dict[str, Any]

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
"""When all of it happens: the events are of that time."""


def record(message: Json) -> Json:
    """Word a received message as Lambda's event source does."""
    name = "bill_accounts_batch" if "account_ids" in message["Body"] else "dispatch_billing_run"
    [example] = json.loads((EVENTS / f"{name}.json").read_text())["Records"]
    return {
        **example,
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {**example["attributes"], **message.get("Attributes", {})},
    }


@dataclass
class Runs:
    """Starts runs of one org, and delivers their messages to the functions."""

    invoke: "Invoker"
    runs_queue: str
    batches_queue: str
    delivered: list[tuple[str, Json]] = field(default_factory=list)
    """Every message, with the function that took it."""
    began: datetime = NOW
    """When the clock says that the test began; it is set on, never back."""

    def reach(self, day: str) -> None:
        """Let it be noon of a day, if that is still to come."""
        self.began = max(self.began, datetime.fromisoformat(f"{day}T12:00:00Z"))

    def start(self, **body: Any) -> str:
        """Start a run with an external id of its own, on the day until which it bills."""
        if "until" in body:
            self.reach(body["until"])
        answer = self.invoke(
            "billing_run_create", {"external_billing_run_unique_id": uuid4().hex, **body}
        )
        assert answer.status == 201, answer
        return str(answer.json["id"])

    def run(self, **body: Any) -> Json:
        """Start a run and deliver all its messages; tell how it ended."""
        run_id = self.start(**body)
        self.deliver()
        return self.get(run_id)

    def get(self, run_id: str) -> Json:
        answer = self.invoke("billing_run_get", runId=run_id)
        assert answer.status == 200
        result: Json = answer.json
        return result

    def deliver(self) -> None:
        """Deliver messages until there are none."""
        while self.list_accounts() or self.bill():
            pass

    def list_accounts(self) -> int:
        """Deliver what is in the queue of runs."""
        return self._deliver("dispatch_billing", self.runs_queue)

    def bill(self) -> int:
        """Deliver what is in the queue of batches."""
        return self._deliver("bill_accounts", self.batches_queue)

    def batches(self) -> list[Json]:
        """Take all messages out of the queue of batches, and deliver none."""
        return self._take(self.batches_queue)

    def listings(self) -> list[Json]:
        """Take all messages out of the queue of runs, and deliver none."""
        return self._take(self.runs_queue)

    def again(self, function: str, *messages: Json) -> Json:
        """Deliver messages that were received before, in one go."""
        result: Json = call(function, {"Records": list(messages)})
        return result

    def _deliver(self, function: str, queue: str) -> int:
        received = self._receive(queue)
        if received:
            records = [record(message) for message in received]
            answer = call(function, {"Records": records})
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            for message, each in zip(received, records, strict=True):
                if message["MessageId"] not in failed:
                    self._delete(queue, message)
                    self.delivered.append((function, each))
        return len(received)

    def _take(self, queue: str) -> list[Json]:
        taken = []
        while received := self._receive(queue):
            for message in received:
                taken.append(record(message))
                self._delete(queue, message)
        return taken

    def _receive(self, queue: str) -> list[Any]:
        answer = sqs().receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))

    def _delete(self, queue: str, message: Json) -> None:
        sqs().delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def call(function: str, event: Json, remaining_ms: int = 60_000) -> Any:
    """Call a function that no gateway calls."""
    from tests.integration.conftest import Context

    module = importlib.import_module(f"functions.{function}.app")
    return module.lambda_handler(event, Context(remaining_ms))


@pytest.fixture
def runs(billed: "Invoker", monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    """Run billing for an org with one account, 100001, in the middle of November 2026."""
    name = f"test-{uuid4().hex}"
    runs_queue = sqs().create_queue(QueueName=name)["QueueUrl"]
    batches_queue = sqs().create_queue(
        QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "1"}
    )["QueueUrl"]
    made, began = Runs(billed, runs_queue, batches_queue), time.monotonic()
    monkeypatch.setattr(
        "billing.clock.now", lambda: made.began + timedelta(seconds=time.monotonic() - began)
    )
    monkeypatch.setenv("RUNS_QUEUE", runs_queue)
    monkeypatch.setenv("BATCHES_QUEUE", batches_queue)
    yield made
    for queue in (runs_queue, batches_queue):
        sqs().delete_queue(QueueUrl=queue)


def money(gross: float, net: float, percentage: float = 21, **more: Any) -> Json:
    """Write an amount with IVA."""
    tax = {"type": "IVA", "percentage": percentage}
    return {"value_with_taxes": gross, "value_without_taxes": net, "tax": tax, **more}


def charge(invoke: "Invoker", gross: float = 121, net: float = 100, **body: Any) -> str:
    """Charge a movement with an external id of its own; tell its id."""
    path = {key: body.pop(key) for key in ("subscriptionId",) if key in body}
    fields = {"external_movement_unique_id": uuid4().hex, "amount": money(gross, net), **body}
    answer = invoke("movements_create", fields, caller={"accounts": "*"}, **path)
    assert answer.status == 201, answer
    return str(answer.json["id"])


def give_back(
    invoke: "Invoker", movement_id: str, gross: float = 12.1, net: float = 10, **body: Any
) -> str:
    """Refund a movement with an external id of its own; tell the refund's id."""
    path = {key: body.pop(key) for key in ("subscriptionId",) if key in body}
    fields = {
        "external_refund_unique_id": uuid4().hex,
        "amount": money(gross, net),
        "period_start_datetime": None,
        "period_end_datetime": None,
        **body,
    }
    ends_at = time.monotonic() + 60
    while True:
        answer = invoke(
            "refunds_create", fields, caller={"accounts": "*"}, movementId=movement_id, **path
        )
        if answer.json.get("code") != "CYCLE_BEING_BILLED" or time.monotonic() > ends_at:
            break
        time.sleep(0.05)  # as Retry-After asks, but sooner
    assert answer.status == 201, answer
    return str(answer.json["id"])


def documents(invoke: "Invoker", account_id: str = "100001") -> list[Json]:
    """Read all documents of an account whole, oldest first."""
    listed = invoke(
        "invoices_list", caller={"accounts": account_id}, headers={"ranged-data": "results=100"}
    ).json
    return [
        invoke("invoices_get", caller={"accounts": account_id}, invoiceId=each["id"]).json[0]
        for each in reversed(listed)
    ]


@dataclass
class Subscriber:
    """An account with one subscription, and what the API has accepted for it."""

    invoke: "Invoker"
    account_id: str
    movements: dict[str, int] = field(default_factory=dict)
    """Minor units without tax, by id; allowances are negative."""
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Movement and minor units without tax, by id."""
    usage: int = 0

    @property
    def path(self) -> Json:
        return {"subscriptionId": self.account_id}

    def charge(self, cents: int = 1000, **body: Any) -> str:
        sign = -1 if body.get("operation_type") == "CREDIT" else 1
        amount = {"amount": untaxed(cents), "account_id": self.account_id, **body}
        movement_id = charge(self.invoke, **amount, **self.path)
        self.movements[movement_id] = sign * cents
        return movement_id

    def give_back(self, movement_id: str, cents: int, **body: Any) -> str:
        amount = {"amount": untaxed(cents), **body}
        refund_id = give_back(self.invoke, movement_id, **amount, **self.path)
        self.refunds[refund_id] = movement_id, cents
        return refund_id

    def use(self, cents: int) -> None:
        """Use data for so much."""
        usage = {
            "external_consumption_unique_id": uuid4().hex,
            "type": "data",
            "consumed_datetime": "2026-11-03T09:15:00Z",
            "units": 1_000_000,
            "unit": "bytes",
            "amount": untaxed(cents),
        }
        answer = self.invoke(
            "consumptions_create", {"records": [usage]}, caller={"accounts": "*"}, **self.path
        )
        assert (answer.status, answer.json["accepted"]) == (201, 1), answer
        self.usage += cents

    def check(self) -> None:
        """
        Read all documents back: each movement is billed exactly once, and what was refunded of it,
        and all usage; the API tells the very documents that say so.
        """
        charged: dict[str, list[tuple[str, int]]] = {each: [] for each in self.movements}
        given_back: dict[str, list[tuple[str, int]]] = {each: [] for each in self.movements}
        usage = 0
        for document in issued(self.invoke.org_id, self.account_id):
            for line in document.lines:
                ordinal, net = str(document.key.ordinal), line.net.minor
                if line.movement_id is None:
                    usage += net
                elif net == self.movements[line.movement_id] and line.description != REFUND:
                    charged[line.movement_id].append((ordinal, net))
                else:
                    given_back[line.movement_id].append((ordinal, -net))
        for movement_id, net in self.movements.items():
            told = self.invoke(
                "movements_get", caller={"accounts": "*"}, movementId=movement_id, **self.path
            ).json
            assert charged[movement_id] == [(told["invoice_id"], net)]
            refunds = [
                (
                    self.invoke(
                        "refunds_get",
                        caller={"accounts": "*"},
                        movementId=movement_id,
                        refundId=refund_id,
                        **self.path,
                    ).json["invoice_id"],
                    cents,
                )
                for refund_id, (of, cents) in self.refunds.items()
                if of == movement_id
            ]
            assert sorted(given_back[movement_id]) == sorted(refunds)
        assert usage == self.usage


REFUND = "Tres días sin servicio"
"""The description of refunds, in the events."""


def untaxed(cents: int) -> Json:
    """Write an amount that no tax rounds."""
    return {
        "value_with_taxes": cents / 100,
        "value_without_taxes": cents / 100,
        "tax": {"type": "NONE", "percentage": 0},
    }


def subscribers(invoke: "Invoker", count: int) -> list[Subscriber]:
    """Open accounts 100001, 100002 …"""
    accounts = [str(100_001 + number) for number in range(count)]
    for each in accounts:
        answer = invoke("billing_info_put_account", accountId=each, caller={"accounts": "*"})
        assert answer.status == 204
    return [Subscriber(invoke, each) for each in accounts]


def multiply(
    org_id: str, account_id: str, count: int, change: Callable[[Json], Json] = lambda record: record
) -> None:
    """Copy the one movement of a cycle, as a run reads it, until there are so many."""
    table = config.movements_table()
    [item] = list_members(table, org_id, account_id, open_cycle(org_id))
    copies: list[Any] = []
    for number in range(count - 1):
        other: Any = copy.deepcopy(item)
        record = change(json.loads(item["record"]["S"]) | {"id": f"{number:032}"})
        other["record"]["S"] = json.dumps(record)
        other["sk"]["S"] = f"movement#{record['subscription_id']}#{record['id']}"
        copies.append({"PutRequest": {"Item": other}})
    for some in batched(copies, 25, strict=False):
        dynamodb().batch_write_item(RequestItems={table: list(some)})


def issued(org_id: str, account_id: str) -> Iterator[IssuedInvoice]:
    """Read all documents of an account, oldest first, and that each has its place."""
    invoices = InvoiceRepository()
    summaries, total = invoices.list_page(org_id, account_id, 0, 10_000)
    assert [each.key.ordinal for each in summaries] == list(range(total, 0, -1))
    return (invoices.get(each.key)[0] for each in reversed(summaries))


def set_rate(org_id: str, currency: str, per_euro: int = 160) -> None:
    """Set a rate for today, and for what is supplied in the ten days to come."""
    rate = ExchangeRate(currency, clock.now().date(), Decimal(per_euro))
    ExchangeRateRepository().put_own(org_id, rate)


in_lanes = pytest.mark.parametrize("lanes", [1, 3], ids=["one lane", "three lanes"])
"""Run a test of what uses the fixture `billed` with an org of one lane, and with one of three."""


def have_lanes(invoke: "Invoker", lanes: int) -> None:
    """Number the documents of the org in so many lanes from now on."""
    assert invoke("billing_info_put_org", {"lanes": lanes}).status == 204


def audited(org_id: str) -> int:
    """Check that the numbers of an org have no gap and its chains verify; tell how many."""
    found = list(audit_invoices(org_id, chains=ChainRepository()))
    assert [each.faults for each in found if each.faults] == []
    return len(found)
