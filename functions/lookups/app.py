"""Lookups: ask VIES and the ECB, outside of any request."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.adapters.ecb import ReferenceRates
from billing.adapters.queues import LookupsQueue
from billing.adapters.vies import Vies
from billing.api.logger import logger
from billing.api.messages import take_messages
from billing.persistence.accounts import AccountRepository
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.services.check_vat_numbers import check_in_time, start_checks
from billing.services.fetch_exchange_rates import fetch_exchange_rates


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the lookups queue."""
    queue = config.lookups_queue()
    return take_messages(event, context, _take, queue=queue, failure="not looked up")


def _take(message: dict[str, Any], hops: int) -> None:
    match message:
        case {"ask": "exchange rates"}:
            _fetch_exchange_rates()
        case {"ask": "vat numbers", "org_id": org_id, "after": after}:
            _check_vat_numbers(org_id, after, hops)
        case {"ask": "vat numbers", "after": after}:
            start_checks(after, orgs=AccountRepository(), queue=LookupsQueue(hops))
        case _:
            raise ValueError(message.get("ask"))


def _fetch_exchange_rates() -> None:
    last = fetch_exchange_rates(
        clock.now().date(),
        source=ReferenceRates(config.exchange_rates_url()),
        rates=ExchangeRateRepository(),
    )
    logger.info("exchange rates fetched", day=last.isoformat())


def _check_vat_numbers(org_id: str, after: str, hops: int) -> None:
    accounts = AccountRepository()
    checked = check_in_time(
        org_id,
        after,
        orgs=accounts,
        accounts=accounts,
        vies=Vies(config.vies_url()),
        queue=LookupsQueue(hops),
    )
    statuses = [status for _, status in checked]
    known = sum(status is not None for status in statuses)
    logger.info("vat numbers checked", org_id=org_id, asked=len(statuses), answered=known)
