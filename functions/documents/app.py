"""Documents: render the PDF of an invoice when it is issued, or when somebody asks earlier."""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import deadline
from billing.adapters.documents import DocumentStore, object_key
from billing.api.logger import logger, reported
from billing.domain.invoices import InvoiceKey, StoredDocument
from billing.domain.records import known
from billing.persistence.invoice_items import invoice_of_document
from billing.persistence.invoices import InvoiceRepository
from billing.services.provide_pdf import make_pdf
from functions.documents.pdf.render import render

processor = BatchProcessor(
    event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False
)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle issued documents from the table's stream, or `{org_id, account_id, ordinal}`."""
    deadline.start(context.get_remaining_time_in_millis())
    if "Records" in event:
        return process_partial_response(event, _record, processor, context)  # type: ignore[return-value]
    with reported("no PDF", invoice=event):
        pdf = _make(InvoiceKey(**known(InvoiceKey, event)))
    return {"object_key": pdf.object_key, "sha256": pdf.sha256}


def _record(record: DynamoDBRecord) -> None:
    with reported("no PDF", document=record.raw_event["dynamodb"].get("Keys")):
        pk: str = record.dynamodb.keys["pk"]  # type: ignore[union-attr]
        _make(invoice_of_document(pk))


def _make(key: InvoiceKey) -> StoredDocument:
    return make_pdf(
        key, object_key, render=render, invoices=InvoiceRepository(), store=DocumentStore()
    )
