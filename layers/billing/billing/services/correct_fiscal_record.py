"""Correct a fiscal record that the tax agency refused: a new record of the same document."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.errors import ErasedError, FiscalRecordNotCorrectableError, FiscalRegimeError
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.invoices import CreditReason, InvoiceKey, InvoiceSummary, IssuedInvoice
from billing.domain.parties import Account, Org
from billing.domain.verifactu import (
    NO_PRODUCER,
    Amendment,
    FiscalEnd,
    FiscalRecord,
    FiscalSetting,
    IdType,
    KeptRecord,
    RecordState,
    RecordType,
    chained,
    declare,
    identified_by,
)

_CORRECTABLE = (RecordState.REJECTED, RecordState.ACCEPTED_WITH_ERRORS)
_ACCEPTED = (RecordState.ACCEPTED, RecordState.ACCEPTED_WITH_ERRORS)


class Profiles(Protocol):
    def get_both(self, org_id: str, account_id: str) -> tuple[Org, Account]: ...


class Invoices(Protocol):
    def get(self, key: InvoiceKey) -> tuple[IssuedInvoice, InvoiceSummary]: ...


class Records(Protocol):
    def find_external(
        self, org_id: str, external: ExternalId
    ) -> tuple[IdempotencyRecord | None, FiscalEnd]: ...

    def list_of(self, key: InvoiceKey) -> list[KeptRecord]: ...

    def setting(self, org: Org) -> FiscalSetting | None: ...

    def amend(
        self,
        before: Sequence[KeptRecord],
        record: FiscalRecord,
        end: FiscalEnd,
        external: ExternalId,
        *,
        is_sent: bool,
    ) -> None: ...


def correct_fiscal_record(
    key: InvoiceKey,
    id_type: IdType | None,
    external: ExternalId,
    *,
    now: datetime,
    profiles: Profiles,
    invoices: Invoices,
    records: Records,
) -> Created:
    """
    Chain a new record of a document, which takes the place of the latest one.

    It is made of the document as it was issued, which never changes, by what is known of the
    buyer's VAT number today; `id_type` says what the buyer's tax id is, where the agency does not
    know it. Raise FiscalRecordNotCorrectableError where the agency has not found anything wrong.
    """

    def correct() -> Created:
        known, end = records.find_external(key.org_id, external)
        if done := external.replay(known):
            return done
        before = records.list_of(key)
        latest = before[-1]
        if latest.state not in _CORRECTABLE:
            raise FiscalRecordNotCorrectableError(latest.state)
        org, account = profiles.get_both(key.org_id, key.account_id)
        setting = records.setting(org)
        if setting is None:
            raise FiscalRegimeError(NO_PRODUCER)
        invoice, _ = invoices.get(key)
        if invoice.erased:
            raise ErasedError
        declared = latest.record.declaration
        is_other = declared.type is RecordType.OTHER_CREDIT
        said = declare(
            _as_known(invoice, account),
            CreditReason.OTHER if is_other else CreditReason.REFUND,
            declared.operation_date,
        )
        amendment = Amendment(
            is_known=any(each.state in _ACCEPTED for each in before),
            after_rejection=latest.state is RecordState.REJECTED,
        )
        said = identified_by(said, id_type, invoice) if id_type else said
        record = chained(said, end, setting, now, org.time_zone, amendment)
        records.amend(before, record, end, external, is_sent=setting.is_sent)
        return Created(str(record.position))

    return deadline.retry(correct)


def _as_known(invoice: IssuedInvoice, account: Account) -> IssuedInvoice:
    """Return a document with what is known of its buyer's VAT number by now."""
    buyer = invoice.buyer
    if (buyer.tax_id, buyer.country) != (account.tax_id, account.country):
        return invoice
    known = replace(buyer, vat_number_status=account.vat_number_status)
    return replace(invoice, buyer=known)
