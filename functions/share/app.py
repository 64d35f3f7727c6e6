"""Share links: a customer sees one document on a page, without a token."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing import clock, config
from billing.api import cursors
from billing.api.access import READER, WRITER
from billing.api.app import BillingApp, no_content
from billing.api.invoice_keys import invoice_key
from billing.api.logger import logger
from billing.api.params import (
    AccountId,
    Cursor,
    InvoiceId,
    Limit,
    OrgId,
    ShareLinkId,
)
from billing.dialects.v1.share_links import (
    ShareLinkCreatedResponseDTO,
    ShareLinkListDTO,
    ShareLinkRequestDTO,
)
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.share_links import ShareLinkRepository
from billing.services.share_invoice import page_path, share_invoice

app = BillingApp(hands_out_access=True)

LINKS = "/v1/orgs/<orgId>/accounts/<accountId>/invoices/<invoiceId>/links"
TAGS = ["v1 share links"]


@app.post(LINKS, security=WRITER, status_code=201, tags=TAGS)
def create_share_link(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, request: ShareLinkRequestDTO
) -> Response[ShareLinkCreatedResponseDTO]:
    """Create a link to a page that shows the customer a document, and show its address once

    Use it to send a customer something that needs no account: by mail, in a chat, printed.

    The page needs no token. It says what is owed by now and how to pay, and has the PDF and the
    e-invoice. Whoever has the link can open it, until it expires or is revoked.

    Refused with 410 once the document was erased (`ERASED`). Sent again, it creates one more link.
    """
    link, secret = share_invoice(
        invoice_key(org_id, account_id, invoice_id),
        request.expires_at,
        now=clock.now(),
        invoices=InvoiceRepository(),
        links=ShareLinkRepository(),
        latest=app.caller.grant.expires_at,
    )
    path = f"/v1/orgs/{org_id}/accounts/{account_id}/invoices/{invoice_id}/links/{link.id}"
    return Response(
        HTTPStatus.CREATED,
        content_types.APPLICATION_JSON,
        ShareLinkCreatedResponseDTO(
            id=link.id, url=_public_url() + page_path(secret), expires_at=link.expires_at
        ),
        {"Location": path},
    )


@app.get(LINKS, security=READER, tags=TAGS)
def list_share_links(
    org_id: OrgId,
    account_id: AccountId,
    invoice_id: InvoiceId,
    cursor: Cursor = None,
    limit: Limit = 25,
) -> ShareLinkListDTO:
    """List the links of a document, newest first, also those that do not work any more

    Use it to see whether a customer has opened a link, and which links still work.
    """
    key = invoice_key(org_id, account_id, invoice_id)
    scope = (app.caller.token_id, org_id, account_id, str(key.ordinal), "links")
    after = cursors.decode(cursor, *scope)
    rows = ShareLinkRepository().list_page(key, after, limit + 1)
    if not rows:
        InvoiceRepository().get(key)
    return ShareLinkListDTO.from_domain(*cursors.page(rows, limit, lambda each: each.id, *scope))


@app.delete(f"{LINKS}/<linkId>", security=WRITER, status_code=204, tags=TAGS)
def delete_share_link(
    org_id: OrgId, account_id: AccountId, invoice_id: InvoiceId, link_id: ShareLinkId
) -> Response[None]:
    """Revoke a link: from now on its page says that it was revoked

    Use it when a link has come to somebody it is not for. Sent again, it is a 204.
    """
    ShareLinkRepository().revoke(invoice_key(org_id, account_id, invoice_id), link_id)
    return no_content()


def _public_url() -> str:
    """Return where customers reach the API: as the stack says, or as it was called."""
    return config.public_url() or f"https://{app.current_event.request_context.domain_name}"


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
