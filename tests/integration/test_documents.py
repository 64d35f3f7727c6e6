"""PDFs: made once, whoever asks first, and never replaced."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from billing.domain.invoices import InvoiceKey
from billing.persistence.documents import DocumentStore, object_key
from billing.persistence.invoices import InvoiceRepository
from functions.documents.app import lambda_handler as documents
from tests.integration.conftest import EVENTS, Invoker, LambdaContext


@pytest.fixture
def key(billed: Invoker) -> InvoiceKey:
    assert billed("invoices_create").json == {"id": "1"}
    return InvoiceKey(billed.org_id, "100001", 1)


def test_makes_the_pdf_once(key: InvoiceKey) -> None:
    first = _make(key)
    second = _make(key)

    pdf = DocumentStore().get(InvoiceRepository().find_pdf(key) or pytest.fail("no record"))
    assert first == second
    assert first["sha256"] == sha256(pdf).hexdigest()


def test_of_many_at_once_the_first_is_kept(key: InvoiceKey) -> None:
    pdfs = [f"%PDF-{number}".encode() for number in range(8)]
    name = object_key(key, "F2026-000001")

    with ThreadPoolExecutor(8) as pool:
        stored = list(
            pool.map(lambda pdf: DocumentStore().put_once(name, pdf, sha256(pdf).hexdigest()), pdfs)
        )

    assert stored == [stored[0]] * 8
    assert sha256(DocumentStore().get(stored[0])).hexdigest() == stored[0].sha256


def test_takes_issued_invoices_from_the_stream_twice_and_late(key: InvoiceKey) -> None:
    event = json.loads((EVENTS / "documents_stream.json").read_text().replace("demo", key.org_id))

    assert documents(event, LambdaContext()) == {"batchItemFailures": []}
    assert documents(event, LambdaContext()) == {"batchItemFailures": []}
    assert InvoiceRepository().find_pdf(key) is not None


def test_tells_the_stream_which_invoice_failed(aws: None) -> None:
    event = json.loads((EVENTS / "documents_stream.json").read_text().replace("demo", "nobody"))
    good = {"eventID": "2", **event["Records"][0]}

    with pytest.raises(Exception, match="All records failed"):
        documents({"Records": [good]}, LambdaContext())


def test_what_was_stored_but_not_recorded_is_kept(key: InvoiceKey) -> None:
    """As after a kill between the two steps, with another rendering deployed meanwhile."""
    invoice, _ = InvoiceRepository().get(key)
    earlier = b"%PDF-earlier"
    DocumentStore().put_once(object_key(key, invoice.number), earlier, sha256(earlier).hexdigest())

    made = _make(key)

    assert made["sha256"] == sha256(earlier).hexdigest()
    assert _find(key) == made


def _make(key: InvoiceKey) -> Any:
    event = {"org_id": key.org_id, "account_id": key.account_id, "ordinal": key.ordinal}
    return documents(event, LambdaContext())  # type: ignore[arg-type]


def _find(key: InvoiceKey) -> Any:
    pdf = InvoiceRepository().find_pdf(key)
    return pdf and {"object_key": pdf.object_key, "sha256": pdf.sha256}
