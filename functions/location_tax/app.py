"""Location tax: the tax of a place on a day, and the org's own rates, of tax and of exchange."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.api.access import ORG_ADMIN, READER
from billing.api.app import BillingApp, no_content
from billing.api.logger import logger
from billing.api.params import OrgId
from billing.dialects.fields import Country, Currency, Date, Digits
from billing.dialects.v1.common import Region
from billing.dialects.v1.exchange_rates import ExchangeRateDTO, ExchangeRateRequestDTO
from billing.dialects.v1.location_tax import LocationTaxDTO, LocationTaxRequestDTO
from billing.domain.errors import InvalidRequestError, NotFoundError
from billing.domain.exchange_rates import EURO
from billing.domain.regimes.es import province_code
from billing.domain.tax_rates import location_tax, location_taxes
from billing.domain.territories import Place, is_region, named_place
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.tax_rates import OwnRatesRepository
from billing.services.set_own_rate import remove_own_rate, set_own_rate

app = BillingApp()

LOCATION_TAXES = "/v1/orgs/<orgId>/location-taxes"
EXCHANGE_RATE = "/v1/orgs/<orgId>/exchange_rates/<currency>/<date>"
TAX_RATES = "/v1/orgs/<orgId>/tax-rates"
TAGS = ["v1 location tax"]

StateIdInPath = Annotated[
    Digits, Path(alias="stateId", ge=1, le=52, description="INE code of a province of Spain.")
]
CountryInPath = Annotated[Country, Path(description="The country (ISO 3166-1 alpha-2).")]
RegionInPath = Annotated[
    Region, Path(description="The region (ISO 3166-2), such as `PT-30` for Madeira.")
]
ValidFrom = Annotated[
    Date, Query(description="The first day of the rate, as it was set: yyyy-mm-dd.")
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
    """List today's tax of every country of the EU, of regions, and of the org's own places

    Use it to see which rates charges get that name no tax.

    Regions are those with a tax of their own, and the provinces of Spain. Places outside the EU are
    listed if the org has set a rate for them.
    """
    own = OwnRatesRepository().get(org_id)
    taxes = location_taxes(country, app.org_time().date(), own)
    return [LocationTaxDTO.from_domain(each) for each in taxes]


@app.get(f"{LOCATION_TAXES}/<stateId>", security=READER, tags=TAGS)
def get_location_tax(org_id: OrgId, state_id: StateIdInPath, day: Day = None) -> LocationTaxDTO:
    """Get the tax of a province on a day

    Use it to see the rate of a province on the day of a supply.

    Our rates begin on 2016-01-01; earlier days are refused. Supplies before that day are charged
    the oldest rate, unless they name their tax or the org has set a rate of its own for their day.
    """
    own = OwnRatesRepository().get(org_id)
    day = day or app.org_time().date()
    location = location_tax(_province(state_id), day, own)
    if location is None:
        raise NotFoundError
    if day < location.rate.valid_from:
        raise InvalidRequestError.of(
            "date", f"must not be before {location.rate.valid_from}, the first day we know"
        )
    return LocationTaxDTO.from_domain(location)


@app.put(f"{LOCATION_TAXES}/<stateId>", security=ORG_ADMIN, status_code=204, tags=TAGS)
def put_location_tax(
    org_id: OrgId, state_id: StateIdInPath, request: LocationTaxRequestDTO
) -> Response[None]:
    """Set the org's own rate for a province, from a day on

    Use it to charge another rate than ours in a province.

    The same as PUT `/v1/orgs/{orgId}/tax-rates/ES/{region}`, by the number of the province.

    Refused with 409 `CONFLICT` if the province or the org has as many own rates as are kept.
    """
    _set(org_id, _province(state_id), request)
    return no_content()


@app.get(EXCHANGE_RATE, security=READER, tags=TAGS)
def get_exchange_rate(org_id: OrgId, currency: CurrencyInPath, day: DayInPath) -> ExchangeRateDTO:
    """Get the exchange rate that the org has set for a day

    Use it to check a rate that you have set.
    """
    rate = ExchangeRateRepository().get_own(org_id, _foreign(currency), day)
    return ExchangeRateDTO.from_domain(rate)


@app.put(EXCHANGE_RATE, security=ORG_ADMIN, status_code=204, tags=TAGS)
def put_exchange_rate(
    org_id: OrgId, currency: CurrencyInPath, day: DayInPath, request: ExchangeRateRequestDTO
) -> Response[None]:
    """Set the org's own exchange rate for a day

    Use it where a contract or a tax office asks for another rate, or where a document was refused
    for want of a rate.

    It is used instead of the reference rate of the European Central Bank for supplies of that day
    and of the ten days after it, until the org sets a later one. Documents that were issued keep
    their rate.
    """
    rate = request.to_domain(_foreign(currency), day)
    ExchangeRateRepository().put_own(org_id, rate)
    return no_content()


@app.delete(EXCHANGE_RATE, security=ORG_ADMIN, status_code=204, tags=TAGS)
def delete_exchange_rate(org_id: OrgId, currency: CurrencyInPath, day: DayInPath) -> Response[None]:
    """Delete the exchange rate that the org has set for a day, if it has

    Use it to go back to the reference rate. Sent again, it is a 204.
    """
    ExchangeRateRepository().delete_own(org_id, _foreign(currency), day)
    return no_content()


def _foreign(currency: str) -> str:
    if currency == EURO:
        raise InvalidRequestError.of("currency", "must not be EUR: rates are units for 1 EUR")
    return currency


@app.put(f"{TAX_RATES}/<country>", security=ORG_ADMIN, status_code=204, tags=TAGS)
def put_tax_rate(
    org_id: OrgId, country: CountryInPath, request: LocationTaxRequestDTO
) -> Response[None]:
    """Set the org's own rate for a country, from a day on

    Use it to charge another rate than ours in a country, or to charge tax where we know no rate.

    It holds in the whole country, but for regions with a tax of their own. Outside the org's own
    territory it says that the org charges tax there. A rate that we ship, with the day that a GET
    shows for it, changes nothing.

    Refused with 409 `CONFLICT` if the country or the org has as many own rates as it can have.
    """
    _set(org_id, named_place(country), request)
    return no_content()


@app.put(f"{TAX_RATES}/<country>/<region>", security=ORG_ADMIN, status_code=204, tags=TAGS)
def put_regional_tax_rate(
    org_id: OrgId,
    country: CountryInPath,
    region: RegionInPath,
    request: LocationTaxRequestDTO,
) -> Response[None]:
    """Set the org's own rate for a region, from a day on

    Use it where a region has another rate than its country.

    It holds for accounts with this region in their address, or with a postal code of it.

    Refused with 409 `CONFLICT` if the region or the org has as many own rates as it can have.
    """
    if not is_region(country, region):
        raise InvalidRequestError.of("region", f"{country} has no region {region} (ISO 3166-2)")
    _set(org_id, _region(country, region), request)
    return no_content()


@app.delete(f"{TAX_RATES}/<country>", security=ORG_ADMIN, status_code=204, tags=TAGS)
def delete_tax_rate(org_id: OrgId, country: CountryInPath, valid_from: ValidFrom) -> Response[None]:
    """Delete the org's own rate for a country that is valid from a day, if there is one

    Use it to take back a rate that was set by mistake. Sent again, it is a 204.
    """
    remove_own_rate(org_id, named_place(country), valid_from, rates=OwnRatesRepository())
    return no_content()


@app.delete(f"{TAX_RATES}/<country>/<region>", security=ORG_ADMIN, status_code=204, tags=TAGS)
def delete_regional_tax_rate(
    org_id: OrgId, country: CountryInPath, region: RegionInPath, valid_from: ValidFrom
) -> Response[None]:
    """Delete the org's own rate for a region that is valid from a day, if there is one

    Use it to take back a rate that was set by mistake. Sent again, it is a 204.
    """
    place = _region(country, region)
    remove_own_rate(org_id, place, valid_from, rates=OwnRatesRepository())
    return no_content()


def _province(state_id: int) -> Place:
    return named_place("ES", province_code(state_id))


def _region(country: str, region: str) -> Place:
    """Return a region. Raise InvalidRequestError where it is not one of the country."""
    if not region.startswith(f"{country}-"):
        raise InvalidRequestError.of("region", f"must begin with {country}-")
    place = named_place(country, region)
    if country == "ES" and place.region is None:
        raise InvalidRequestError.of("region", "must be a province of Spain, such as ES-GC")
    return place


def _set(org_id: str, place: Place, request: LocationTaxRequestDTO) -> None:
    request.check_place(place)
    set_own_rate(org_id, place, request.to_domain(), rates=OwnRatesRepository())


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
