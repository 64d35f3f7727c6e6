"""
Documents: render the PDF of an invoice when it is issued, or when somebody asks earlier.

The mail of a document hangs on the same record of the stream as its PDF: once the PDF is stored, it
is queued, and only then is the record done.
"""

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
from billing.adapters.queues import MailQueue
from billing.api.logger import logger, reported
from billing.domain.invoices import InvoiceKey, IssuedInvoice, StoredDocument
from billing.domain.mails import FIRST, is_mailed
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
        pdf, _ = _make(InvoiceKey(**known(InvoiceKey, event)))
    return {"object_key": pdf.object_key, "sha256": pdf.sha256}


def _record(record: DynamoDBRecord) -> None:
    """Make the PDF of a new document, and have it mailed; until both is done it comes again."""
    with reported("no PDF", document=record.raw_event["dynamodb"].get("Keys")):
        pk: str = record.dynamodb.keys["pk"]  # type: ignore[union-attr]
        key = invoice_of_document(pk)
        _, invoice = _make(key)
        if is_mailed(invoice):
            MailQueue().send(key, FIRST)


def _make(key: InvoiceKey) -> tuple[StoredDocument, IssuedInvoice]:
    return make_pdf(
        key, object_key, render=render, invoices=InvoiceRepository(), store=DocumentStore()
    )
