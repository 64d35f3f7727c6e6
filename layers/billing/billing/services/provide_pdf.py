"""Provide the PDF of an invoice: made once, when it is issued or first asked for."""

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from billing.domain.errors import ErasedError
from billing.domain.invoices import InvoiceKey, IssuedInvoice, StoredDocument
from billing.domain.parties import Logo


class Pdfs(Protocol):
    def find_pdf(self, key: InvoiceKey) -> StoredDocument | None: ...


class Documents(Protocol):
    def get_document(self, key: InvoiceKey) -> tuple[IssuedInvoice, StoredDocument | None]: ...

    def add_pdf(self, key: InvoiceKey, pdf: StoredDocument) -> None: ...


class Maker(Protocol):
    def make_pdf(self, key: InvoiceKey) -> StoredDocument: ...


class Store(Protocol):
    def get_logo(self, org_id: str, logo: Logo) -> bytes: ...

    def put_once(self, object_key: str, pdf: bytes, sha256: str) -> StoredDocument: ...


def provide_pdf(key: InvoiceKey, *, invoices: Pdfs, maker: Maker) -> StoredDocument:
    """Return the PDF of an invoice; create it if it does not exist."""
    return invoices.find_pdf(key) or maker.make_pdf(key)


def make_pdf(
    key: InvoiceKey,
    object_key: Callable[[InvoiceKey, str], str],
    *,
    render: Callable[[IssuedInvoice, bytes | None], bytes],
    invoices: Documents,
    store: Store,
) -> tuple[StoredDocument, IssuedInvoice]:
    """
    Render and store the PDF of an invoice, unless that was done; return it with the invoice.

    Every step can be repeated: what is stored first stays, and is what is recorded.
    """
    invoice, stored = invoices.get_document(key)
    if stored:
        return stored, invoice
    if invoice.erased:
        raise ErasedError
    logo = invoice.seller.logo
    pdf = render(invoice, store.get_logo(key.org_id, logo) if logo else None)
    stored = store.put_once(object_key(key, invoice.number), pdf, sha256(pdf).hexdigest())
    invoices.add_pdf(key, stored)
    return stored, invoice
