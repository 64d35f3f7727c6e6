"""Answers that are files, and redirects to those that no answer can hold."""

from hashlib import sha256
from http import HTTPStatus
from typing import Any, Literal

from aws_lambda_powertools.event_handler import Response

from billing.adapters.documents import XML, DocumentStore, object_key
from billing.domain.errors import ErasedError
from billing.domain.invoices import IssuedInvoice, StoredDocument

BODY_LIMIT = 4_000_000
"""Bytes that fit into the answer of a function (6 MB) once they are base64, or escaped in JSON."""

type Syntax = Literal["cii", "ubl"]


def e_invoice(invoice: IssuedInvoice, syntax: Syntax, link_seconds: int) -> Response[str]:
    """Return an invoice as an e-invoice. Raise ErasedError where it was erased."""
    # Imported by the routes that need it: every cold start would wait for it.
    from billing.einvoice.cii import to_cii
    from billing.einvoice.ubl import to_ubl

    if invoice.erased:
        raise ErasedError
    document = to_cii(invoice) if syntax == "cii" else to_ubl(invoice)
    if len(document) <= BODY_LIMIT:
        return Response(HTTPStatus.OK, XML, document.decode())
    name = object_key(invoice.key, invoice.number, f"{syntax}.xml")
    stored = DocumentStore().put_once(name, document, sha256(document).hexdigest())
    return redirect(stored, link_seconds)


def redirect(document: StoredDocument, link_seconds: int) -> Response[Any]:
    """Return a 307 to a link to a stored document."""
    location = DocumentStore().link(document, link_seconds)
    return Response(HTTPStatus.TEMPORARY_REDIRECT, body="", headers={"Location": location})
