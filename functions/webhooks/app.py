"""Webhooks: an org reads what has happened, or is told of it at its endpoints."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config, deadline
from billing.adapters.queues import WebhooksQueue
from billing.adapters.secrets import webhooks_key
from billing.api import cursors
from billing.api.access import ORG_ADMIN, ORG_READER
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import Cursor, Limit, OrgId, WebhookDeliveryId, WebhookEndpointId
from billing.dialects.v1.events import EventDTO, EventListDTO
from billing.dialects.v1.webhooks import (
    WebhookDeliveryListDTO,
    WebhookDeliveryResponseDTO,
    WebhookEndpointCreatedResponseDTO,
    WebhookEndpointListDTO,
    WebhookEndpointRequestDTO,
    WebhookEndpointResponseDTO,
)
from billing.domain.errors import InvalidRequestError
from billing.domain.events import FeedPlace
from billing.domain.webhooks import Endpoint, check_url, secret_of
from billing.persistence.events import EventRepository
from billing.persistence.webhooks import WebhookRepository
from billing.services.deliver_webhooks import replay
from billing.services.read_events import read_events

app = BillingApp(hands_out_access=True)

ENDPOINTS = "/v1/orgs/<orgId>/webhook_endpoints"
ENDPOINT = f"{ENDPOINTS}/<endpointId>"
DELIVERIES = f"{ENDPOINT}/deliveries"
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

    Use it to follow what happens, as often as you like, instead of webhooks or beside them.

    The feed is complete and in a stable order: if you ask on with `next_after`, you miss no event
    and get none twice. Events are kept for 30 days.

    Refused with 400 `EVENTS_EXPIRED` if `after` is too old: then read the resources anew.
    """
    scope = (org_id, "events")
    place = _to_place(cursors.decode(after, *scope, field="after"))
    events, following = read_events(org_id, place, limit, now=clock.now(), feed=EventRepository())
    return EventListDTO(
        events=[EventDTO.from_domain(event) for event in events],
        next_after=cursors.encode(_written(following), *scope),
    )


@app.post(ENDPOINTS, security=ORG_ADMIN, status_code=201, tags=TAGS)
def create_webhook_endpoint(
    org_id: OrgId, request: WebhookEndpointRequestDTO
) -> Response[WebhookEndpointCreatedResponseDTO]:
    """Create an endpoint that events are sent to, and show its secret once

    Use it to be told of events within seconds.

    Deliveries are signed as Standard Webhooks 1.0.0 says. What happened before is not sent.

    Refused with 409 if the org has as many as it may have (`TOO_MANY_ENDPOINTS`). Sent again, it
    creates one more: list the endpoints, and delete what is too much.
    """
    url = check_url(request.url, loopback=config.webhooks_to_loopback())
    webhooks, key, types = WebhookRepository(), webhooks_key(), request.types or ()

    def create() -> Endpoint:
        others = webhooks.list_endpoints(org_id)
        endpoint = Endpoint.new(org_id, url, types, clock.now(), others)
        webhooks.add_endpoint(endpoint)
        return endpoint

    return _with_secret(deadline.retry(create), key)


@app.get(ENDPOINTS, security=ORG_ADMIN, tags=TAGS)
def list_webhook_endpoints(org_id: OrgId) -> WebhookEndpointListDTO:
    """List the endpoints, without their secrets

    Use it to see where events are sent, and whether an endpoint was disabled.
    """
    endpoints = WebhookRepository().list_endpoints(org_id)
    shown = [WebhookEndpointResponseDTO.from_domain(each) for each in endpoints]
    return WebhookEndpointListDTO(webhook_endpoints=shown)


@app.delete(ENDPOINT, security=ORG_ADMIN, status_code=204, tags=TAGS)
def delete_webhook_endpoint(org_id: OrgId, endpoint_id: WebhookEndpointId) -> Response[None]:
    """Delete an endpoint, and send nothing more to it

    Use it when an endpoint is not there any more, and before you replace one that was disabled.
    """
    webhooks = WebhookRepository()
    deadline.retry(lambda: webhooks.delete_endpoint(webhooks.get_endpoint(org_id, endpoint_id)))
    return no_content()


@app.post(f"{ENDPOINT}/rotate", security=ORG_ADMIN, status_code=201, tags=TAGS)
def rotate_webhook_secret(
    org_id: OrgId, endpoint_id: WebhookEndpointId
) -> Response[WebhookEndpointCreatedResponseDTO]:
    """Replace the secret of an endpoint, and show the new one once

    Use it when a secret may be known to others, or by habit once a year.

    For a day, deliveries are signed with the old one too.

    Sent again, it makes one more secret, and deliveries are signed with the last two.
    """
    webhooks, key = WebhookRepository(), webhooks_key()

    def rotate() -> Endpoint:
        endpoint = webhooks.get_endpoint(org_id, endpoint_id)
        rotated = endpoint.rotated(clock.now())
        webhooks.replace_endpoint(endpoint, rotated)
        return rotated

    return _with_secret(deadline.retry(rotate), key)


@app.get(DELIVERIES, security=ORG_ADMIN, tags=TAGS)
def list_webhook_deliveries(
    org_id: OrgId, endpoint_id: WebhookEndpointId, cursor: Cursor = None, limit: Limit = 25
) -> WebhookDeliveryListDTO:
    """List what is delivered to an endpoint, and how far that is, newest first

    Use it to see why an endpoint was not told of something.
    """
    webhooks = WebhookRepository()
    webhooks.get_endpoint(org_id, endpoint_id)
    scope = (app.caller.token_id, org_id, endpoint_id, "deliveries")
    after = cursors.decode(cursor, *scope)
    rows = webhooks.list_deliveries(org_id, endpoint_id, after, limit + 1)
    page, next_cursor = cursors.page(rows, limit, lambda each: each.id, *scope)
    return WebhookDeliveryListDTO(
        deliveries=[WebhookDeliveryResponseDTO.from_domain(each) for each in page],
        next_cursor=next_cursor,
    )


@app.post(f"{DELIVERIES}/<deliveryId>/replay", security=ORG_ADMIN, status_code=204, tags=TAGS)
def replay_webhook_delivery(
    org_id: OrgId, endpoint_id: WebhookEndpointId, delivery_id: WebhookDeliveryId
) -> Response[None]:
    """Try a delivery again, now and, if it fails, by the whole schedule

    Use it once an endpoint works again, for what it missed meanwhile.

    Refused with 409 if the endpoint was disabled (`ENDPOINT_DISABLED`). Sent again, the event is
    delivered once more, with the same `webhook-id`.
    """
    replay(
        org_id,
        endpoint_id,
        int(delivery_id),
        now=clock.now(),
        webhooks=WebhookRepository(),
        queue=WebhooksQueue(),
    )
    return no_content()


def _with_secret(endpoint: Endpoint, key: bytes) -> Response[WebhookEndpointCreatedResponseDTO]:
    secret = secret_of(key, endpoint, endpoint.generation)
    return Response(
        HTTPStatus.CREATED,
        content_types.APPLICATION_JSON,
        WebhookEndpointCreatedResponseDTO(id=endpoint.id, secret=secret),
        {"Location": f"/v1/orgs/{endpoint.org_id}/webhook_endpoints/{endpoint.id}"},
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


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
