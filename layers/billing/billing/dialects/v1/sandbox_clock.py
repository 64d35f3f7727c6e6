"""v1 billing: the clock of a sandbox org."""

from pydantic import Field

from billing.dialects.fields import Dto, Instant


class SandboxClockDTO(Dto):
    """The clock of a sandbox org."""

    now: Instant | None = Field(
        description="The time that the org lives at, until the clock is set anew; null is the "
        "present. Any time before the org's first document, forward only after that."
    )
