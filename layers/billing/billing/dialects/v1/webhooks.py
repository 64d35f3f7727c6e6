"""v1 billing: webhook endpoints, and what is delivered to them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from billing.dialects.fields import Dto, Instant
from billing.domain.events import EventType
from billing.domain.webhooks import Delivery, DeliveryStatus, Endpoint

_Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class WebhookEndpointRequestDTO(Dto):
    """An endpoint that is to be created."""

    url: _Url = Field(
        description="The https address that events are sent to. Its host must have public "
        "addresses only; redirects are not followed."
    )
    types: list[Annotated[EventType, Field(strict=False)]] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="The types of events that are sent. Default: all, also those of later "
        "releases.",
    )


class WebhookEndpointCreatedResponseDTO(Dto):
    """The secret of an endpoint."""

    id: str = Field(description="The id of the endpoint, to delete it or rotate its secret by.")
    secret: str = Field(
        description="What deliveries are signed with, in the form of Standard Webhooks "
        "(`whsec_…`); this is the only time it is shown."
    )


class WebhookEndpointResponseDTO(Dto):
    """An endpoint, without its secret."""

    id: str = Field(description="The id of the endpoint, to delete it or rotate its secret by.")
    url: str = Field(description="The https address that events are sent to by POST.")
    types: list[EventType] | None = Field(
        description="The types of events that are sent; null for all."
    )
    created_at: Instant = Field(description="When it was created, in UTC. Later events are sent.")
    failing_since: Instant | None = Field(
        description="The first failure after the last success, in UTC; null while all is well."
    )
    disabled_at: Instant | None = Field(
        description="When it was disabled, in UTC, as it answered 410 or failed for five days; "
        "null while events are sent."
    )

    @classmethod
    def from_domain(cls, endpoint: Endpoint) -> "WebhookEndpointResponseDTO":
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            types=sorted(endpoint.types) or None,
            created_at=endpoint.created_at,
            failing_since=endpoint.failing_since,
            disabled_at=endpoint.disabled_at,
        )


class WebhookEndpointListDTO(Dto):
    """The endpoints of an org."""

    webhook_endpoints: list[WebhookEndpointResponseDTO] = Field(
        description="All webhook endpoints of the org, the oldest first."
    )


class WebhookDeliveryResponseDTO(Dto):
    """How far the delivery of an event to an endpoint is."""

    id: str = Field(description="The id of the delivery, to replay it by.")
    event_id: str = Field(description="The id of the event: the `webhook-id` of each try.")
    status: DeliveryStatus = Field(
        description="`pending` while it is tried, `delivered` once the endpoint answered 2xx, "
        "`failed` when it is tried no more."
    )
    attempts: int = Field(description="How often the delivery was tried so far, replays included.")
    response_status: int | None = Field(
        description="The HTTP status of the last answer; null where there was none."
    )
    next_attempt_at: Instant | None = Field(
        description="When it is tried again, in UTC; null if it is not, or has not been tried yet."
    )

    @classmethod
    def from_domain(cls, delivery: Delivery) -> "WebhookDeliveryResponseDTO":
        return cls(
            id=delivery.id,
            event_id=delivery.event_id,
            status=delivery.status,
            attempts=delivery.attempts,
            response_status=delivery.response_status,
            next_attempt_at=delivery.next_attempt_at,
        )


class WebhookDeliveryListDTO(Dto):
    """A page of the deliveries of an endpoint."""

    deliveries: list[WebhookDeliveryResponseDTO] = Field(
        description="The deliveries of this page, those of the newest events first."
    )
    next_cursor: str | None = Field(
        description="Send it as `cursor` to get the next page; null on the last page."
    )
