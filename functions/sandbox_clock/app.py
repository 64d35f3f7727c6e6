"""Sandbox clock: read and set the clock of a sandbox org."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.api.access import ORG_ADMIN, READER
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import OrgId
from billing.dialects.v1.sandbox_clock import SandboxClockDTO
from billing.persistence.org_time import get_clock
from billing.persistence.sandbox_clocks import SandboxClockRepository
from billing.services.set_sandbox_clock import set_sandbox_clock

app = BillingApp()

CLOCK = "/v1/orgs/<orgId>/sandbox_clock"
TAGS = ["v1 sandbox clock"]


@app.get(CLOCK, security=READER, tags=TAGS)
def get_sandbox_clock(org_id: OrgId) -> SandboxClockDTO:
    """Get the time on the clock of a sandbox org

    Use it in tests of your integration; null is the present.
    """
    app.caller.must_be_in_sandbox()
    return SandboxClockDTO(now=get_clock(org_id).now)


@app.put(CLOCK, security=ORG_ADMIN, status_code=204, tags=TAGS)
def put_sandbox_clock(org_id: OrgId, request: SandboxClockDTO) -> Response[None]:
    """Set the clock of a sandbox org

    Use it to play years of billing in minutes: move on to the day after a cycle, then start a
    billing run.

    Its dates, cycles and billing runs use this time.

    Refused with 409 if the org has issued documents, and the time is before that of its clock
    (`CLOCK_BACKWARDS`).
    """
    app.caller.must_be_in_sandbox()
    set_sandbox_clock(org_id, request.now, present=clock.now(), clocks=SandboxClockRepository())
    return no_content()


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
