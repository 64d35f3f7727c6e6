"""Location tax: the tax of a place on a day, and the org's own rates."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.api.access import ORG_ADMIN, READER
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import OrgId
from billing.dialects.fields import Country, Date, Digits
from billing.dialects.v1.location_tax import LocationTaxDTO, LocationTaxRequestDTO
from billing.domain.errors import InvalidRequestError
from billing.domain.tax_rates import location_taxes, region_tax
from billing.persistence.tax_rates import LocationTaxRepository
from billing.services.set_location_tax import set_location_tax

app = BillingApp()

LOCATION_TAXES = "/v1/orgs/<orgId>/location-taxes"
TAGS = ["v1 location tax"]

StateIdInPath = Annotated[
    Digits, Path(alias="stateId", ge=1, le=52, description="INE code of a province of Spain.")
]
Day = Annotated[
    Date | None, Query(alias="date", description="The day of supply; by default today (UTC).")
]


@app.get(LOCATION_TAXES, security=READER, tags=TAGS)
def list_location_taxes(
    org_id: OrgId,
    country: Annotated[
        Country | None, Query(description="List this country only (ISO 3166-1 alpha-2).")
    ] = None,
) -> list[LocationTaxDTO]:
    """List today's tax of every country of the EU and of Spain's provinces"""
    own = LocationTaxRepository().get(org_id)
    taxes = location_taxes(country, app.org_time().date(), own)
    return [LocationTaxDTO.from_domain(each) for each in taxes]


@app.get(f"{LOCATION_TAXES}/<stateId>", security=READER, tags=TAGS)
def get_location_tax(org_id: OrgId, state_id: StateIdInPath, day: Day = None) -> LocationTaxDTO:
    """Get the tax of a province on a day

    Our rates begin on 2016-01-01; earlier days are refused. Supplies before that day are charged
    the oldest rate, unless they name their tax or the org has set a rate of its own for their day.
    """
    own = LocationTaxRepository().get(org_id)
    day = day or app.org_time().date()
    location = region_tax("ES", state_id, day, own)
    if day < location.rate.valid_from:
        raise InvalidRequestError.of(
            "date", f"must not be before {location.rate.valid_from}, the first day we know"
        )
    return LocationTaxDTO.from_domain(location)


@app.put(f"{LOCATION_TAXES}/<stateId>", security=ORG_ADMIN, status_code=204, tags=TAGS)
def put_location_tax(
    org_id: OrgId, state_id: StateIdInPath, request: LocationTaxRequestDTO
) -> Response[None]:
    """Set the org's own rate for a province, from a day on"""
    if request.state_id not in (None, state_id):
        raise InvalidRequestError.of("state_id", f"must be {state_id}, as in the path")
    if request.country not in (None, "ES"):
        raise InvalidRequestError.of("country", "must be ES, or left out")
    set_location_tax(org_id, state_id, request.to_domain(), location_taxes=LocationTaxRepository())
    return no_content()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
