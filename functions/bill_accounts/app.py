"""Bill accounts: close, gather and issue the due cycles of a batch."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.adapters.queues import RunsQueue, to_batch
from billing.api.logger import logger, report
from billing.api.messages import take_messages
from billing.persistence.billing import BillingRepository
from billing.services.bill_accounts import bill_accounts


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the batches queue; those of one group come in order."""
    queue = config.batches_queue()
    return take_messages(event, context, _take, queue=queue, failure="batch not billed")


def _take(message: dict[str, Any], hops: int) -> None:
    batch = to_batch(message)
    errors = bill_accounts(
        batch, now=clock.now(), billing=BillingRepository(), queue=RunsQueue(hops)
    )
    for account_id, reason in errors.items():
        report("account not billed", reason, run_id=batch.run_id, account_id=account_id)
