"""Invoices: issue, list, fetch, link to, pay and credit them, in three dialects."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.adapters.documents import (
    LINK_SECONDS,
    PDF,
    DocumentsFunction,
    DocumentStore,
    content_disposition,
)
from billing.adapters.queues import MailQueue
from billing.api import cursors
from billing.api.access import ORG_READER, READER, WRITER
from billing.api.app import BillingApp, created
from billing.api.etags import KEPT_BY_CLIENT
from billing.api.files import BODY_LIMIT, Syntax, e_invoice, redirect
from billing.api.invoice_keys import invoice_key
from billing.api.locations import location
from billing.api.logger import logger
from billing.api.params import (
    AccountId,
    Cursor,
    InvoiceId,
    InvoiceNumber,
    Limit,
    OrgId,
    PaymentId,
    PayoutId,
)
from billing.dialects.fields import Date, Form, IdNumber
from billing.dialects.v1.common import GenericCreatedResponseDTO
from billing.dialects.v1.deliveries import InvoiceDeliveryListDTO, InvoiceDeliveryRequestDTO
from billing.dialects.v1.invoices import (
    AccountBalanceResponseDTO,
    CreditNoteRequestDTO,
    InvoiceListDTO,
    InvoicePublicLinkResponseDTO,
    InvoiceRequestDTO,
    InvoiceResponseDTO,
    PaymentListDTO,
    PaymentRequestDTO,
    PaymentResponseDTO,
    PaymentReversalRequestDTO,
    PayoutListDTO,
    PayoutRequestDTO,
    PayoutResponseDTO,
    UpcomingDocumentDTO,
    UpcomingInvoiceResponseDTO,
)
from billing.dialects.v2 import InvoiceInfoList
from billing.dialects.v3.invoices import Invoice, InvoiceDetails, Range, RangedData
from billing.domain.errors import (
    InvalidRequestError,
    NotFoundError,
    TooLargeError,
)
from billing.domain.invoices import CreditReason, InvoiceKey, Payment, Payout
from billing.domain.mails import Mail
from billing.domain.periods import local_date, years_before
from billing.persistence.accounts import AccountRepository
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.issuing import IssuingRepository
from billing.persistence.mails import MailRepository
from billing.persistence.payments import PaymentRepository
from billing.persistence.payouts import PayoutRepository
from billing.services.credit_invoice import credit_invoice
from billing.services.issue_invoice import issue_invoice
from billing.services.pay_out import pay_out
from billing.services.provide_pdf import provide_pdf
from billing.services.read_invoice import read_invoice
from billing.services.receive_payment import receive_payment
from billing.services.request_delivery import request_delivery
from billing.services.reverse_payment import reverse_payment

app = BillingApp()

V1_INVOICES = "/v1/orgs/<orgId>/accounts/<accountId>/invoices"
ORG_INVOICES = "/v1/orgs/<orgId>/invoices"
V3_INVOICES = "/v3/account/invoice"

Filter = Annotated[
    str | None,
    Query(
        alias="filter",
        min_length=1,
        max_length=200,
        description="Text to find in descriptions. Case is ignored, and there are no wildcards.",
    ),
]
RangeHeader = Annotated[
    RangedData | None,
    Header(
        alias="RANGED-DATA",
        description="Rows to return, newest first. Default: `start=0,results=25`.",
    ),
]
Ordinal = Annotated[
    IdNumber,
    Path(alias="invoiceId", ge=1, lt=10**10, description="ID of the invoice that is read."),
]


@app.get(V3_INVOICES, security=READER, tags=["v3 invoices"])
def list_invoices(ranged_data: RangeHeader = None, text: Filter = None) -> Response[list[Invoice]]:
    """Get all invoices of the account

    Use it in a customer's app. `RANGED-DATA` says which rows, and the answer's how many there are.
    """
    return _list(ranged_data or Range(), text, unpaid=False)


@app.get(f"{V3_INVOICES}/unpaid", security=READER, tags=["v3 invoices"])
def list_unpaid_invoices(
    ranged_data: RangeHeader = None, text: Filter = None
) -> Response[list[Invoice]]:
    """Get all unpaid invoices of the account, credit invoices excluded

    Use it to show what a customer has to pay; partly paid and overdue ones are among them.
    """
    return _list(ranged_data or Range(), text, unpaid=True)


@app.get(f"{V3_INVOICES}/<invoiceId>", security=READER, tags=["v3 invoices"])
def get_invoice(ordinal: Ordinal) -> list[InvoiceDetails]:
    """Get invoice details by invoice ID

    Use it to show an invoice with its lines in a customer's app. The answer is an array of one.
    """
    return _details(InvoiceKey(app.caller.org_id, app.caller.account_id, ordinal))


@app.get(f"{V3_INVOICES}/number/<invoiceNumber>", security=READER, tags=["v3 invoices"])
def get_invoice_by_number(
    number: InvoiceNumber,
) -> list[InvoiceDetails]:
    """Get invoice details by invoice number

    Use it where a customer names an invoice by what is printed on it. The answer is an array of
    one.
    """
    account_id = app.caller.account_id
    key = InvoiceRepository().find_number(app.caller.org_id, number)
    if key is None or key.account_id != account_id:
        raise NotFoundError
    return _details(key)


@app.get(f"{V3_INVOICES}/<invoiceId>/pdf", security=READER, tags=["v3 invoices"])
def get_invoice_pdf(ordinal: Ordinal) -> Response[bytes]:
    """Get invoice as PDF

    Use it to let a customer download an invoice. Over 4 MB the answer is a 307 to a link.

    Refused with 409 while it is being made (`DOCUMENT_NOT_READY`), and with 410 once it was erased
    (`ERASED`).
    """
    key = InvoiceKey(app.caller.org_id, app.caller.account_id, ordinal)
    pdf = provide_pdf(key, invoices=InvoiceRepository(), maker=DocumentsFunction())
    headers = {"Cache-Control": KEPT_BY_CLIENT, "ETag": f'"{pdf.sha256}"'}
    if app.has_cached(headers["ETag"]):
        return Response(HTTPStatus.NOT_MODIFIED, body=b"", headers=headers)
    body = DocumentStore().get(pdf)
    if len(body) > BODY_LIMIT:
        return redirect(pdf, _link_seconds())
    headers["Content-Disposition"] = content_disposition(pdf)
    return Response(HTTPStatus.OK, PDF, body, headers)


@app.get("/v2/orgs/<orgId>/accounts/<accountId>/invoices", security=READER, tags=["v2 invoices"])
def list_invoices_of_period(
    org_id: OrgId,
    account_id: Annotated[
        str,
        Form(r"^(0|[1-9][0-9]{0,17})$", "a number: v2 has no other account ids"),
        Path(
            alias="accountId",
            description="ID of the account, as a number.",
        ),
    ],
    start_date: Annotated[
        Date | None, Query(description="First day, yyyy-mm-dd; by default a year before the last.")
    ] = None,
    end_date: Annotated[
        Date | None, Query(description="Last day, yyyy-mm-dd; by default today.")
    ] = None,
) -> InvoiceInfoList:
    """List the invoices of an account that were issued between two dates

    Use it to list a customer's invoices by date, with whether each is paid.
    """
    now, accounts = app.org_time(), AccountRepository()
    if end_date is None:
        end_date = local_date(now, accounts.get_org(org_id).time_zone)
    start_date = start_date or years_before(end_date, 1)
    if start_date > end_date:
        raise InvalidRequestError.of("start_date", "is after end_date")
    if start_date < years_before(end_date, 5):
        raise InvalidRequestError.of("start_date", "is more than five years before end_date")
    invoices = InvoiceRepository().list_issued(org_id, account_id, start_date, end_date)
    if not invoices:
        accounts.get_account(org_id, account_id)
    return InvoiceInfoList.from_domain(account_id, start_date, end_date, invoices, now)


@app.post(V1_INVOICES, security=WRITER, status_code=201, tags=["v1 invoices"])
def create_invoice(
    org_id: OrgId, account_id: AccountId, request: InvoiceRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Issue a one-off invoice

    Use it to bill something at once, outside of any cycle: it is numbered, dated and final.

    Refused with 400 `TAX_ID_REQUIRED` if an org with VERIFACTU bills more than 400 EUR to a buyer
    without a tax id; with 409 if the account is closed (`ACCOUNT_CLOSED`), no exchange rate is
    known for the currency (`RATE_MISSING`), the series numbers credit notes (`SERIES_TAKEN`), or
    this deployment cannot declare anything (`FISCAL_REGIME`); with 413
    `TOO_LARGE` if it does not fit into one record; with 503 `SELLER_CHANGED` if the org's profile
    was replaced at that moment.
    """
    issued = issue_invoice(
        request.to_domain(org_id, account_id),
        request.external_id(request.external_invoice_unique_id, account_id),
        now=app.org_time(),
        profiles=AccountRepository(),
        rates=ExchangeRateRepository(),
        issuing=IssuingRepository(),
    )
    path = location(org_id, "invoice", account_id, issued.id)
    return created(GenericCreatedResponseDTO(id=issued.id), issued, path)


