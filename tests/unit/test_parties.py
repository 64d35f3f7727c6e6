"""Who is billed: as a business or as a consumer, where, and in which language."""

from dataclasses import replace

import pytest

from billing.domain.parties import Account, Address, Language, VatNumberStatus
from billing.domain.records import account_record, to_account
from billing.domain.texts import language_of
from tests.sample_invoices import BUYER, GERMAN


@pytest.mark.parametrize(
    ("status", "tax_id", "company_name", "expected"),
    [
        pytest.param("unchecked", "DE136695976", "Größmann GmbH", True, id="it looks like one"),
        pytest.param("unchecked", None, "Größmann GmbH", False, id="no tax id"),
        pytest.param("unchecked", "12345678Z", None, False, id="a person"),
        pytest.param("valid", "DE136695976", None, True, id="a person in business"),
        pytest.param("invalid", "DE136695976", "Größmann GmbH", False, id="an invalid number"),
    ],
)
def test_who_is_a_business(
    status: str, tax_id: str | None, company_name: str | None, expected: bool
) -> None:
    account = replace(
        GERMAN,
        tax_id=tax_id,
        company_name=company_name,
        vat_number_status=VatNumberStatus(status),
    )

    assert account.is_business is expected


@pytest.mark.parametrize(
    ("buyer", "language", "expected"),
    [
        (BUYER, None, "es"),
        (GERMAN, None, "en"),
        (BUYER, "en", "en"),
        (GERMAN, "es", "es"),
    ],
)
def test_the_language_of_documents(
    buyer: Account, language: Language | None, expected: Language
) -> None:
    assert language_of(replace(buyer, language=language)) == expected


@pytest.mark.parametrize(
    ("postal_code", "region"),
    [("28013", "ES-M"), ("35001", "ES-GC"), ("38001", "ES-TF"), ("51001", "ES-CE"), ("", None)],
)
def test_in_spain_the_region_is_the_province(postal_code: str, region: str | None) -> None:
    assert Address("Calle 1", postal_code, "Ciudad", "ES").region == region
    assert Address("Calle 1", postal_code, "Ciudad", "ES", "ES-B").region == region


def test_reads_an_account_of_version_1() -> None:
    record = account_record(BUYER)
    later = {"language", "vat_number_status", "buyer_reference", "electronic_address"}
    del record["address"]["region"]

    assert not later & record.keys()
    assert to_account(record) == BUYER
