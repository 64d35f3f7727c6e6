"""Events: an org reads what has happened."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.api import cursors
from billing.api.access import ORG_READER
from billing.api.app import BillingApp
from billing.api.logger import logger
from billing.api.params import Limit, OrgId
from billing.dialects.v1.events import EventDTO, EventListDTO
from billing.domain.errors import InvalidRequestError
from billing.domain.events import FeedPlace
from billing.persistence.events import EventRepository
from billing.services.read_events import read_events

app = BillingApp(hands_out_access=True)

TAGS = ["v1 webhooks and events"]

_PLACE = re.compile("([0-9]{1,12}) ([0-9]{1,11})")

After = Annotated[
    str | None,
    Query(
        max_length=300,
        description="`next_after` of the page before. Omit to begin with the oldest event there "
        "is. It may be 30 days old at most.",
    ),
]


@app.get("/v1/orgs/<orgId>/events", security=ORG_READER, tags=TAGS)
def list_events(org_id: OrgId, after: After = None, limit: Limit = 25) -> EventListDTO:
    """List what has happened, oldest first

    The feed is complete and in a stable order: whoever asks on with `next_after` misses nothing,
    and gets nothing twice. Events are kept for 30 days.
    """
    scope = (org_id, "events")
    place = _to_place(cursors.decode(after, *scope, field="after"))
    events, following = read_events(org_id, place, limit, now=clock.now(), feed=EventRepository())
    return EventListDTO(
        events=[EventDTO.from_domain(event) for event in events],
        next_after=cursors.encode(_written(following), *scope),
    )


def _written(place: FeedPlace) -> str:
    return f"{place.position} {int(place.since.timestamp())}"


def _to_place(written: str | None) -> FeedPlace | None:
    if written is None:
        return None
    parts = _PLACE.fullmatch(written)
    if parts is None:
        raise InvalidRequestError.of("after", "is no place in this feed")
    return FeedPlace(int(parts[1]), datetime.fromtimestamp(int(parts[2]), UTC))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
