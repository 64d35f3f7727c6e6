"""The record of a document: its hash, and what can be erased of it."""

import json
from dataclasses import replace

from billing.domain.invoice_record import SCHEMA, InvoiceRecord, read_record, write_record
from billing.domain.parties import ElectronicAddress, VatNumberStatus
from tests.sample_invoices import BUYER, invoice, line

ISSUED = replace(
    invoice(
        line("Calls of 600 123 456", order_id="PO-7731", remarks="Thanks"),
        replace(line("Calls"), subscription_id="600123456"),
    ),
    buyer=replace(
        BUYER,
        language="en",
        vat_number_status=VatNumberStatus.VALID,
        buyer_reference="ES23 1234",
        electronic_address=ElectronicAddress("0088", "7300010000001"),
    ),
)
KEPT = write_record(ISSUED, "salt")


def test_is_read_as_it_was_written() -> None:
    assert read_record(KEPT) == ISSUED
    assert json.loads(KEPT.record)["schema"] == SCHEMA


def test_reads_the_lines_of_version_1_0_which_had_one_id_for_orders_and_subscriptions() -> None:
    assert KEPT.personal is not None
    personal = json.loads(KEPT.personal)
    personal["lines"] = [["Calls", "600123456", None], ["More calls", None, None]]

    read = read_record(InvoiceRecord(KEPT.record, json.dumps(personal).encode()))

    assert [(each.order_id, each.subscription_id) for each in read.lines] == [
        ("600123456", None),
        (None, None),
    ]


def test_the_hash_is_of_the_record_and_the_hash_before_it() -> None:
    changed = InvoiceRecord(KEPT.record.replace(b"EUR", b"USD"), KEPT.personal)

    assert KEPT.hash("before") == KEPT.hash("before")
    assert len({KEPT.hash("before"), KEPT.hash("other"), changed.hash("before")}) == 3


def test_holds_no_personal_text_but_only_its_hash() -> None:
    personal = [
        "ES23 1234", "7300010000001",
        BUYER.name, BUYER.email, BUYER.address.street, ISSUED.description,
        "Calls of 600 123 456", "PO-7731", "600123456", "Thanks",
    ]  # fmt: skip

    assert not [each for each in personal if each.encode() in KEPT.record]
    assert KEPT.personal is not None
    assert not [each for each in personal if each.encode() not in KEPT.personal]


def test_the_salt_makes_equal_persons_differ() -> None:
    other = write_record(ISSUED, "other salt")

    assert json.loads(other.record)["personal_hash"] != json.loads(KEPT.record)["personal_hash"]


def test_a_changed_personal_part_is_noticed() -> None:
    assert KEPT.personal is not None
    changed = KEPT.personal.replace(b"Thanks", b"Regret")

    assert KEPT.is_intact
    assert not InvoiceRecord(KEPT.record, changed).is_intact


def test_an_erased_document_has_empty_texts_and_the_same_amounts_and_hash() -> None:
    erased = InvoiceRecord(KEPT.record, None)

    read = read_record(erased)

    assert read.erased
    assert (read.description, read.buyer.name, read.buyer.email) == ("", "", "")
    assert {
        (each.description, each.order_id, each.subscription_id, each.remarks) for each in read.lines
    } == {("", None, None, None)}
    assert (read.gross, read.taxes, read.number) == (ISSUED.gross, ISSUED.taxes, ISSUED.number)
    assert erased.hash("before") == KEPT.hash("before")
    assert erased.is_intact


def test_the_tax_id_of_a_company_is_not_personal_that_of_a_person_is() -> None:
    company = replace(ISSUED, buyer=replace(BUYER, company_name="Example GmbH", tax_id="DE1"))
    person = replace(ISSUED, buyer=replace(BUYER, company_name=None, tax_id="12345678Z"))

    kept, erased = (
        read_record(InvoiceRecord(write_record(each, "salt").record, None))
        for each in (company, person)
    )

    assert (kept.buyer.tax_id, kept.buyer.company_name) == ("DE1", None)
    assert erased.buyer.tax_id is None
