"""PDFs: made once, whoever asks first, and never replaced."""

import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from billing import config
from billing.adapters.documents import DocumentStore, object_key
from billing.aws import dynamodb, lambda_
from billing.domain.invoices import InvoiceKey
from billing.persistence.dynamodb import key_of
from billing.persistence.invoices import InvoiceRepository
from functions.documents.app import lambda_handler as documents
from tests.integration.conftest import EVENTS, Context, Invoker


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


def test_what_was_stored_but_not_recorded_is_kept(key: InvoiceKey) -> None:
    """As after a kill between the two steps, with another rendering deployed meanwhile."""
    invoice, _ = InvoiceRepository().get(key)
    earlier = b"%PDF-earlier"
    DocumentStore().put_once(object_key(key, invoice.number), earlier, sha256(earlier).hexdigest())

    made = _make(key)

    assert made["sha256"] == sha256(earlier).hexdigest()
    assert _find(key) == made


def _make(key: InvoiceKey) -> Any:
    event = json.loads((EVENTS / "documents_make.json").read_text())
    return documents({**event, **asdict(key)}, Context())


def _find(key: InvoiceKey) -> Any:
    pdf = InvoiceRepository().find_pdf(key)
    return pdf and {"object_key": pdf.object_key, "sha256": pdf.sha256}


def test_a_pdf_too_large_for_an_answer_is_a_redirect_to_a_link(
    billed: Invoker, key: InvoiceKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.invoices.app.BODY_LIMIT", 1000)

    answer = billed("invoices_get_pdf")

    assert (answer.status, answer.content) == (307, b"")
    assert "X-Amz-Signature" in answer.headers["location"]


def test_a_failing_renderer_is_502_and_harms_nothing(billed: Invoker, key: InvoiceKey) -> None:
    """A second invoice has a record that cannot be read, from the beginning."""
    table, account = config.invoices_table(), f"{key.org_id}#{key.account_id}"
    summary, document = (
        dynamodb().get_item(TableName=table, Key=key_of(each))["Item"]
        for each in (
            (f"account#{account}", f"invoice#{1:010}"),
            (f"invoice#{account}#1", "document"),
        )
    )
    second = {**summary, "sk": {"S": f"invoice#{2:010}"}, "ordinal": {"N": "2"}}
    whole = {**document, "pk": {"S": f"invoice#{account}#2"}}
    dynamodb().put_item(TableName=table, Item={**whole, "record": {"B": zlib.compress(b"{}")}})
    dynamodb().put_item(TableName=table, Item=second)

    answers = [
        billed("invoices_get_pdf", invoiceId=2),
        billed("invoices_public_link", invoiceId=2),
    ]

    dynamodb().put_item(TableName=table, Item=whole)
    assert {answer.status for answer in answers} == {502}
    assert "KeyError" not in answers[0].text
    assert billed("invoices_get", invoiceId=2).status == 200
    assert billed("invoices_get_pdf", invoiceId=2).status == 200


def test_a_slow_renderer_is_409_and_a_time_to_ask_again(
    billed: Invoker, key: InvoiceKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="")

    monkeypatch.setattr(lambda_(), "invoke", never)

    answer = billed("invoices_public_link")

    assert (answer.status, answer.json["code"]) == (409, "DOCUMENT_NOT_READY")
    assert int(answer.headers["retry-after"]) > 0
