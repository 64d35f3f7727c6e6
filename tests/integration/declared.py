"""Orgs whose documents are declared: all fiscal records that they have, as they are kept."""

import pytest

from billing.domain.errors import NotFoundError
from billing.domain.verifactu import KeptRecord
from billing.persistence.chains import ChainRepository
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.invoices import InvoiceRepository
from tests.integration.billing import audited


def records_of(org_id: str) -> list[KeptRecord]:
    """
    Return all records of an org, in the order of the chain: no one is missing, and none is twice.

    Each document that says so has its record, others have none; the latest of each is in its list.
    """
    repository, found = FiscalRecordRepository(), list[KeptRecord]()
    for key in ChainRepository().list_keys(org_id):
        invoice, _ = InvoiceRepository().get(key)
        if invoice.fiscal is None:
            with pytest.raises(NotFoundError):
                repository.list_of(key)
            continue
        first, *_ = records = repository.list_of(key)
        assert {each.record.declaration.number for each in records} == {invoice.number}
        assert first.record.declaration.type == invoice.fiscal.type
        assert first.record.declaration.total == invoice.fiscal.total
        *amended, latest = records
        assert all(each.amended for each in amended)
        assert not latest.amended
        assert latest in repository.list_by_state(org_id, latest.state, None, 10_000)
        found += records
    found.sort(key=lambda each: each.record.position)
    before = None
    for position, kept in enumerate(found, 1):
        assert (kept.record.position, kept.record.previous) == (position, before)
        assert kept.record.is_intact
        before = kept.record.end.link
    assert repository.end(org_id) == (found[-1].record.end if found else repository.end("none"))
    audited(org_id)
    return found
