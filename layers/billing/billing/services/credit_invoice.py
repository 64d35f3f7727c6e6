"""Credit an invoice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.credit_notes import Creditable, CreditNote, LineCredit
from billing.domain.errors import ContentionError
from billing.domain.idempotency import ExternalId
from billing.domain.invoices import InvoiceKey, InvoiceKind, series_in
from billing.domain.parties import Account, Org


class Profiles(Protocol):
    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]: ...


class Invoices[Book](Protocol):
    def get_for_credit(
        self, original: InvoiceKey, series: str, external: ExternalId
    ) -> tuple[Book, Creditable] | InvoiceKey: ...

    def add_credit_note(
        self, note: CreditNote, now: datetime, book: Book, external: ExternalId
    ) -> InvoiceKey: ...


def credit_invoice[Book](
    original: InvoiceKey,
    description: str,
    lines: Sequence[LineCredit] | None,
    external: ExternalId,
    *,
    now: datetime,
    profiles: Profiles,
    invoices: Invoices[Book],
) -> tuple[InvoiceKey, bool]:
    """
    Issue a credit note for some lines of an invoice, or for all that is left of it.

    Tells which it is, and whether it had been issued before. A paid invoice can be credited too:
    then the money goes back.
    """
    org, account = profiles.get_both(original.org_id, original.account_id)
    series = series_in(org, InvoiceKind.CREDIT_NOTE, now)
    for _ in deadline.attempts():
        found = invoices.get_for_credit(original, series, external)
        if isinstance(found, InvoiceKey):
            return found, True
        book, creditable = found
        nets = creditable.all_left() if lines is None else creditable.lines_left(lines)
        note = CreditNote.of(creditable, nets, org, account, description)
        try:
            return invoices.add_credit_note(note, now, book, external), False
        except ContentionError:
            continue
    raise ContentionError
