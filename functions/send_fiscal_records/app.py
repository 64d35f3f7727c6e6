"""Send fiscal records: to the tax agency, in the order of each org's chain, as fast as it asks."""

from collections import Counter
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.adapters.queues import FiscalRecordsQueue
from billing.adapters.secrets import fiscal_certificate
from billing.adapters.tax_agency import TaxAgencyLine, address
from billing.api.logger import logger
from billing.api.messages import take_messages
from billing.domain.parties import FiscalService
from billing.domain.verifactu import RecordState
from billing.persistence.accounts import AccountRepository
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.fiscal_senders import SenderRepository
from billing.services.send_fiscal_records import Sent, send_fiscal_records, start_senders
from billing.verifactu.agency import TaxAgency

REJECTED = "fiscal record rejected"
OVERDUE = "fiscal records unsent for an hour"
"""What is logged for the alarms of the template."""


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the queue of fiscal records."""
    queue = config.fiscal_records_queue()
    return take_messages(event, context, _take, queue=queue, failure="fiscal records not sent")


def _take(message: dict[str, Any], hops: int) -> None:
    if "org_id" in message:
        _send(message["org_id"])
    else:
        start_senders(message["after"], senders=SenderRepository(), queue=FiscalRecordsQueue(hops))


def _send(org_id: str) -> None:
    for sent in send_fiscal_records(
        org_id,
        clock=clock.now,
        senders=SenderRepository(),
        records=FiscalRecordRepository(),
        agency=partial(_agency, org_id),
    ):
        _tell(org_id, sent)


def _agency(org_id: str) -> TaxAgency:
    """Return the service that an org's records go to, for who has the org's certificate."""
    certificate = fiscal_certificate(org_id)
    url = config.tax_agency_url()
    if not url:
        org = AccountRepository().get_org(org_id)
        service = FiscalService.TEST if org.sandbox else FiscalService(config.verifactu_service())
        url = address(service, seal=certificate.seal)
    return TaxAgency(TaxAgencyLine(url, certificate.pem))


def _tell(org_id: str, sent: Sent) -> None:
    """Log what came of a message; what the agency says of a buyer is not for the log."""
    states = Counter(verdict.state.value for _, verdict in sent.verdicts)
    about = {"org_id": org_id, "records": len(sent.records), "late": sent.late}
    if sent.reason:
        reason = "".join(sent.reason.partition("]")[:2])  # without the words behind the code
        logger.warning("fiscal records not answered", extra={**about, "reason": reason})
    else:
        logger.info("fiscal records sent", extra={**about, **states})
    for kept, verdict in sent.verdicts:
        if verdict.state is RecordState.REJECTED:
            codes = [each.code for each in verdict.errors]
            number = kept.record.declaration.number
            logger.warning(REJECTED, extra={"org_id": org_id, "number": number, "codes": codes})
    if sent.is_overdue(clock.now()):
        logger.warning(OVERDUE, extra=about)
