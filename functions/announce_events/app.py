"""Announce events: put each on the bus of EventBridge that the stack names."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import deadline
from billing.adapters.event_bus import MAX_EVENTS, EventBus, NotTakenError
from billing.api.logger import logger
from billing.api.records import failures
from billing.persistence.events import event_of

type Record = Mapping[str, Any]


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle new events from the stream of their table; what the bus does not take comes again."""
    deadline.start(context.get_remaining_time_in_millis())
    return failures(_announce(event["Records"]), "not announced")


def _announce(records: Sequence[Record]) -> Iterator[tuple[Record, Exception]]:
    """Put the events of some records on the bus; yield the records that failed."""
    readable = []
    for record in records:
        try:
            readable.append((record, event_of(record["dynamodb"]["NewImage"])))
        except Exception as error:
            yield record, error
    bus = EventBus()
    for some in batched(readable, MAX_EVENTS, strict=False):
        try:
            refused = bus.put([event for _, event in some])
        except Exception as error:
            yield from ((record, error) for record, _ in some)
            continue
        yield from ((record, NotTakenError()) for record, event in some if event in refused)
