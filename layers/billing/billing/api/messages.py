"""Messages of queues: handled one after the other; those that fail come again after seconds."""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSEvent, SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import deadline
from billing.adapters.queues import hide
from billing.api.logger import kind_of, logger, report
from billing.domain.errors import UpstreamError

MAX_RECEIVES = 20
"""How often a message comes before it is a dead letter: maxReceiveCount of each queue."""
MAX_PAUSE_SECONDS = 300
"""With pauses that double up to this one, a message is tried for about an hour."""

MAX_HOPS = 10_000
"""
The limit of messages that led to a message, each of which caused the next.

A run of two million accounts takes a thousand. Lambda itself would end it after sixteen, which
template.yaml forbids where functions send on what they have no time for.
"""


class LoopError(Exception):
    """A message has more ancestors than any work takes: it would go on for ever."""


def take_messages(
    event: dict[str, Any],
    context: LambdaContext,
    take: Callable[[Any, int], None],
    *,
    queue: str,
    failure: str,
) -> dict[str, Any]:
    """
    Handle messages one after the other; return those that failed, in the form of Lambda.

    `take` gets each message, and the number of hops for the messages that it sends.

    In a FIFO queue, one that failed keeps back those behind it in its group.
    """
    deadline.start(context.get_remaining_time_in_millis())
    failed: dict[str, list[SQSRecord]] = {}
    for record in SQSEvent(event).records:
        group = record.attributes.message_group_id or record.message_id
        if group in failed:
            failed[group].append(record)
            continue
        try:
            message = json.loads(record.body)
            hops = message.pop("hops", 0)
            if hops > MAX_HOPS:
                raise LoopError
            take(message, hops + 1)
        except Exception as error:
            _log(failure, error, record)
            failed[group] = [record]
    _give_back(queue, failed)
    failures = [each.message_id for each in chain(*failed.values())]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failures]}


def _log(failure: str, error: Exception, record: SQSRecord) -> None:
    """Log a failure: as an error where it is the last, or will not pass by itself."""
    where = {"message_id": record.message_id, "receives": _receives(record)}
    if isinstance(error, UpstreamError) and _receives(record) < MAX_RECEIVES:
        logger.warning(failure, extra={"error": kind_of(error.__cause__ or error), **where})
    else:
        report("loop" if isinstance(error, LoopError) else failure, error, **where)


def _give_back(queue: str, failed: dict[str, list[SQSRecord]]) -> None:
    """
    Make failed messages visible again after a pause, before their visibility timeout ends.

    All of a group are given back: as long as one of them is hidden, none of the others comes.
    """
    pauses = {
        each.receipt_handle: min(2 ** _receives(records[0]), MAX_PAUSE_SECONDS)
        for records in failed.values()
        for each in records
    }
    if not pauses:
        return
    try:
        hide(queue, pauses)
    except Exception as error:
        logger.warning("not given back early", extra={"error": kind_of(error)})


def _receives(record: SQSRecord) -> int:
    return int(record.attributes.approximate_receive_count)
