"""Billing runs: start one, list them, and get the progress of one."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.adapters.queues import RunsQueue
from billing.api import cursors
from billing.api.access import ORG_ADMIN, ORG_READER
from billing.api.app import BillingApp, created
from billing.api.locations import location
from billing.api.logger import logger
from billing.api.params import BillingRunId, Cursor, Limit, OrgId
from billing.dialects.v1.billing_runs import (
    BillingRunListDTO,
    BillingRunRequestDTO,
    BillingRunResponseDTO,
)
from billing.dialects.v1.common import GenericCreatedResponseDTO
from billing.persistence.billing_runs import BillingRunRepository
from billing.services.run_billing import start_run

app = BillingApp()

RUNS = "/v1/orgs/<orgId>/billing_runs"
TAGS = ["v1 billing runs"]


@app.post(RUNS, security=ORG_ADMIN, status_code=201, tags=TAGS)
def create_billing_run(
    org_id: OrgId, request: BillingRunRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Bill every cycle that ends on or before a day

    Use it to bill at once, or again after a failure was cured; a run of the schedule does the same
    each night. It goes on after the answer: GET it until its status is `completed`.
    """
    started = start_run(
        org_id,
        request.until,
        request.external_id(request.external_billing_run_unique_id),
        now=clock.now(),
        org_time=app.org_time(),
        runs=BillingRunRepository(),
        queue=RunsQueue(),
    )
    return created(
        GenericCreatedResponseDTO(id=started.id),
        started,
        location(org_id, "billing_run", started.id),
    )


@app.get(RUNS, security=ORG_READER, tags=TAGS)
def list_billing_runs(org_id: OrgId, cursor: Cursor = None, limit: Limit = 25) -> BillingRunListDTO:
    """List the billing runs of the org, those of the schedule too, newest first

    Use it to see what was billed when, and whether a run is under way.
    """
    scope = (app.caller.token_id, org_id, "billing_runs")
    after = cursors.decode_text(cursor, *scope)
    page, last = BillingRunRepository().list_page(org_id, after, limit)
    return BillingRunListDTO.from_domain(page, cursors.encode_text(last, *scope) if last else None)


@app.get(f"{RUNS}/<runId>", security=ORG_READER, tags=TAGS)
def get_billing_run(org_id: OrgId, run_id: BillingRunId) -> BillingRunResponseDTO:
    """Get the progress of a billing run, and the accounts it could not bill

    Use it to wait for the end of a run, and to see which accounts need something before they can be
    billed.
    """
    return BillingRunResponseDTO.with_failures(
        *BillingRunRepository().get_with_failures(org_id, run_id)
    )


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
