"""v1 billing: the clock of a sandbox org."""

from pydantic import Field

from billing.dialects.fields import Dto, Instant


class SandboxClockDTO(Dto):
    """The clock of a sandbox org."""

    now: Instant | None = Field(
        description="The current time of the org, until the clock is set again; null for the "
        "present. Any time before the org's first document; after that, only a later one."
    )
