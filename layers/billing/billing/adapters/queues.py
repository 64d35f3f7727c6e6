"""
The queues of billing runs, audits, lookups, webhooks, mails and fiscal records.

    queue     message                                        who takes it
    runs      {org_id, run_id}: list the run's accounts      functions/dispatch_billing
              {after}: start the daily runs of all orgs
              behind this one
    batches   {org_id, run_id, number, until, account_ids,   functions/bill_accounts
               lanes}
    lookups   {ask: "exchange rates"}: fetch them              functions/lookups
              {ask: "vat numbers", after}: have those of all
              orgs behind this one checked
              {ask: "vat numbers", org_id, after}: check the
              org's, from a place in its list on
    audits    {org_id, lane, last, last_hash, position,      functions/audit
               hash, sequences}:
              verify the documents behind `position`
              {after}: have all orgs behind this one audited
    webhooks  {org_id, endpoint_id, position}: try a         functions/deliver_webhooks
              delivery
              {sweep: true}: queue deliveries that are due
    mail      {org_id, account_id, ordinal, mail_id}: send     functions/send_invoice
              a mail
              an event of SES, as EventBridge has it: a mail
              bounced, or its receiver complained
    fiscal    {org_id}: send what is pending of the org      functions/send_fiscal_records
    records   {after}: queue all orgs behind this one that
              have unsent records

The schedules send {after: ""}, what lookups ask, and {sweep: true}. `batches` is first in, first
out within an org's lane: one function at a time numbers its documents. Every message may come
twice, and late. Besides these fields, a message has its `hops`: the number of messages before it,
each of which caused the next.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from itertools import batched
from math import ceil
from typing import TYPE_CHECKING, Any

from billing import config
from billing.aws import call, sqs
from billing.domain.billing_runs import Batch
from billing.domain.errors import UpstreamFailedError
from billing.domain.invoices import InvoiceKey
from billing.domain.records import known

if TYPE_CHECKING:
    from billing.domain.chains import Stretch
    from billing.domain.webhooks import Delivery

_MESSAGES_AT_ONCE = 10


class RunsQueue:
    """The queue of runs whose accounts are to be listed."""

    def __init__(self, hops: int = 0) -> None:
        self._url, self._hops = config.runs_queue(), hops

    def send_run(self, org_id: str, run_id: str) -> None:
        _send(self._url, {"org_id": org_id, "run_id": run_id, "hops": self._hops})

    def send_daily(self, after: str) -> None:
        """Send the message that starts the daily runs of all orgs after `after`."""
        _send(self._url, {"after": after, "hops": self._hops})


class AuditsQueue:
    """The queue of lanes, or parts of lanes, to be verified."""

    def __init__(self, hops: int = 0) -> None:
        self._url, self._hops = config.audits_queue(), hops

    def send_stretch(self, stretch: "Stretch") -> None:
        _send(self._url, {**asdict(stretch), "hops": self._hops})

    def send_orgs(self, after: str) -> None:
        """Send the message that starts the audit of all orgs after `after`."""
        _send(self._url, {"after": after, "hops": self._hops})


class LookupsQueue:
    """The queue of requests to outside services: VIES and the ECB."""

    def __init__(self, hops: int = 0) -> None:
        self._url, self._hops = config.lookups_queue(), hops

    def send_orgs(self, after: str) -> None:
        """Send the message that has the VAT numbers of all orgs after `after` checked."""
        _send(self._url, {"ask": "vat numbers", "after": after, "hops": self._hops})

    def send_org(self, org_id: str, after: str) -> None:
        """Send the message that has the VAT numbers of an org checked."""
        message = {"ask": "vat numbers", "org_id": org_id, "after": after}
        _send(self._url, {**message, "hops": self._hops})


class FiscalRecordsQueue:
    """The queue of orgs whose fiscal records are to be sent."""

    def __init__(self, hops: int = 0) -> None:
        self._url, self._hops = config.fiscal_records_queue(), hops

    def send_org(self, org_id: str) -> None:
        """Send the message that has the pending records of an org sent."""
        _send(self._url, {"org_id": org_id, "hops": self._hops})

    def send_orgs(self, after: str) -> None:
        """Send the message that queues all orgs behind `after` that have unsent records."""
        _send(self._url, {"after": after, "hops": self._hops})


class WebhooksQueue:
    """The queue of deliveries to be tried."""

    def __init__(self, hops: int = 0) -> None:
        self._url, self._hops = config.webhooks_queue(), hops

    def send(self, deliveries: "Iterable[Delivery]", delay: timedelta = timedelta()) -> None:
        """Send deliveries, to be tried after a delay of at most 15 minutes."""
        for some in batched(deliveries, _MESSAGES_AT_ONCE, strict=False):
            entries: Any = [
                {
                    "Id": str(place),
                    "MessageBody": json.dumps(
                        {
                            "org_id": each.org_id,
                            "endpoint_id": each.endpoint_id,
                            "position": each.position,
                            "hops": self._hops,
                        }
                    ),
                    "DelaySeconds": ceil(delay.total_seconds()),
                }
                for place, each in enumerate(some)
            ]
            answer = call(sqs().send_message_batch, QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise UpstreamFailedError

    def send_sweep(self) -> None:
        """Send the message that has more of what is due queued."""
        _send(self._url, {"sweep": True, "hops": self._hops})


class MailQueue:
    """The queue of mails to be sent."""

    def __init__(self, hops: int = 0) -> None:
        self._url, self._hops = config.mail_queue(), hops

    def send(self, key: InvoiceKey, mail_id: str, delay: timedelta = timedelta()) -> None:
        """Send a mail's message, to be taken after a delay of at most 15 minutes."""
        message = {**asdict(key), "mail_id": mail_id}
        _send(self._url, {**message, "hops": self._hops}, delay)


