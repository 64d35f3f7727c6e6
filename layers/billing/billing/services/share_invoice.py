"""Share a document with its customer, by a link to a page that needs no token."""

from datetime import datetime
from typing import Protocol

from billing.domain.errors import ErasedError
from billing.domain.invoices import InvoiceKey, InvoiceSummary, IssuedInvoice
from billing.domain.share_links import ShareLink, new_secret
from billing.domain.texts import language_of


class Invoices(Protocol):
    def get(self, key: InvoiceKey) -> tuple[IssuedInvoice, InvoiceSummary]: ...


class Links(Protocol):
    def add(self, link: ShareLink) -> None: ...


def share_invoice(
    key: InvoiceKey,
    expires_at: datetime | None,
    *,
    now: datetime,
    invoices: Invoices,
    links: Links,
    latest: datetime | None = None,
) -> tuple[ShareLink, str]:
    """
    Create a link to the page of a document; return it and its secret, which is not stored.

    It expires after `latest` in no case. Raise NotFoundError where there is no such document, and
    ErasedError where it was erased.
    """
    invoice, _ = invoices.get(key)
    if invoice.erased:
        raise ErasedError
    secret = new_secret()
    language = language_of(invoice.buyer)
    link = ShareLink.new(secret, key, language, expires_at, now, latest)
    links.add(link)
    return link, secret


def page_path(secret: str) -> str:
    """Return the path of the page that a secret opens."""
    return f"/p/{secret}"
