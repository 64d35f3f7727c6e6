"""Bill accounts: close, gather and issue the due cycles of a batch."""

from typing import Any

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, deadline
from billing.adapters.queues import to_batch
from billing.api.logger import logger, report, reported
from billing.persistence.billing import BillingRepository
from billing.services.bill_accounts import bill_accounts

processor = SqsFifoPartialProcessor(skip_group_on_error=True)
processor.raise_on_entire_batch_failure = False


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the batches queue; those of one group come in order."""
    deadline.start(context.get_remaining_time_in_millis())
    return process_partial_response(event, _record, processor, context)


def _record(record: SQSRecord) -> None:
    with reported("batch not billed", message_id=record.message_id):
        batch = to_batch(record.body)
        errors = bill_accounts(batch, now=clock.now(), billing=BillingRepository())
    for account_id, reason in errors.items():
        report("account not billed", reason, run_id=batch.run_id, account_id=account_id)
