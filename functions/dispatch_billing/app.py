"""Dispatch billing: start the runs of the day, and list the accounts of each run in batches."""

import json
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, deadline
from billing.adapters.queues import BatchesQueue, RunsQueue
from billing.api.logger import logger, reported
from billing.persistence.accounts import AccountRepository
from billing.persistence.billing_runs import BillingRunRepository
from billing.services.run_billing import list_accounts, start_daily_runs

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle messages of the runs queue."""
    deadline.start(context.get_remaining_time_in_millis())
    return process_partial_response(event, _record, processor, context)


def _record(record: SQSRecord) -> None:
    with reported("not dispatched", message_id=record.message_id):
        message = json.loads(record.body)
        if "run_id" in message:
            _list_accounts(message)
        else:
            _start_daily_runs(message["after"])


def _list_accounts(message: dict[str, Any]) -> None:
    list_accounts(**message, runs=BillingRunRepository(), queue=RunsQueue(), batches=BatchesQueue())


def _start_daily_runs(after: str) -> None:
    start_daily_runs(
        after or None,
        now=clock.now(),
        orgs=AccountRepository(),
        runs=BillingRunRepository(),
        queue=RunsQueue(),
    )
