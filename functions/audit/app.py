"""Audit: verify the numbers, hashes and totals of all that was issued, and raise the alarm."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import config
from billing.adapters.queues import AuditsQueue
from billing.api.logger import logger
from billing.api.messages import take_messages
from billing.domain.chains import Stretch
from billing.domain.records import known
from billing.persistence.accounts import AccountRepository
from billing.persistence.chains import ChainRepository
from billing.services.run_audits import audit_in_time, start_audits

BREACH = "breach"
"""What is logged of each thing that is wrong; the template's alarm counts it."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the audits queue."""
    return take_messages(event, context, _take, queue=config.audits_queue(), failure="not audited")


def _take(message: dict[str, Any], hops: int) -> None:
    if "lane" in message:
        _audit(Stretch(**known(Stretch, message)), hops)
    else:
        _start_audits(message["after"], hops)


def _start_audits(after: str, hops: int) -> None:
    start_audits(
        after or None,
        orgs=AccountRepository(),
        chains=ChainRepository(),
        queue=AuditsQueue(hops),
    )


def _audit(stretch: Stretch, hops: int) -> None:
    numbers = 0
    for audited in audit_in_time(stretch, chains=ChainRepository(), queue=AuditsQueue(hops)):
        numbers += audited.is_document
        for fault in audited.faults:
            logger.critical(BREACH, org_id=stretch.org_id, number=audited.number, fault=fault)
    logger.info("audited", org_id=stretch.org_id, lane=stretch.lane, numbers=numbers)
