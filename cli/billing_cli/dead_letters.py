"""Dead letters: what failed until its queue or stream gave up on it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from uuid import uuid4

import boto3
from botocore.exceptions import ClientError

from billing import clock
from billing.adapters.documents import DocumentsFunction
from billing.adapters.event_bus import EventBus, NotTakenError
from billing.adapters.queues import MailQueue, WebhooksQueue
from billing.domain.errors import BillingError, NotFoundError
from billing.domain.mails import FIRST, is_mailed
from billing.persistence.events import MAX_EVENTS, EventRepository, event_of, org_of_feed
from billing.persistence.invoice_items import invoice_of_document
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.item_events import draw
from billing.persistence.webhooks import WebhookRepository
from billing.services.deliver_webhooks import fan_out
from billing.services.publish_events import publish_events
from billing_cli.stack import resources

BATCH = 10
WAIT_SECONDS = 1
EMPTY_READS = 100
"""Empty reads in a row after which a record is no longer searched for."""


class Letters(Protocol):
    """The dead letters of one queue."""

    def count(self) -> int:
        """Return the approximate number of dead letters."""

    def replay(self) -> tuple[int, int]:
        """Send all for another try; return the numbers of those sent and left."""


def queues(stack: str) -> Iterator[tuple[str, Letters]]:
    """List the dead letter queues of a stack, by their names in the template."""
    sqs = boto3.client("sqs")
    urls = resources(stack, "AWS::SQS::Queue")
    attributes = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for name, url in urls.items()
    }
    sources = {
        json.loads(each["RedrivePolicy"])["deadLetterTargetArn"]: urls[name]
        for name, each in attributes.items()
        if "RedrivePolicy" in each
    }
    for name, each in sorted(attributes.items()):
        if each["QueueArn"] in sources:
            yield name, Messages(sqs, urls[name], sources[each["QueueArn"]])
        elif name in STREAMS:
            yield name, StreamRecords(sqs, urls[name], STREAMS[name])


class Queue:
    """One queue of dead letters."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url

    def count(self) -> int:
        name = "ApproximateNumberOfMessages"
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def replay(self) -> tuple[int, int]:
        replayed, left = 0, set[str]()
        while new := [each for each in self._receive() if each["MessageId"] not in left]:
            for message in new:
                if self.again(message):
                    self._sqs.delete_message(
                        QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                    )
                    replayed += 1
                else:
                    left.add(message["MessageId"])
        return replayed, len(left)

    def again(self, message: Mapping[str, Any]) -> bool:
        """Try one again; return whether it is done."""
        raise NotImplementedError

    def _receive(self) -> list[Any]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=WAIT_SECONDS,
        )
        return list(answer.get("Messages", []))


class Messages(Queue):
    """Messages of another queue, which go back there."""

    def __init__(self, sqs: Any, url: str, source: str) -> None:
        super().__init__(sqs, url)
        self._source = source

    def again(self, message: Mapping[str, Any]) -> bool:
        """Send a message to where it came from; of a FIFO queue, in the group it was in."""
        group = message["Attributes"].get("MessageGroupId")
        self._sqs.send_message(
            QueueUrl=self._source,
            MessageBody=message["Body"],
            MessageAttributes=message.get("MessageAttributes", {}),
            **({"MessageGroupId": group, "MessageDeduplicationId": uuid4().hex} if group else {}),
        )
        return True


class StreamRecords(Queue):
    """
    Dead letters of a stream: positions in it of records that could not be processed.

    A stream keeps its records for a day. `redo` makes of a record what its function would have.
    """

    def __init__(self, sqs: Any, url: str, redo: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(sqs, url)
        self._redo = redo

    def again(self, message: Mapping[str, Any]) -> bool:
        """Process the records again."""
        try:
            for record in _records(json.loads(message["Body"])["DDBStreamBatchInfo"]):
                self._redo(record)
        except (BillingError, ClientError, KeyError, TypeError, ValueError):
            return False
        return True


def _make_pdf(record: Mapping[str, Any]) -> None:
    """Make the PDF of a new document, and have it mailed where that is wanted."""
    keys = record["dynamodb"]["Keys"]
    if record["eventName"] == "INSERT" and keys["sk"]["S"] == "document":
        key = invoice_of_document(keys["pk"]["S"])
        DocumentsFunction().make_pdf(key)
        invoice, _ = InvoiceRepository().get_document(key)
        if is_mailed(invoice):
            MailQueue().send(key, FIRST)


def _publish(record: Mapping[str, Any]) -> None:
    """Publish the events of a record, or have a published one delivered. Raise what went wrong."""
    item = record["dynamodb"].get("NewImage", {})
    if "event" in item:
        org_id, webhooks = org_of_feed(item), WebhookRepository()
        endpoints = webhooks.list_endpoints(org_id)
        fan_out(org_id, [event_of(item)], endpoints, webhooks=webhooks, queue=WebhooksQueue())
        return
    failed = publish_events(
        [record], draw=draw, now=clock.now(), feed=EventRepository(), at_once=MAX_EVENTS
    )
    for _, error in failed:
        raise error


def _announce(record: Mapping[str, Any]) -> None:
    """Put a published event on the bus. Raise NotTakenError where that does not take it."""
    item = record["dynamodb"].get("NewImage", {})
    if "event" in item and EventBus().put([event_of(item)]):
        raise NotTakenError


STREAMS = {
    "AnnouncementsDeadLetters": _announce,
    "DocumentsDeadLetters": _make_pdf,
    "EventsDeadLetters": _publish,
}
"""How the records of a dead letter are processed, by the queue that keeps it."""


def _records(where: Mapping[str, Any]) -> Iterator[Any]:
    """
    Read a part of a stream, both ends included.

    Raise NotFoundError if its end is not found.
    """
    streams = boto3.client("dynamodbstreams")
    iterator = streams.get_shard_iterator(
        StreamArn=where["streamArn"],
        ShardId=where["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=where["startSequenceNumber"],
    ).get("ShardIterator")
    empty = 0
    while iterator and empty < EMPTY_READS:
        answer = streams.get_records(ShardIterator=iterator, Limit=1000)
        for record in answer["Records"]:
            at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
            yield {
                **record,
                "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": at},
            }
            if record["dynamodb"]["SequenceNumber"] == where["endSequenceNumber"]:
                return
        empty = 0 if answer["Records"] else empty + 1
        iterator = answer.get("NextShardIterator")
    raise NotFoundError
