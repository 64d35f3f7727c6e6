"""Fiscal records as they are kept: chained as documents are issued, listed, answered, amended."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.domain.parties import FiscalRegime
from billing.domain.verifactu import AgencyError, KeptRecord, RecordState, Verdict
from billing.persistence.chains import ChainRepository
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.orgs import OrgRepository
from tests.integration.conftest import Invoker

SENT_AT = datetime(2027, 1, 4, 12, tzinfo=UTC)


@pytest.fixture
def declared(billed: Invoker) -> Invoker:
    """Call functions in the name of an org whose documents are declared."""
    orgs = OrgRepository()
    org, version = orgs.get(billed.org_id)
    orgs.replace(replace(org, fiscal_regime=FiscalRegime.VERIFACTU), org, version)
    return billed


def issue(invoke: Invoker, count: int = 1) -> list[str]:
    answers = [
        invoke("invoices_create", {"external_invoice_unique_id": f"invoice-{number}"})
        for number in range(count)
    ]
    assert {answer.status for answer in answers} == {201}, answers[0].text
    return [answer.json["id"] for answer in answers]


def whole(invoke: Invoker) -> list[KeptRecord]:
    """Return all pending records, which must be one whole chain."""
    records = FiscalRecordRepository().pending(invoke.org_id, 1000)
    before = None
    for position, kept in enumerate(records, 1):
        assert kept.record.position == position
        assert kept.record.previous == before
        assert kept.record.is_intact
        before = kept.record.end.link
    assert FiscalRecordRepository().end(invoke.org_id).position == len(records)
    return records


def test_each_document_has_its_record_in_the_chain(declared: Invoker) -> None:
    first, _ = issue(declared, 2)
    assert declared("invoices_credit", invoiceId=first).status == 201

    records = whole(declared)

    assert [kept.record.declaration.type for kept in records] == ["F1", "F1", "R1"]
    assert {kept.state for kept in records} == {RecordState.PENDING}
    assert records[0] == FiscalRecordRepository().get(records[0].key)


def test_documents_issued_at_once_are_one_chain(declared: Invoker) -> None:
    def create(number: int) -> int:
        body = {"external_invoice_unique_id": f"at-once-{number}"}
        return declared("invoices_create", body).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(create, range(16)))

    assert set(statuses) == {201}
    assert len(whole(declared)) == 16


def test_answers_are_kept_and_the_first_one_stays(declared: Invoker) -> None:
    issue(declared, 3)
    records, repository = whole(declared), FiscalRecordRepository()
    error = AgencyError("1239", "Error en el bloque Destinatario")
    accepted = Verdict(RecordState.ACCEPTED, SENT_AT, csv="A-YDSW8NLFLANWPM")
    rejected = Verdict(RecordState.REJECTED, SENT_AT, errors=(error,))

    repository.answered([(records[0], accepted), (records[1], rejected)])
    repository.answered([(records[0], rejected), (records[2], accepted)])

    assert repository.pending(declared.org_id, 10) == []
    assert [repository.get(each.key).verdict for each in records] == [accepted, rejected, accepted]
    listed = repository.list_by_state(declared.org_id, RecordState.ACCEPTED, None, 10)
    assert [each.record.position for each in listed] == [1, 3]
    assert repository.list_by_state(declared.org_id, RecordState.ACCEPTED, "0000000001", 1) == [
        listed[1]
    ]


def test_the_documents_of_other_orgs_have_no_record(billed: Invoker) -> None:
    issue(billed)

    assert FiscalRecordRepository().pending(billed.org_id, 10) == []
    assert FiscalRecordRepository().end(billed.org_id).position == 0
    assert len(list(ChainRepository().list_keys(billed.org_id))) == 1
