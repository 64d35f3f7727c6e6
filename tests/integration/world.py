"""
Worlds to compare: each has tables, queues and a bucket of its own.

In each the clock stands, and ids are drawn alike. So what is done alike in two of them leaves
both in the same state, byte by byte.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import batched
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from botocore.retries.quota import RetryQuota

from billing import aws, config
from billing.adapters.documents import DocumentsFunction
from billing.domain.fiscal_answers import DUPLICATE, Answer, RecordAnswer, StoredRecord
from billing.domain.invoices import InvoiceKey, IssuedInvoice
from billing.domain.issuing import SALT_BYTES
from billing.domain.mails import Mail
from billing.domain.parties import FiscalRegime, VatNumberStatus
from billing.domain.verifactu import AgencyError, FiscalRecord, RecordState
from billing.domain.webhooks import Outcome
from tests import resources, template
from tests.integration import streams
from tests.integration.billing import Subscriber, call, record, subscribers
from tests.integration.conftest import Invoker, Json
from tests.integration.story import switch

NOVEMBER = datetime(2026, 11, 21, 10, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, 3, tzinfo=UTC)

ACCOUNTS = {"demo": 2, "second": 1}
"""How many accounts the orgs have."""

SOURCES = {
    each.properties["EventSourceArn"].split(".")[0]
    + (f" to {each.function}" if each.type == "DynamoDB" else ""): each
    for each in template.sources()
    if each.type not in {"HttpApi", "Schedule"}
}
"""
What hands messages over to functions, by the queue that it reads, or the table and the function:
`RunsQueue`, `InvoicesTable to documents`.
"""


@dataclass
class World:
    """Some orgs with something to bill, and what is between the functions."""

    names: dict[str, str]
    """What was made, by its logical id in the template; of queues the URLs."""
    dice: random.Random = field(default_factory=random.Random)
    customers: list[Subscriber] = field(default_factory=list)
    now: datetime = NOVEMBER
    lanes: int = 1
    """How many lanes each org has."""
    mails: Counter[str] = field(default_factory=Counter)
    """How often each document was mailed."""
    declared: dict[tuple[str, int], StoredRecord] = field(default_factory=dict)
    """The fiscal records that the tax agency has, by their places in their chains."""
    _streamed: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many records of each stream were taken for a function."""

    def draw(self, count: int) -> str:
        """Draw an id. Salts are all alike: how many are drawn before one depends on the order."""
        is_salt = count == SALT_BYTES
        return "00" * count if is_salt else self.dice.randbytes(count).hex()

    # ---------------------------------------------------------------- what clients do

    def begin(self) -> None:
        """Let the accounts have something of all there is to bill, and November be over."""
        self.dice.seed("begin")
        for org_id, count in ACCOUNTS.items():
            invoke = Invoker(org_id)
            assert invoke("billing_info_put_org", {"lanes": self.lanes}).status == 204
            self.customers += subscribers(invoke, count)
        for each in self.customers:
            each.give_back(each.charge(1000), 100)
            each.use(77)
        self.now = DECEMBER

    def charge(self, name: str) -> None:
        """Charge every account."""
        self.dice.seed(name)
        for each in self.customers:
            each.charge(300)

    def issue(self, name: str) -> None:
        """Issue an invoice to every account, and have it paid in part."""
        self.dice.seed(name)
        for each in self.customers:
            external_id = f"{name} {each.account_id}"
            known: Any = {"caller": {"accounts": "*"}, "accountId": each.account_id}
            issued = each.invoke(
                "invoices_create", {"external_invoice_unique_id": external_id}, **known
            )
            assert issued.status == 201, issued
            payment = {"external_payment_unique_id": external_id, "amount": 1}
            paid = each.invoke("invoices_pay", payment, invoiceId=issued.json["id"], **known)
            assert paid.status == 201, paid

    def start_runs(self, **body: Any) -> None:
        """Start a run of every org."""
        for org_id in ACCOUNTS:
            external = {"external_billing_run_unique_id": str(self.dice.random())}
            answer = Invoker(org_id)("billing_run_create", {**external, **body})
            assert answer.status == 201, answer

    def tell_endpoints(self) -> None:
        """Let every org have two webhook endpoints: one that takes all, and one that is gone."""
        self.dice.seed("endpoints")
        for org_id in ACCOUNTS:
            for url in ("https://well.example.com/", GONE):
                answer = Invoker(org_id)("webhooks_create_endpoint", {"url": url, "types": None})
                assert answer.status == 201, answer

    def switch_on(self) -> None:
        """Let all documents be declared from now on."""
        for org_id in ACCOUNTS:
            switch(org_id, FiscalRegime.VERIFACTU)

    def move_abroad(self) -> None:
        """Let every account be a company of another member state, whose VAT number is to check."""
        weg = {"street": "Weg 1", "postal_code": "10115", "city": "Berlin", "country": "DE"}
        company = {"company_name": "Company", "tax_id": "DE136695976", "address": weg}
        where = {"country": "DE", "state_id": None}
        for each in self.customers:
            known: Any = {"caller": {"accounts": "*"}, "accountId": each.account_id}
            moved = each.invoke("billing_info_put_account", {**company, **where}, **known)
            assert moved.status == 204, moved

    # ---------------------------------------------------------------- what events bring about

    def take(self, source: template.Source) -> list[Json]:
        """Take out what waits for a function, worded as its event source does."""
        return self._take_records(source) if _is_stream(source) else self._take_messages(source)

    def deliver(self, source: template.Source, messages: list[Json]) -> list[Json]:
        """
        Deliver messages as many at once as the template says; tell which ones will come again.

        Of a queue those that failed, and of a FIFO queue those behind them in their group, which
        are not delivered before; of a stream all from the first that failed on.
        """
        again: list[Json] = []
        for batch in batched(messages, source.properties["BatchSize"], strict=False):
            held = {_group(each) for each in again} - {None}
            failed = self.failed(source, [each for each in batch if _group(each) not in held])
            for each in batch:
                is_behind = _group(each) in held or (again and _is_stream(source))
                if id_of(each) in failed or is_behind:
                    again.append(each)
        return again

    def failed(self, source: template.Source, messages: list[Json]) -> set[str]:
        """Deliver messages at once; tell the ids of those that the function says failed."""
        answer = call(source.function, {"Records": messages})
        return {each["itemIdentifier"] for each in answer["batchItemFailures"]}

    def drain(self, but: template.Source | None = None) -> None:
        """Deliver all that waits anywhere, and what comes of it, until nothing does."""
        while sum(self._deliver_waiting(each) for each in SOURCES.values() if each is not but):
            pass

    def _deliver_waiting(self, source: template.Source) -> bool:
        messages = self.take(source)
        assert self.deliver(source, messages) == []
        return bool(messages)

    def die(self, source: template.Source, messages: list[Json]) -> None:
        """Have messages end as dead letters, as if nobody could deal with them."""
        if _is_stream(source):
            letter = self.letter(source, id_of(messages[0]), id_of(messages[-1]))
            aws.sqs().send_message(QueueUrl=self.dead_letters(source), MessageBody=letter)
            return
        url = self.queue(source)
        for each in messages:
            group = each["attributes"].get("MessageGroupId")
            aws.sqs().send_message(
                QueueUrl=url,
                MessageBody=each["body"],
                **(
                    {"MessageGroupId": group, "MessageDeduplicationId": uuid4().hex}
                    if group
                    else {}
                ),
            )
        while self._receive(url):
            pass

    def letter(self, source: template.Source, start: str, end: str) -> str:
        """Tell of a part of a stream, as Lambda does."""
        stream_arn, shard_id, _ = self._stream(source)
        where = {
            "streamArn": stream_arn,
            "shardId": shard_id,
            "startSequenceNumber": start,
            "endSequenceNumber": end,
        }
        return json.dumps({"DDBStreamBatchInfo": where})

    def queue(self, source: template.Source) -> str:
        """Find a queue that is read."""
        return self.names[_logical_id(source.properties["EventSourceArn"])]

    def dead_letters(self, source: template.Source) -> str:
        """Find the queue of what nobody could deal with."""
        if _is_stream(source):
            arn = source.properties["DestinationConfig"]["OnFailure"]["Destination"]
        else:
            queue = template.resources()[_logical_id(source.properties["EventSourceArn"])]
            arn = queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]
        return self.names[_logical_id(arn)]

    def _stream(self, source: template.Source) -> tuple[str, str, list[Any]]:
        """Read the whole stream of a table: its ARN, its shard and its records."""
        return streams.read(self.names[_logical_id(source.properties["EventSourceArn"])])

    def _take_records(self, source: template.Source) -> list[Json]:
        """Take what a stream has for a function; each record came two minutes ago."""
        _, _, records = self._stream(source)
        reader = source.properties["EventSourceArn"], source.function
        new = records[self._streamed.get(reader, 0) :]
        self._streamed[reader] = len(records)
        taken = streams.of_source(source, new)
        for each in taken:
            at = (self.now - timedelta(minutes=2)).timestamp()
            each["dynamodb"]["ApproximateCreationDateTime"] = at
        return taken

    def _take_messages(self, source: template.Source) -> list[Json]:
        taken, url = [], self.queue(source)
        while received := self._receive(url):
            for message in received:
                taken.append(record(message))
                aws.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def _receive(self, url: str) -> list[Any]:
        answer = aws.sqs().receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return list(answer.get("Messages", []))

    # ---------------------------------------------------------------- how it ends

    def state(self) -> Json:
        """Read all that is kept: the items of the tables, the objects of the bucket."""
        bucket = self.names[_BUCKET]
        objects = aws.s3().list_objects_v2(Bucket=bucket).get("Contents", [])
        kinds = template.resources()
        tables = {
            name: _items(self.names[name])
            for name in self.names
            if kinds[name]["Type"] == "AWS::DynamoDB::Table"
        }
        return {
            **tables,
            _EVENTS: _told(tables[_EVENTS]),
            _WEBHOOKS: _delivered(tables[_WEBHOOKS]),
            _INVOICES: _mailed(tables[_INVOICES], self.mails),
            "tax agency": self.declared,
            _LINKS: _linked(tables[_LINKS]),
            _BUCKET: {each["Key"]: _digest(bucket, each["Key"]) for each in objects},
        }


