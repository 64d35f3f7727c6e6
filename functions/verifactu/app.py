"""Verifactu: the fiscal records of documents, read and corrected; the declaration of it all."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import config
from billing.adapters.documents import XML
from billing.api import cursors
from billing.api.access import ADMIN, ORG_READER, READER
from billing.api.app import BillingApp, created
from billing.api.invoice_keys import invoice_key
from billing.api.locations import location
from billing.api.logger import logger
from billing.api.params import AccountId, Cursor, InvoiceId, Limit, OrgId
from billing.dialects.v1.common import GenericCreatedResponseDTO
from billing.dialects.v1.verifactu import (
    DeclarationDTO,
    FiscalCorrectionRequestDTO,
    FiscalRecordDTO,
    FiscalRecordListDTO,
)
from billing.domain.declaration import Signature, declaration
from billing.domain.errors import ErasedError, NotFoundError
from billing.domain.verifactu import RecordState
from billing.persistence.accounts import AccountRepository
from billing.persistence.fiscal_items import fiscal_system
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.invoices import InvoiceRepository
from billing.services.correct_fiscal_record import correct_fiscal_record

app = BillingApp()

RECORD = "/v1/orgs/<orgId>/accounts/<accountId>/invoices/<invoiceId>/fiscal_record"
TAGS = ["v1 verifactu"]


@app.get(RECORD, security=READER, tags=TAGS)
def get_fiscal_record(
    org_id: OrgId,
    account_id: AccountId,
    invoice_id: InvoiceId,
    form: Annotated[
        Literal["json", "xml"],
        Query(alias="format", description="`xml` for the record itself, as it is sent."),
    ] = "json",
) -> Response[FiscalRecordDTO]:
    """Get the fiscal record of an invoice or a credit note: the latest, if it was corrected

    Use it to see what became of it at the tax agency.

    Refused with 410 `ERASED` as XML, if the personal data of the document was erased.
    """
    kept = FiscalRecordRepository().get(invoice_key(org_id, account_id, invoice_id))
    if form == "json":
        body = FiscalRecordDTO.from_domain(kept)
        return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, body)
    if kept.erased:
        raise ErasedError
    # Imported by the one answer that needs it.
    from billing.verifactu.record import record_xml

    return Response(HTTPStatus.OK, XML, record_xml(kept.record).decode())  # type: ignore[arg-type]


@app.post(f"{RECORD}/correction", security=ADMIN, status_code=201, tags=TAGS)
def correct_record(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, request: FiscalCorrectionRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Correct a fiscal record that was rejected, or accepted with errors (subsanación)

    Use it once the cause is mended: a new record of the same document is sent. What is wrong on the
    document itself takes a credit note.

    Refused with 409 if the agency found nothing wrong, or has not answered yet
    (`FISCAL_RECORD_NOT_CORRECTABLE`), or nobody answers for this software any more
    (`FISCAL_REGIME`); with 400 `TAX_ID_REQUIRED` if the tax id is none that the agency takes; with
    410 `ERASED` if the personal data of the document was erased.
    """
    external_id = request.external_fiscal_correction_unique_id
    corrected = correct_fiscal_record(
        invoice_key(org_id, account_id, invoice_id),
        request.id_type,
        request.external_id(external_id, account_id, invoice_id),
        now=app.org_time(),
        profiles=AccountRepository(),
        invoices=InvoiceRepository(),
        records=FiscalRecordRepository(),
    )
    path = location(org_id, "fiscal_correction", account_id, invoice_id)
    return created(GenericCreatedResponseDTO(id=corrected.id), corrected, path)


@app.get("/v1/orgs/<orgId>/fiscal_records", security=ORG_READER, tags=TAGS)
def list_fiscal_records(
    org_id: OrgId,
    state: Annotated[
        RecordState, Query(description="State of the records that are listed.")
    ] = RecordState.PENDING,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> FiscalRecordListDTO:
    """List the fiscal records of an org that have a state, in the order of the chain

    Use it to find what was rejected, or is still to be sent.

    The list follows a new record or an answer within a second.
    """
    scope = (app.caller.token_id, org_id, "fiscal_records", state.value)
    after = cursors.decode_text(cursor, *scope)
    rows = FiscalRecordRepository().list_by_state(org_id, state, after, limit + 1)
    last = f"{rows[limit - 1].record.position:010}" if len(rows) > limit else None
    next_cursor = cursors.encode_text(last, *scope) if last else None
    return FiscalRecordListDTO.from_domain(rows[:limit], next_cursor)


@app.get("/v1/orgs/<orgId>/declaration", security=READER, tags=TAGS)
def get_declaration(org_id: OrgId) -> DeclarationDTO:
    """Get the declaración responsable of this software, for Spain's tax agency

    Use it to show who answers for the software that bills.
    """
    system = fiscal_system(org_id)
    if system is None:
        raise NotFoundError("Nobody has signed a declaration for this deployment.")
    signature = Signature(
        address=config.verifactu_producer_address(),
        signed_on=config.verifactu_signed_on(),
        signed_at=config.verifactu_signed_at(),
    )
    return DeclarationDTO.from_domain(declaration(system, signature))


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
