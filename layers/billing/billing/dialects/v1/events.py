"""v1 billing: the feed of events."""

from pydantic import Field

from billing.dialects.fields import Dto, Instant
from billing.domain.events import EventType, PublishedEvent


class EventDTO(Dto):
    """Something that has happened, by the ids of what it has happened to."""

    id: str = Field(
        description="The id of the event. An event that reaches you twice has the same id."
    )
    type: EventType = Field(description="What happened, such as `invoice.paid`.")
    timestamp: Instant = Field(
        description="The instant of the change, in UTC to the second. Also for sandbox orgs it is "
        "real time."
    )
    data: dict[str, str | int] = Field(
        description="The ids by which the thing is fetched: `org_id`, then `account_id`, "
        "`invoice_id`, `payment_id`, `subscription_id`, `movement_id`, `refund_id` or "
        "`billing_run_id` where they apply; and its `version`, which counts its states from 1."
    )

    @classmethod
    def from_domain(cls, event: PublishedEvent) -> "EventDTO":
        return cls(id=event.id, type=event.type, timestamp=event.at, data=dict(event.data))


class EventListDTO(Dto):
    """A page of an org's events."""

    events: list[EventDTO] = Field(description="The events of this page, oldest first.")
    next_after: str = Field(
        description="Send it as `after` to get the events behind this page, at once or later. "
        "Where `events` is empty, nothing has happened yet: ask again with it."
    )
