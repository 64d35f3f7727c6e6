"""
The queues of billing runs and audits.

    queue     message                                        who takes it
    runs      {org_id, run_id}: list the run's accounts      functions/dispatch_billing
              {after}: start the daily runs of all orgs
              behind this one
    batches   {org_id, run_id, number, until, account_ids}   functions/bill_accounts
    audits    {org_id, lane, last, last_hash, position,      functions/audit
               hash, sequences}:
              verify the documents behind `position`
              {after}: have all orgs behind this one audited

The schedules send {after: ""}. `batches` is first in, first out within an org's lane: one function
at a time numbers its documents. Every message may come twice, and late.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from itertools import batched
from typing import Any

from billing import config
from billing.aws import call, sqs
from billing.domain.billing_runs import Batch
from billing.domain.chains import Stretch
from billing.domain.errors import UpstreamFailedError
from billing.domain.issuing import LANE

_MESSAGES_AT_ONCE = 10


class RunsQueue:
    """The queue of runs whose accounts are to be listed."""

    def __init__(self) -> None:
        self._url = config.runs_queue()

    def send_run(self, org_id: str, run_id: str) -> None:
        _send(self._url, {"org_id": org_id, "run_id": run_id})

    def send_daily(self, after: str) -> None:
        """Send the message that starts the daily runs of all orgs after `after`."""
        _send(self._url, {"after": after})


class AuditsQueue:
    """The queue of lanes, or parts of lanes, to be verified."""

    def __init__(self) -> None:
        self._url = config.audits_queue()

    def send_stretch(self, stretch: Stretch) -> None:
        _send(self._url, asdict(stretch))

    def send_orgs(self, after: str) -> None:
        """Send the message that has all orgs after `after` audited."""
        _send(self._url, {"after": after})


class BatchesQueue:
    """The queue of batches of accounts to be billed."""

    def __init__(self) -> None:
        self._url = config.batches_queue()

    def send(self, batches: Iterable[Batch]) -> None:
        """Send batches; those sent again within five minutes come once."""
        for some in batched(batches, _MESSAGES_AT_ONCE, strict=False):
            entries: Any = [
                {
                    "Id": str(batch.number),
                    "MessageBody": _message(batch),
                    "MessageGroupId": f"{batch.org_id}#{LANE}",
                    "MessageDeduplicationId": f"{batch.org_id}#{batch.run_id}#{batch.number}",
                }
                for batch in some
            ]
            answer = call(sqs().send_message_batch, QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise UpstreamFailedError


def to_batch(message: str) -> Batch:
    """Read a message of the queue."""
    fields = json.loads(message)
    return Batch(**{**fields, "until": date.fromisoformat(fields["until"])})


def _send(url: str, message: Mapping[str, Any]) -> None:
    call(sqs().send_message, QueueUrl=url, MessageBody=json.dumps(message))


def _message(batch: Batch) -> str:
    return json.dumps(
        {
            "org_id": batch.org_id,
            "run_id": batch.run_id,
            "number": batch.number,
            "until": batch.until.isoformat(),
            "account_ids": list(batch.account_ids),
        }
    )
