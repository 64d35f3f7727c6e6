"""v1 billing: the subscriptions of an account."""

from collections.abc import Sequence

from pydantic import Field

from billing.dialects.fields import Dto, NextCursor


class SubscriptionDTO(Dto):
    """A subscription of an account."""

    subscription_id: str = Field(description="Id of the subscription, unique in the org.")


class SubscriptionListDTO(Dto):
    """A page of subscriptions, in the order of their ids."""

    subscriptions: list[SubscriptionDTO] = Field(
        description="The subscriptions of this page, by id."
    )
    next_cursor: NextCursor

    @classmethod
    def from_domain(cls, page: Sequence[str], next_cursor: str | None) -> "SubscriptionListDTO":
        subscriptions = [SubscriptionDTO(subscription_id=each) for each in page]
        return cls(subscriptions=subscriptions, next_cursor=next_cursor)
