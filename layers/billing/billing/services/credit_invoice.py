"""Credit an invoice."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.credit_notes import CreditNote, LineCredit
from billing.domain.errors import NotFoundError
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.idempotency import Created, ExternalId
from billing.domain.invoices import CreditReason, InvoiceKey, InvoiceKind
from billing.domain.issuing import Journal, OpenJournal, RegimeChangedError
from billing.domain.parties import Account, Org
from billing.domain.periods import period_at
from billing.services.convert_tax import with_national_tax


class Profiles(Protocol):
    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]: ...


class Issuing(Protocol):
    def open(
        self,
        org: Org,
        account_ids: Iterable[str],
        now: datetime,
        originals: Iterable[InvoiceKey],
        external: ExternalId,
        kind: InvoiceKind,
    ) -> OpenJournal: ...

    def write(self, journal: Journal, external: ExternalId) -> None: ...


class Rates(Protocol):
    def find(self, org_id: str, currency: str, day: date) -> ExchangeRate | None: ...


def credit_invoice(
    original: InvoiceKey,
    description: str,
    lines: Sequence[LineCredit] | None,
    external: ExternalId,
    *,
    now: datetime,
    profiles: Profiles,
    rates: Rates,
    issuing: Issuing,
    reason: CreditReason = CreditReason.REFUND,
) -> Created:
    """
    Create a credit note for some lines of an invoice, or for all that is left of it.

    What is reserved for refunds is left alone. A paid invoice can be credited too: then the money
    goes back. The credit note of a one-off is one itself, in the cycle of today.
    """

    def credit_as_of_now() -> Created:
        both = profiles.get_both(original.org_id, original.account_id)
        return deadline.retry(lambda: credit(*both))

    def credit(org: Org, account: Account) -> Created:
        opened = issuing.open(org, [account.id], now, [original], external, InvoiceKind.CREDIT_NOTE)
        if known := external.replay(opened.known):
            return known
        creditable = opened.originals.get(original)
        if creditable is None:
            raise NotFoundError
        nets = creditable.all_left() if lines is None else creditable.lines_left(lines)
        today = period_at(account.billing_day, account.time_zone, now)
        cycle = today if creditable.invoice.is_one_off else None
        note = CreditNote.of(creditable, nets, org, account, description, cycle=cycle)
        draft = with_national_tax(note.draft, now, rates.find) if org.is_declared else note.draft
        note = replace(note, draft=replace(draft, credit_reason=reason))
        invoice = opened.journal.credit(note)
        issuing.write(opened.journal, external)
        return Created(str(invoice.key.ordinal))

    return deadline.retry(credit_as_of_now, on=RegimeChangedError)
