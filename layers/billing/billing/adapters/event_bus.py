"""The bus of EventBridge that events are put on, for the rules of the operator."""

import json
from collections.abc import Sequence

from billing import config
from billing.aws import call, events
from billing.domain.errors import UpstreamBusyError
from billing.domain.events import PublishedEvent
from billing.domain.records import instant

SOURCE = "billing"
"""The source of all events, by which rules tell them from others."""

MAX_EVENTS = 10
"""Events that one request takes."""


class EventBus:
    """The bus that the stack's parameter names."""

    def __init__(self) -> None:
        self._name = config.event_bus()

    def put(self, some: Sequence[PublishedEvent]) -> list[PublishedEvent]:
        """Put at most ten events on the bus; return those that it did not take."""
        answer = call(
            events().put_events,
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": SOURCE,
                    "DetailType": each.type.value,
                    "Time": each.at,
                    "Detail": json.dumps(
                        {
                            "id": each.id,
                            "type": each.type.value,
                            "timestamp": instant(each.at),
                            "data": each.data,
                        }
                    ),
                }
                for each in some
            ],
        )
        answered = zip(some, answer["Entries"], strict=True)
        return [event for event, entry in answered if "ErrorCode" in entry]


class NotTakenError(UpstreamBusyError):
    """The bus did not take an event, mostly as there were too many."""

    code = "EVENT_NOT_TAKEN"

    def __init__(self) -> None:
        super().__init__("The bus did not take the event.")
