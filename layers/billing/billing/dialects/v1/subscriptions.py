"""v1 billing: the subscriptions of an account."""

from collections.abc import Sequence

from pydantic import Field

from billing.dialects.fields import Dto


class SubscriptionDTO(Dto):
    """A subscription of an account."""

    subscription_id: str = Field(description="ID of the subscription.")


class SubscriptionListDTO(Dto):
    """A page of subscriptions, in the order of their ids."""

    subscriptions: list[SubscriptionDTO] = Field(description="The page.")
    next_cursor: str | None = Field(description="What to ask for the next page with, if any.")

    @classmethod
    def from_domain(cls, page: Sequence[str], next_cursor: str | None) -> "SubscriptionListDTO":
        subscriptions = [SubscriptionDTO(subscription_id=each) for each in page]
        return cls(subscriptions=subscriptions, next_cursor=next_cursor)
