"""Consumptions: store usage records, return their totals, and list them."""

from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.api import cursors
from billing.api.access import READER, WRITER
from billing.api.app import BillingApp
from billing.api.locations import location
from billing.api.logger import logger
from billing.api.params import Cursor, Limit, OrgId, SubscriptionId
from billing.dialects.fields import Date
from billing.dialects.v1.consumptions import (
    ConsumptionDetailsResponseDTO,
    ConsumptionReceiptDTO,
    ConsumptionRequestDTO,
    ConsumptionResponseDTO,
    ConsumptionTotalsResponseDTO,
)
from billing.domain.consumptions import ConsumptionType, totals_by_type
from billing.domain.cycles import OpenCycle
from billing.domain.errors import InvalidRequestError
from billing.domain.parties import Account
from billing.domain.periods import local_date, midnight
from billing.persistence.accounts import AccountRepository
from billing.persistence.consumptions import ConsumptionRepository
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.subscriptions import SubscriptionRepository
from billing.services.record_consumptions import record_consumptions

app = BillingApp()

CONSUMPTIONS = "/v1/orgs/<orgId>/subscription/<subscriptionId>/consumptions"
MAX_DAYS = 366


@app.post(CONSUMPTIONS, security=WRITER, status_code=201, tags=["v1 consumptions"])
def create_consumptions(
    org_id: OrgId, subscription_id: SubscriptionId, request: ConsumptionRequestDTO
) -> Response[ConsumptionReceiptDTO]:
    """Store usage records in the account's open cycle, each of them once

    Use it to send usage in batches, as soon as it is measured. The subscription must be registered.

    Refused as a whole with 409 if an external id was used for another record
    (`EXTERNAL_ID_REUSED`), the account is closed (`ACCOUNT_CLOSED`), or no exchange rate is known
    for a currency (`RATE_MISSING`). Sent again, each record is stored once: `duplicates` counts
    those that were stored before. A request that broke off has stored some; send it again whole.
    """
    accepted = record_consumptions(
        org_id,
        subscription_id,
        request.to_domain(subscription_id),
        now=clock.now(),
        org_time=app.org_time(),
        reach=app.caller.reach,
        consumptions=ConsumptionRepository(),
        rates=ExchangeRateRepository(),
    )
    receipt = ConsumptionReceiptDTO(accepted=accepted, duplicates=len(request.records) - accepted)
    headers = {"Location": location(org_id, "consumption", subscription_id)}
    return Response(HTTPStatus.CREATED, content_types.APPLICATION_JSON, receipt, headers)


@app.get(CONSUMPTIONS, security=READER, tags=["v1 consumptions"])
def get_consumptions(
    org_id: OrgId, subscription_id: SubscriptionId
) -> ConsumptionTotalsResponseDTO:
    """Get the usage of a subscription in the open cycle, by type

    Use it to show how much was used so far, and what it will cost.
    """
    consumptions = ConsumptionRepository()
    account, cycle = _account_and_cycle(org_id, subscription_id)
    totals = consumptions.totals(org_id, account.id, cycle.ends_on, subscription_id)
    return ConsumptionTotalsResponseDTO.from_domain(
        cycle.ends_on,
        cycle.period,
        totals_by_type(totals),
    )


@app.get(f"{CONSUMPTIONS}/details", security=READER, tags=["v1 consumptions"])
def list_consumptions(
    org_id: OrgId,
    subscription_id: SubscriptionId,
    kind: Annotated[
        ConsumptionType | None,
        Query(alias="type", description="Kind of usage: data, messages or calls. Omit for all."),
    ] = None,
    first: Annotated[
        Date | None,
        Query(alias="fromDate", description="First day; by default the open cycle's."),
    ] = None,
    last: Annotated[
        Date | None,
        Query(alias="toDate", description="Last day, included; by default the open cycle's."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> ConsumptionDetailsResponseDTO:
    """List usage records by the day they were consumed, in the account's time zone, newest first

    Use it to show single usage records, such as the calls of a day.
    """
    scope = (app.caller.token_id, org_id, subscription_id, str(kind), str(first), str(last))
    place = cursors.decode(cursor, *scope)
    consumptions = ConsumptionRepository()
    account, cycle = _account_and_cycle(org_id, subscription_id)
    if place:
        first, last, after = _place(place, account)
    else:
        first, last = _days(first, last, account, cycle)
        after = None
    rows = consumptions.list_page(
        org_id,
        subscription_id,
        kind,
        midnight(first, account.time_zone),
        midnight(last + timedelta(days=1), account.time_zone),
        after,
        limit + 1,
    )
    page, next_cursor = cursors.page(
        rows, limit, lambda each: f"{first} {last} {each.at.nanoseconds} {each.id}", *scope
    )
    return ConsumptionDetailsResponseDTO(
        type=kind,
        first=first,
        last=last,
        records=[ConsumptionResponseDTO.from_domain(each) for each in page],
        next_cursor=next_cursor,
    )


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)


def _account_and_cycle(org_id: str, subscription_id: str) -> tuple[Account, OpenCycle]:
    owner_id = SubscriptionRepository().get_owner(org_id, subscription_id)
    app.caller.must_find(owner_id)
    account, _, billable = AccountRepository().get_with_cycle(org_id, owner_id)
    return account, billable.open if billable else OpenCycle.first(account, app.org_time())


def _place(place: str, account: Account) -> tuple[date, date, tuple[int, str]]:
    """
    Read where a page begins, and the days of the first one, as the open cycle may be another now.

    Raise InvalidRequestError if the cursor is forged.
    """
    try:
        start, end, nanoseconds, consumption_id = place.split()
        first, last, at = date.fromisoformat(start), date.fromisoformat(end), int(nanoseconds)
        day = local_date(datetime.fromtimestamp(at // 10**9, UTC), account.time_zone)
        is_ours = first <= day <= last < date.max
    except (ValueError, OverflowError):
        is_ours = False
    if not is_ours:
        raise InvalidRequestError.of("cursor", "was not given out for this list")
    return first, last, (at, consumption_id)


def _days(
    first: date | None, last: date | None, account: Account, cycle: OpenCycle
) -> tuple[date, date]:
    """Return the days that are asked for, both included; by default those of the open cycle."""
    first = first or local_date(cycle.period.start, account.time_zone)
    last = last or local_date(cycle.period.end - timedelta.resolution, account.time_zone)
    if first > last:
        raise InvalidRequestError.of("fromDate", f"is after toDate, which is {last}")
    if (last - first).days >= MAX_DAYS:
        raise InvalidRequestError.of("fromDate", f"is more than {MAX_DAYS} days before toDate")
    return first, last