_BUCKET = "DocumentsBucket"
_EVENTS = "EventsTable"
_WEBHOOKS = "WebhooksTable"
_INVOICES = "InvoicesTable"
_LINKS = "LinksTable"

GONE = "https://gone.example.com/"
"""An endpoint that says that it is gone for good."""


class _Sender:
    """Sends webhooks nowhere, and says that they came."""

    def __init__(self, **_: Any) -> None:
        pass

    def send(self, url: str, *_: Any) -> Outcome:
        """Tell what comes of it."""
        return Outcome(410 if url == GONE else 204)


class _Mailer:
    """Mails documents to nobody, and says that they came."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, mail: Mail, *_: Any) -> None:
        """Count a mail."""
        key = mail.key
        self._world.mails[f"{key.org_id} {key.account_id} {key.ordinal} {mail.id}"] += 1


class _Agency:
    """Takes every fiscal record once, and knows those that it has."""

    def __init__(self, world: World) -> None:
        self._kept = world.declared

    def submit(self, records: Sequence[FiscalRecord], **_: Any) -> Answer:
        """Tell what becomes of some records, all of one taxpayer."""
        answers = [self._take(each) for each in records]
        return Answer("A-CSV", timedelta(seconds=60), answers)

    def find(self, records: Sequence[FiscalRecord]) -> list[StoredRecord]:
        """Tell which of some records it has."""
        return [self._kept[_place(each)] for each in records]

    def _take(self, record: FiscalRecord) -> RecordAnswer:
        said = record.declaration
        known = self._kept.get(_place(record))
        if known:
            twice = AgencyError(DUPLICATE, "Registro duplicado")
            state = RecordState.REJECTED
            return RecordAnswer(said.number, said.issue_date, state, twice, known.answer)
        stored = StoredRecord(said.number, said.issue_date, record.huella, RecordState.ACCEPTED)
        self._kept[_place(record)] = stored
        return stored.answer


def _place(record: FiscalRecord) -> tuple[str, int]:
    return record.system.installation, record.position


class _Vies:
    """Knows every VAT number, and that it is valid."""

    def __init__(self, _: str) -> None:
        pass

    def check(self, _: str) -> VatNumberStatus:
        """Tell what is known of a number."""
        return VatNumberStatus.VALID


class _Rates:
    """Publishes rates of two days: those of the second are fresh however late one asks."""

    def __init__(self, _: str) -> None:
        pass

    def fetch(self) -> dict[date, dict[str, Decimal]]:
        """Tell the rates of each day."""
        days = DECEMBER.date(), date(2027, 1, 27)
        return {day: {"USD": Decimal("1.1172")} for day in days}


def make_bus() -> None:
    """Make the bus that events are put on, once for all tests of this process."""
    with suppress(boto3.client("events").exceptions.ResourceAlreadyExistsException):
        boto3.client("events").create_event_bus(Name=config.event_bus())


@contextmanager
def new_world(lanes: int = 1) -> Iterator[World]:
    """Make a world, for as long as it is needed."""
    name = f"world-{uuid4().hex}"
    with pytest.MonkeyPatch.context() as patch:
        world = World(resources.create(name, impatient=True), lanes=lanes)
        make_bus()
        for setting, value in resources.settings(world.names).items():
            patch.setenv(setting, value)
        patch.setattr("billing.clock.now", lambda: world.now)
        patch.setattr("secrets.token_hex", world.draw)
        patch.setattr(
            "tests.integration.billing.uuid4", lambda: UUID(int=world.dice.getrandbits(128))
        )
        patch.setattr("billing.persistence.billing_runs.BATCH_ACCOUNTS", 1)
        patch.setattr("functions.documents.app.render", _print)
        patch.setattr(DocumentsFunction, "make_pdf", _make_pdf)
        patch.setattr("functions.deliver_webhooks.app.WebhookSender", _Sender)
        patch.setattr("functions.send_invoice.app.Mailer", lambda: _Mailer(world))
        patch.setattr("functions.send_fiscal_records.app._agency", lambda _: _Agency(world))
        patch.setattr("billing.services.send_fiscal_records.MESSAGE_SECONDS", 10)
        patch.setattr("functions.lookups.app.Vies", _Vies)
        patch.setattr("functions.lookups.app.ReferenceRates", _Rates)
        for setting in ("VIES_URL", "EXCHANGE_RATES_URL"):
            patch.setenv(setting, "https://outside.example.com/")
        for module in ("deliver_webhooks", "webhooks"):
            patch.setattr(f"functions.{module}.app.webhooks_key", lambda: b"key")
        patch.setattr("billing_cli.dead_letters.WAIT_SECONDS", 0)
        patch.setattr(RetryQuota, "acquire", lambda *_: True)
        try:
            world.begin()
            yield world
        finally:
            resources.delete(name)


def _print(invoice: IssuedInvoice, *_: Any) -> bytes:
    """Render an invoice in no time."""
    return repr(invoice).encode()


def _make_pdf(_: Any, key: InvoiceKey) -> None:
    call("documents", asdict(key))


def _told(items: Json) -> Json:
    """Read the events: each once, by its id; their order and times are those of publication."""
    told: Json = {}
    last: dict[str, int] = {}
    for key, item in sorted(items.items()):
        if "event" in item:
            said = json.loads(item["event"]["S"])
            assert said["id"] not in told
            told[said["id"]] = said["type"], said["data"]
            feed, position = key.split(" ")
            assert int(position) == last.get(feed, 0) + 1
            last[feed] = int(position)
    return told


def _delivered(items: Json) -> Json:
    """
    Read which endpoints there are, and which events each has.

    How often one was tried depends on the order, and what one had when it went away.
    """
    endpoints: Json = {}
    for item in items.values():
        if "endpoint" in item:
            url = json.loads(item["endpoint"]["S"])["url"]
            assert ("disabled_at" in item) == (url == GONE)
            endpoints[json.loads(item["endpoint"]["S"])["id"]] = url, set()
    for item in items.values():
        if "delivery" in item:
            said = json.loads(item["delivery"]["S"])
            url, events = endpoints[said["endpoint_id"]]
            assert said["status"] == ("failed" if url == GONE else "delivered")
            if url != GONE:
                events.add(said["event_id"])
    return endpoints


def _mailed(items: Json, mails: Counter[str]) -> Json:
    """
    Read how far mails and fiscal records are.

    Each mail went out once. How often messages to the tax agency were tried, when, and whether the
    answer was lost, is left out.
    """
    sent = {}
    for key, item in items.items():
        if "mail_status" in item:
            pk, sk = key.split(" ")
            sent[" ".join([*pk.split("#")[1:], sk.split("#")[1]])] = item["mail_status"]["S"]
    assert mails == dict.fromkeys(sent, 1)
    return {key: item.get("mail_status") or _declared(item) for key, item in items.items()}


def _declared(item: Json) -> Json:
    """Read how far a fiscal record is, or the sending of all; other items as they are."""
    if item["sk"]["S"] == "sending":
        return {name: item[name] for name in ("tried_through", "answered_through")}
    return {name: value for name, value in item.items() if name != "fiscal_verdict"}


def _linked(items: Json) -> Json:
    """Count the links of each document; they are random."""
    return Counter(key.split(" ")[0] for key in items if key.startswith("invoice#"))


def _items(table: str) -> Json:
    pages = aws.dynamodb().get_paginator("scan").paginate(TableName=table)
    items = (item for page in pages for item in page["Items"])
    return {f"{item['pk']['S']} {item['sk']['S']}": item for item in items}


def _digest(bucket: str, key: str) -> str:
    return sha256(aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()


def id_of(message: Json) -> str:
    """Tell what a function names a message by."""
    return str(message.get("messageId") or message["dynamodb"]["SequenceNumber"])


def _group(message: Json) -> str | None:
    """Tell the group of a message of a FIFO queue."""
    group: str | None = message.get("attributes", {}).get("MessageGroupId")
    return group


def _is_stream(source: template.Source) -> bool:
    return source.type == "DynamoDB"


def _logical_id(reference: str) -> str:
    return reference.removesuffix(".Arn").removesuffix(".StreamArn")
