"""Deliver webhooks: send each event to the endpoints that take it, until they have it."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config, deadline
from billing.adapters.queues import WebhooksQueue
from billing.adapters.secrets import webhooks_key
from billing.adapters.webhooks import WebhookSender
from billing.api.logger import logger
from billing.api.messages import take_messages
from billing.api.records import failures
from billing.persistence.events import event_of, org_of_feed
from billing.persistence.webhooks import WebhookRepository
from billing.services.deliver_webhooks import deliver, fan_out, sweep

FAILED = "webhook failed"
"""What is logged of each try that failed; the template's alarm counts it."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle new events from the stream of their table, or messages of the webhooks queue."""
    if event["Records"][0]["eventSource"] == "aws:dynamodb":
        deadline.start(context.get_remaining_time_in_millis())
        return failures(_fan_out(event["Records"]), "not delivered")
    queue = config.webhooks_queue()
    return take_messages(event, context, _take, queue=queue, failure="not delivered")


def _fan_out(records: list[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Exception]]:
    """Have events delivered; yield the records that failed: of an org all or none."""
    readable = []
    for record in records:
        try:
            item = record["dynamodb"]["NewImage"]
            readable.append((org_of_feed(item), record, event_of(item)))
        except Exception as error:
            yield record, error
    readable.sort(key=lambda each: each[0])
    for org_id, of_org in groupby(readable, key=lambda each: each[0]):
        some = list(of_org)
        webhooks = WebhookRepository()
        try:
            fan_out(
                org_id,
                [each for _, _, each in some],
                webhooks.list_endpoints(org_id),
                webhooks=webhooks,
                queue=WebhooksQueue(),
            )
        except Exception as error:
            yield from ((record, error) for _, record, _ in some)


def _take(message: dict[str, Any], hops: int) -> None:
    if "sweep" in message:
        sweep(clock.now(), webhooks=WebhookRepository(), queue=WebhooksQueue(hops))
        return
    outcome = deliver(
        **message,
        clock=clock.now,
        key=webhooks_key,
        webhooks=WebhookRepository(),
        sender=WebhookSender(loopback=config.webhooks_to_loopback()),
        queue=WebhooksQueue(hops),
    )
    if outcome and not outcome.is_success:
        where = {name: message[name] for name in ("org_id", "endpoint_id")}
        logger.info(FAILED, extra={"status": outcome.status, **where})