class BatchesQueue:
    """The queue of batches of accounts to be billed."""

    def __init__(self, hops: int = 0) -> None:
        self._url, self._hops = config.batches_queue(), hops

    def send(self, batches: Iterable[Batch]) -> None:
        """Send batches; those sent again within five minutes come once."""
        for some in batched(batches, _MESSAGES_AT_ONCE, strict=False):
            entries: Any = [
                {
                    "Id": str(batch.number),
                    "MessageBody": json.dumps({**_message(batch), "hops": self._hops}),
                    "MessageGroupId": f"{batch.org_id}#{batch.lane.letter}",
                    "MessageDeduplicationId": f"{batch.org_id}#{batch.run_id}#{batch.number}",
                }
                for batch in some
            ]
            answer = call(sqs().send_message_batch, QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise UpstreamFailedError


def to_batch(message: Mapping[str, Any]) -> Batch:
    """Read a message of the queue."""
    return Batch(**{**known(Batch, message), "until": date.fromisoformat(message["until"])})


def hide(url: str, seconds: Mapping[str, int]) -> None:
    """
    Hide received messages for that many more seconds, by their receipt handles.

    One that is not ours any more stays as it is.
    """
    entries: Any = [
        {"Id": str(place), "ReceiptHandle": handle, "VisibilityTimeout": each}
        for place, (handle, each) in enumerate(seconds.items())
    ]
    call(sqs().change_message_visibility_batch, QueueUrl=url, Entries=entries)


def _send(url: str, message: Mapping[str, Any], delay: timedelta = timedelta()) -> None:
    """Send one message."""
    later: Any = {"DelaySeconds": ceil(delay.total_seconds())} if delay else {}
    call(sqs().send_message, QueueUrl=url, MessageBody=json.dumps(message), **later)


def _message(batch: Batch) -> dict[str, Any]:
    return {
        "org_id": batch.org_id,
        "run_id": batch.run_id,
        "number": batch.number,
        "until": batch.until.isoformat(),
        "account_ids": list(batch.account_ids),
        "lanes": batch.lanes,
    }
