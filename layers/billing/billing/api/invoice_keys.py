"""Invoices as paths name them."""

import re

from billing.domain.errors import NotFoundError
from billing.domain.invoices import InvoiceKey


def invoice_key(org_id: str, account_id: str, invoice_id: str) -> InvoiceKey:
    """Read an invoice id. Raise NotFoundError for one that is no ordinal: it names no invoice."""
    if not re.fullmatch("[1-9][0-9]{0,9}", invoice_id):
        raise NotFoundError
    return InvoiceKey(org_id, account_id, int(invoice_id))
