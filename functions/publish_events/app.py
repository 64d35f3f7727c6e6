"""Publish events: draw them from the streams of the tables, into the feeds of their orgs."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, deadline
from billing.api.logger import logger
from billing.api.records import failures
from billing.persistence.events import MAX_EVENTS, EventRepository
from billing.persistence.item_events import draw
from billing.services.publish_events import publish_events


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle records of a stream; from the first that failed on, all come again."""
    deadline.start(context.get_remaining_time_in_millis())
    failed = publish_events(
        event["Records"],
        draw=draw,
        now=clock.now(),
        feed=EventRepository(),
        at_once=MAX_EVENTS,
    )
    return failures(failed, "not published")