@app.get(V1_INVOICES, security=READER, tags=["v1 invoices"])
def list_account_invoices(
    org_id: OrgId,
    account_id: AccountId,
    status: Annotated[
        Literal["unpaid"] | None,
        Query(description="`unpaid`: invoices with an amount that is still owed. Omit for all."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> InvoiceListDTO:
    """List the invoices and credit notes of an account, newest first

    Use it to show all documents of a customer, or with `status=unpaid` what there is to pay.
    """
    scope = (app.caller.token_id, org_id, account_id, "invoices", str(status))
    than = cursors.decode_ordinal(cursor, *scope)
    invoices = InvoiceRepository()
    list_page = invoices.list_older_unpaid if status else invoices.list_older
    rows = list_page(org_id, account_id, than, limit + 1)
    if not rows:
        AccountRepository().get_account(org_id, account_id)
    page, next_cursor = cursors.page(rows, limit, lambda each: str(each.key.ordinal), *scope)
    return InvoiceListDTO.from_domain(page, next_cursor, app.org_time())


@app.get(ORG_INVOICES, security=ORG_READER, tags=["v1 invoices"])
def list_org_invoices(
    org_id: OrgId,
    status: Annotated[
        Literal["unpaid", "overdue"],
        Query(
            description="`unpaid`: all with an amount that is still owed, overdue ones too; or "
            "`overdue` alone."
        ),
    ] = "unpaid",
    cursor: Cursor = None,
    limit: Limit = 25,
) -> InvoiceListDTO:
    """List the invoices of all accounts that are not paid, the earliest due date first

    Use it to chase what is owed to the org, account by account.

    The list follows a payment or a new invoice within a second.
    """
    scope = (app.caller.token_id, org_id, "owed", status)
    after, now = cursors.decode_text(cursor, *scope), app.org_time()
    until = now if status == "overdue" else None
    page, last = InvoiceRepository().list_owed(org_id, until, after, limit)
    next_cursor = cursors.encode_text(last, *scope) if last else None
    return InvoiceListDTO.from_domain(page, next_cursor, now)


@app.get(f"{ORG_INVOICES}/number/<invoiceNumber>", security=READER, tags=["v1 invoices"])
def get_whole_invoice_by_number(org_id: OrgId, number: InvoiceNumber) -> InvoiceResponseDTO:
    """Get an invoice or a credit note whole, by its number

    Use it where somebody names a document by what is printed on it.
    """
    key = InvoiceRepository().find_number(org_id, number)
    if key is None:
        raise NotFoundError
    app.caller.must_find(key.account_id)
    return _whole(key)


@app.get(f"{V1_INVOICES}/<invoiceId>", security=READER, tags=["v1 invoices"])
def get_whole_invoice(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId
) -> InvoiceResponseDTO:
    """Get an invoice or a credit note whole, with its payments and what corrects it

    Use it to show a document with all that has become of it.
    """
    return _whole(invoice_key(org_id, account_id, invoice_id))


@app.get(f"{V1_INVOICES}/<invoiceId>/public_link", security=READER, tags=["v1 invoices"])
def get_public_link(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId
) -> InvoicePublicLinkResponseDTO:
    """Get a link to the PDF of an invoice that works without a token for 15 minutes

    Use it to let a customer open an invoice in a browser, at once: the link is not revoked by
    anything. Sent again, it is another link to the same PDF.

    Refused with 409 while the PDF is being made (`DOCUMENT_NOT_READY`), and with 410 once it was
    erased (`ERASED`).
    """
    key = invoice_key(org_id, account_id, invoice_id)
    pdf = provide_pdf(key, invoices=InvoiceRepository(), maker=DocumentsFunction())
    seconds = _link_seconds()
    return InvoicePublicLinkResponseDTO(
        invoice_id=invoice_id,
        url=DocumentStore().link(pdf, seconds),
        expires_at=clock.now().replace(microsecond=0) + timedelta(seconds=seconds),
        content_type="application/pdf",
    )


@app.get(f"{V1_INVOICES}/<invoiceId>/e_invoice", security=READER, tags=["v1 invoices"])
def get_e_invoice(
    org_id: OrgId,
    account_id: AccountId,
    invoice_id: InvoiceId,
    syntax: Annotated[
        Syntax,
        Query(alias="format", description="`cii` (as in the PDF), or `ubl` (UBL 2.1)."),
    ],
) -> Response[str]:
    """Get an invoice as an e-invoice of EN 16931

    Use it to hand an invoice to a network or to the buyer's software. Over 4 MB the answer is a 307
    to a link.

    It claims XRechnung 3.0, or in UBL Peppol BIS 3, if nothing is missing for that: see
    `e_invoice_readiness` of the account.

    Refused with 410 once the invoice was erased (`ERASED`).
    """
    invoice, _ = InvoiceRepository().get(invoice_key(org_id, account_id, invoice_id))
    return e_invoice(invoice, syntax, _link_seconds())


@app.post(
    f"{V1_INVOICES}/<invoiceId>/payments", security=WRITER, status_code=201, tags=["v1 invoices"]
)
def create_payment(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, request: PaymentRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Record money received against an invoice

    Use it for each amount that comes in, whole or in part.

    Refused with 409 if less remains to be paid (`PAYMENT_EXCEEDS_INVOICE`), or the payment of this
    request was reversed (`PAYMENT_REVERSED`).
    """
    received = receive_payment(
        invoice_key(org_id, account_id, invoice_id),
        request.amount,
        request.currency,
        request.paid_datetime,
        request.method,
        request.external_id(request.external_payment_unique_id, account_id, invoice_id),
        now=clock.now(),
        org_time=app.org_time(),
        payments=PaymentRepository(),
    )
    path = location(org_id, "payment", account_id, invoice_id, received.id)
    return created(GenericCreatedResponseDTO(id=received.id), received, path)


@app.get(f"{V1_INVOICES}/<invoiceId>/payments", security=READER, tags=["v1 invoices"])
def list_payments(
    org_id: OrgId,
    account_id: AccountId,
    invoice_id: InvoiceId,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> PaymentListDTO:
    """List the payments of an invoice, newest first

    Use it to see how a document was paid, with payments that were reversed.
    """
    key = invoice_key(org_id, account_id, invoice_id)
    page = _page_of(key, "payments", PaymentRepository().list_page, cursor, limit)
    return PaymentListDTO.from_domain(*page)


@app.get(f"{V1_INVOICES}/<invoiceId>/payments/<paymentId>", security=READER, tags=["v1 invoices"])
def get_payment(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, payment_id: PaymentId
) -> PaymentResponseDTO:
    """Get a payment that was recorded against an invoice

    Use it to look at one payment, such as the one that a 409 names.
    """
    key = invoice_key(org_id, account_id, invoice_id)
    return PaymentResponseDTO.from_domain(PaymentRepository().get(key, payment_id))


@app.post(
    f"{V1_INVOICES}/<invoiceId>/payments/<paymentId>/reversal",
    security=WRITER,
    status_code=201,
    tags=["v1 invoices"],
)
def create_payment_reversal(
    org_id: OrgId,
    account_id: AccountId,
    invoice_id: InvoiceId,
    payment_id: PaymentId,
    request: PaymentReversalRequestDTO,
) -> Response[GenericCreatedResponseDTO]:
    """Reverse a payment, once, such as a direct debit that was returned

    Use it when a payment did not last: a returned direct debit, a chargeback.

    The invoice is owed again what it would be owed without the payment: its total less the other
    payments and the credit notes, never less than zero. A reversal has the id of its payment.

    Refused with 409 if the payment was reversed before (`PAYMENT_REVERSED`).
    """
    where = (account_id, invoice_id, payment_id)
    reversed_ = reverse_payment(
        invoice_key(org_id, account_id, invoice_id),
        payment_id,
        request.reason,
        request.reversed_datetime,
        request.external_id(request.external_reversal_unique_id, *where),
        now=app.org_time(),
        payments=PaymentRepository(),
    )
    path = location(org_id, "payment_reversal", *where)
    return created(GenericCreatedResponseDTO(id=reversed_.id), reversed_, path)


@app.post(
    f"{V1_INVOICES}/<invoiceId>/payouts", security=WRITER, status_code=201, tags=["v1 invoices"]
)
def create_payout(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, request: PayoutRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Record money that was returned to the customer, or set off

    Use it when money goes back to the customer, by a transfer or set off against another invoice.

    It is at most what was paid and credited of an invoice beyond its total; on a document below
    zero that corrects no invoice, at most its amount.

    Refused with 409 if the document owes less (`PAYOUT_EXCEEDS_CREDIT`).
    """
    returned = pay_out(
        invoice_key(org_id, account_id, invoice_id),
        request.amount,
        request.paid_datetime,
        request.method,
        request.external_id(request.external_payout_unique_id, account_id, invoice_id),
        now=clock.now(),
        org_time=app.org_time(),
        payouts=PayoutRepository(),
    )
    path = location(org_id, "payout", account_id, invoice_id, returned.id)
    return created(GenericCreatedResponseDTO(id=returned.id), returned, path)


@app.get(f"{V1_INVOICES}/<invoiceId>/payouts", security=READER, tags=["v1 invoices"])
def list_payouts(
    org_id: OrgId,
    account_id: AccountId,
    invoice_id: InvoiceId,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> PayoutListDTO:
    """List the payouts of a document, newest first

    Use it to see what was returned of a document.
    """
    key = invoice_key(org_id, account_id, invoice_id)
    page = _page_of(key, "payouts", PayoutRepository().list_page, cursor, limit)
    return PayoutListDTO.from_domain(*page)


@app.get(f"{V1_INVOICES}/<invoiceId>/payouts/<payoutId>", security=READER, tags=["v1 invoices"])
def get_payout(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, payout_id: PayoutId
) -> PayoutResponseDTO:
    """Get a payout

    Use it to look at one payout, such as the one that a 409 names.
    """
    payout = PayoutRepository().get(invoice_key(org_id, account_id, invoice_id), payout_id)
    return PayoutResponseDTO.from_domain(payout)


@app.post(
    f"{V1_INVOICES}/<invoiceId>/deliveries", security=WRITER, status_code=201, tags=["v1 invoices"]
)
def create_delivery(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, request: InvoiceDeliveryRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Mail a document to its account once more

    Use it where a customer has lost a mail, or had another address when it was sent: it goes to the
    `email` that the account has now, also if the document was issued before the org had a sender.

    Refused with 409 if the org has no sender (`NO_SENDER`), the account is not delivered to by
    e-mail (`NOT_BY_EMAIL`), or the PDF is being made (`DOCUMENT_NOT_READY`), and with 410 once the
    document was erased (`ERASED`).
    """
    key, invoices = invoice_key(org_id, account_id, invoice_id), InvoiceRepository()
    provide_pdf(key, invoices=invoices, maker=DocumentsFunction())
    requested = request_delivery(
        key,
        request.external_id(request.external_delivery_unique_id, account_id, invoice_id),
        now=clock.now(),
        domains=config.mail_domains(),
        mails=MailRepository(),
        queue=MailQueue(),
    )
    path = location(org_id, "delivery", account_id, invoice_id)
    return created(GenericCreatedResponseDTO(id=requested.id), requested, path)


@app.get(f"{V1_INVOICES}/<invoiceId>/deliveries", security=READER, tags=["v1 invoices"])
def list_deliveries(
    org_id: OrgId,
    account_id: AccountId,
    invoice_id: InvoiceId,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> InvoiceDeliveryListDTO:
    """List the mails with a document, and how far each is, newest first

    Use it to see whether a customer was sent a document, and whether the mail came back.
    """
    key = invoice_key(org_id, account_id, invoice_id)
    page = _page_of(key, "deliveries", MailRepository().list_page, cursor, limit)
    return InvoiceDeliveryListDTO.from_domain(*page)


@app.get(
    "/v1/orgs/<orgId>/accounts/<accountId>/upcoming_invoice",
    security=READER,
    tags=["v1 invoices"],
)
def get_upcoming_invoice(
    org_id: OrgId, account_id: AccountId
) -> Response[UpcomingInvoiceResponseDTO]:
    """Get what the next billing run would issue for an account, if its cycle ended now

    Use it to show a customer what the next invoice will be, or to check charges before they are
    billed.

    It is drafted by the code of the run itself; nothing is written.

    Refused with 413 `TOO_LARGE` if the documents do not fit into one answer.
    """
    # Imported by the one route that needs it: every cold start would wait for it.
    from billing.persistence.billing import BillingRepository
    from billing.services.preview_bill import preview_bill

    drafts = preview_bill(
        org_id, account_id, billing=BillingRepository(), invoices=InvoiceRepository()
    )
    body = UpcomingInvoiceResponseDTO(
        documents=[UpcomingDocumentDTO.from_domain(each) for each in drafts]
    ).model_dump_json()
    if len(body.encode()) > BODY_LIMIT:
        raise TooLargeError(
            f"The {len(drafts)} documents that a run would issue are too large for one answer."
        )
    return Response(HTTPStatus.OK, content_types.APPLICATION_JSON, body)  # type: ignore[arg-type]


@app.get("/v1/orgs/<orgId>/accounts/<accountId>/balance", security=READER, tags=["v1 invoices"])
def get_balance(org_id: OrgId, account_id: AccountId) -> AccountBalanceResponseDTO:
    """Get what an account owes, and what is owed to it, in each currency

    Use it to see what is unpaid, and what may be paid out.
    """
    balances = InvoiceRepository().list_balances(org_id, account_id)
    if balances is None:
        AccountRepository().get_account(org_id, account_id)
    return AccountBalanceResponseDTO.from_domain(balances or [])


@app.post(
    f"{V1_INVOICES}/<invoiceId>/credit_note",
    security=WRITER,
    status_code=201,
    tags=["v1 invoices"],
)
def create_credit_note(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, request: CreditNoteRequestDTO
) -> Response[GenericCreatedResponseDTO]:
    """Credit an invoice as a whole, or in part

    Use it to correct an invoice that was issued, which itself never changes: without `lines` all
    that is left of it is credited.

    Refused with 409 if the document is a credit note (`INVOICE_NOT_CREDITABLE`), less is left of it
    or of a line (`CREDIT_EXCEEDS_INVOICE`), the series numbers invoices (`SERIES_TAKEN`), or with
    VERIFACTU no exchange rate is known (`RATE_MISSING`) or this deployment cannot declare anything
    (`FISCAL_REGIME`); with 400 `TAX_ID_REQUIRED` if the buyer's tax id is none that the tax agency
    takes; with 410 once the invoice was erased (`ERASED`); with 413 `TOO_LARGE` if it does not fit
    into one record; with 503 `SELLER_CHANGED` if the org's profile was replaced at that moment.
    """
    issued = credit_invoice(
        invoice_key(org_id, account_id, invoice_id),
        request.description,
        request.to_domain(),
        request.external_id(request.external_credit_note_unique_id, account_id, invoice_id),
        now=app.org_time(),
        profiles=AccountRepository(),
        rates=ExchangeRateRepository(),
        issuing=IssuingRepository(),
        reason=request.reason or CreditReason.REFUND,
    )
    path = location(org_id, "credit_note", account_id, invoice_id, issued.id)
    return created(GenericCreatedResponseDTO(id=issued.id), issued, path)


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)


def _list(wanted: Range, text: str | None, *, unpaid: bool) -> Response[list[Invoice]]:
    org_id, account_id = app.caller.org_id, app.caller.account_id
    invoices = InvoiceRepository()
    if text is not None:
        page, total = invoices.search(
            org_id, account_id, text, wanted.start, wanted.results, unpaid=unpaid
        )
    else:
        list_page = invoices.list_unpaid_page if unpaid else invoices.list_page
        page, total = list_page(org_id, account_id, wanted.start, wanted.results)
    return Response(
        HTTPStatus.OK,
        content_types.APPLICATION_JSON,
        [Invoice.from_domain(summary) for summary in page],
        {"RANGED-DATA": wanted.of(total)},
    )


def _page_of[T: Payment | Payout | Mail](
    key: InvoiceKey,
    things: str,
    list_page: Callable[[InvoiceKey, str | None, int], list[T]],
    cursor: str | None,
    limit: int,
) -> tuple[Sequence[T], str | None]:
    """Read a page of what a document has, newest first. Raise NotFoundError where it is none."""
    scope = (app.caller.token_id, key.org_id, key.account_id, str(key.ordinal), things)
    rows = list_page(key, cursors.decode(cursor, *scope), limit + 1)
    if not rows:
        InvoiceRepository().get(key)
    return cursors.page(rows, limit, lambda each: each.id, *scope)


def _details(key: InvoiceKey) -> list[InvoiceDetails]:
    invoice, summary = InvoiceRepository().get(key)
    return [InvoiceDetails.from_domain(invoice, summary)]


def _whole(key: InvoiceKey) -> InvoiceResponseDTO:
    whole = read_invoice(key, invoices=InvoiceRepository(), payments=PaymentRepository())
    return InvoiceResponseDTO.from_whole(whole, app.org_time())


def _link_seconds() -> int:
    """Return how long a link works: no longer than the token that asked for it."""
    expires_at = app.caller.grant.expires_at
    if expires_at is None:
        return LINK_SECONDS
    return max(1, min(LINK_SECONDS, int((expires_at - clock.now()).total_seconds())))
