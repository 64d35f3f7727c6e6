"""
The page to share: what a customer owes of one document, how to pay it, and its files.

Whoever has a link opens it without a token; nothing else can be reached with it.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock
from billing.adapters.documents import (
    LINK_SECONDS,
    DocumentsFunction,
    DocumentStore,
    content_disposition,
    object_key,
)
from billing.api.access import OPEN
from billing.api.app import BillingApp
from billing.api.files import Syntax, e_invoice, redirect
from billing.api.logger import kind_of, logger
from billing.domain.errors import BillingError, ErasedError, GoneError, NotFoundError
from billing.domain.invoices import StoredDocument
from billing.domain.share_links import ShareLink, hash_of, is_secret
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.org_time import org_time
from billing.persistence.share_links import ShareLinkRepository
from billing.services.provide_pdf import provide_pdf
from functions.shared_page.page import headers_of, language_in, page_of, page_of_failure


def _say(error: BillingError, headers: Mapping[str, str]) -> tuple[dict[str, str], str]:
    page = page_of_failure(error, language_in(headers.get("accept-language", "")))
    return headers_of(page), page


app = BillingApp(failure_page=_say)

PAGE = "/p/<token>"


@app.get(PAGE, security=OPEN, include_in_schema=False)
def get_page(token: str) -> Response[str]:
    """Get the page of a document"""
    return _answer(token, lambda link: _page(link, token))


@app.head(PAGE, security=OPEN, include_in_schema=False)
def head_page(token: str) -> Response[str]:
    """Check whether there is a page, as programs that look at links do"""
    return _answer(token, lambda _: Response(HTTPStatus.OK, body="", headers=headers_of("")))


@app.get(f"{PAGE}/pdf", security=OPEN, include_in_schema=False)
def get_pdf(token: str) -> Response[str]:
    """Get the PDF of a document"""
    return _answer(token, _pdf)


@app.get(f"{PAGE}/cii.xml", security=OPEN, include_in_schema=False)
def get_cii(token: str) -> Response[str]:
    """Get a document as an e-invoice: CII"""
    return _answer(token, lambda link: _e_invoice(link, "cii"))


@app.get(f"{PAGE}/ubl.xml", security=OPEN, include_in_schema=False)
def get_ubl(token: str) -> Response[str]:
    """Get a document as an e-invoice: UBL 2.1"""
    return _answer(token, lambda link: _e_invoice(link, "ubl"))


def _answer(token: str, answer: Callable[[ShareLink], Response[str]]) -> Response[str]:
    """Return what a link gives; what is gone is said in the language of its document."""
    if not is_secret(token):
        raise NotFoundError
    link = ShareLinkRepository().get(hash_of(token))
    try:
        link.must_work(clock.now())
        return answer(link)
    except GoneError as error:
        page = page_of_failure(error, link.language)
        return Response(HTTPStatus.GONE, body=page, headers=headers_of(page))


def _page(link: ShareLink, token: str) -> Response[str]:
    invoice, summary = InvoiceRepository().get(link.invoice)
    if invoice.erased:
        raise ErasedError
    org_id, seller = link.invoice.org_id, invoice.seller
    logo = DocumentStore().get_logo(org_id, seller.logo) if seller.logo else None
    now = org_time(org_id, clock.now(), is_sandbox=seller.sandbox)
    page = page_of(invoice, summary, logo, token, now)
    _count_opening(link)
    return Response(HTTPStatus.OK, body=page, headers=headers_of(page))


def _count_opening(link: ShareLink) -> None:
    """Count an opening, if that can be done: the page does not depend on it."""
    try:
        ShareLinkRepository().count_opening(link)
    except Exception as error:
        logger.warning("opening not counted", extra={"error": kind_of(error)})


def _pdf(link: ShareLink) -> Response[str]:
    pdf = provide_pdf(link.invoice, invoices=InvoiceRepository(), maker=DocumentsFunction())
    return redirect(pdf, _link_seconds(link))


def _e_invoice(link: ShareLink, syntax: Syntax) -> Response[str]:
    invoice, _ = InvoiceRepository().get(link.invoice)
    answer = e_invoice(invoice, syntax, _link_seconds(link))
    file = StoredDocument(object_key(link.invoice, invoice.number, f"{syntax}.xml"), "")
    answer.headers["Content-Disposition"] = content_disposition(file)
    return answer


def _link_seconds(link: ShareLink) -> int:
    """Return how long a link to a file works: no longer than the link to the page."""
    return max(1, min(LINK_SECONDS, int((link.expires_at - clock.now()).total_seconds())))


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
