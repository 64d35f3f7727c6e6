"""Location tax: the tax of a place on a day, and the org's own rates, of tax and of exchange."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.api.access import ORG_ADMIN, READER
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import OrgId
from billing.dialects.fields import Country, Currency, Date, Digits
from billing.dialects.v1.exchange_rates import ExchangeRateDTO, ExchangeRateRequestDTO
from billing.dialects.v1.location_tax import LocationTaxDTO, LocationTaxRequestDTO
from billing.domain.errors import InvalidRequestError
from billing.domain.exchange_rates import EURO
from billing.domain.tax_rates import location_taxes, region_tax
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.tax_rates import LocationTaxRepository
from billing.services.set_location_tax import set_location_tax

app = BillingApp()

LOCATION_TAXES = "/v1/orgs/<orgId>/location-taxes"
EXCHANGE_RATE = "/v1/orgs/<orgId>/exchange_rates/<currency>/<date>"
TAGS = ["v1 location tax"]

StateIdInPath = Annotated[
    Digits, Path(alias="stateId", ge=1, le=52, description="INE code of a province of Spain.")
]
Day = Annotated[
    Date | None, Query(alias="date", description="The day of supply; by default today (UTC).")
]
CurrencyInPath = Annotated[
    Currency, Path(alias="currency", description="A currency other than EUR (ISO 4217).")
]
DayInPath = Annotated[
    Date,
    Path(alias="date", description="Day of the rate: the first day of supply that it is used for."),
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


@app.get(EXCHANGE_RATE, security=READER, tags=TAGS)
def get_exchange_rate(org_id: OrgId, currency: CurrencyInPath, day: DayInPath) -> ExchangeRateDTO:
    """Get the exchange rate that the org has set for a day"""
    rate = ExchangeRateRepository().get_own(org_id, _foreign(currency), day)
    return ExchangeRateDTO.from_domain(rate)


@app.put(EXCHANGE_RATE, security=ORG_ADMIN, status_code=204, tags=TAGS)
def put_exchange_rate(
    org_id: OrgId, currency: CurrencyInPath, day: DayInPath, request: ExchangeRateRequestDTO
) -> Response[None]:
    """Set the org's own exchange rate for a day

    It is used instead of the reference rate of the European Central Bank for supplies of that day
    and of the ten days after it, until the org sets a later one. Documents that were issued keep
    their rate.
    """
    rate = request.to_domain(_foreign(currency), day)
    ExchangeRateRepository().put_own(org_id, rate)
    return no_content()


@app.delete(EXCHANGE_RATE, security=ORG_ADMIN, status_code=204, tags=TAGS)
def delete_exchange_rate(org_id: OrgId, currency: CurrencyInPath, day: DayInPath) -> Response[None]:
    """Delete the exchange rate that the org has set for a day, if it has"""
    ExchangeRateRepository().delete_own(org_id, _foreign(currency), day)
    return no_content()


def _foreign(currency: str) -> str:
    if currency == EURO:
        raise InvalidRequestError.of("currency", "must not be EUR: rates are units for 1 EUR")
    return currency


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
