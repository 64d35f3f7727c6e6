"""Lookups: ask services of the EU what others depend on; no request waits for them."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.adapters.ecb import ReferenceRates
from billing.api.logger import logger
from billing.api.messages import take_messages
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.services.fetch_exchange_rates import fetch_exchange_rates


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the lookups queue."""
    queue = config.lookups_queue()
    return take_messages(event, context, _take, queue=queue, failure="not looked up")


def _take(message: dict[str, Any], hops: int) -> None:  # noqa: ARG001 - what it asks needs no more
    if message["ask"] != "exchange rates":
        raise ValueError(message["ask"])
    last = fetch_exchange_rates(
        clock.now().date(),
        source=ReferenceRates(config.exchange_rates_url()),
        rates=ExchangeRateRepository(),
    )
    logger.info("exchange rates fetched", day=last.isoformat())
