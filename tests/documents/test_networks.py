"""
E-invoices for networks: what they claim holds, from every member state, in both syntaxes.

The rules of Peppol that the tests state themselves are seen to fail, each on one planted mistake.
"""

import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal

import pytest

from billing.domain.invoices import IssuedInvoice
from billing.domain.networks import Network
from billing.domain.parties import Account, ElectronicAddress, Org
from billing.domain.regimes.eu import MEMBER_STATES
from billing.domain.tax import NO_TAX, Tax, TaxType
from billing.einvoice.model import to_e_invoice
from billing.einvoice.ubl import to_ubl
from tests.documents.official_rules import STYLESHEETS, OfficialRules
from tests.documents.peppol_rules import broken_peppol_rules
from tests.sample_invoices import (
    AMERICAN,
    AUTHORITY,
    BUYER,
    DUTCH,
    DUTCH_HOME,
    GERMAN_SELLER,
    PEPPOL,
    SELLER,
    credited,
    invoice,
    line,
)
from tests.unit.test_tax_ids import BY_COUNTRY

GLN = ElectronicAddress("0088", "7300010000001")
STANDARD = Tax(TaxType.VAT, Decimal(25))
BUYERS = {
    "a German authority": AUTHORITY,
    "a Dutch company": replace(DUTCH, buyer_reference="Cost centre 7"),
    "an American company": replace(AMERICAN, electronic_address=GLN, buyer_reference="PO 7"),
    "a Spanish company": replace(BUYER, buyer_reference="PO 7"),
}


@pytest.fixture(scope="module")
def rules() -> OfficialRules:
    return OfficialRules()


def _seller(country: str) -> Org:
    """Return a seller of a member state; two of them have no scheme for VAT ids."""
    return replace(
        SELLER,
        tax_id=BY_COUNTRY[country],
        address=replace(SELLER.address, country=country),
        electronic_address=GLN if country in {"DK", "SE"} else None,
    )


def _document(seller: Org, buyer: Account) -> IssuedInvoice:
    tax = STANDARD if seller.address.country == buyer.country else NO_TAX
    lines = line("Plan", "3", "12.345", tax), line("Line", "1", "20", tax, setup_costs="9.99")
    return invoice(*lines, seller=seller, buyer=buyer)


def _expected(seller: str, buyer: Account) -> Network:
    if seller == buyer.country == "DE":
        return Network.XRECHNUNG
    if buyer is AUTHORITY or seller in {"DK", "GR"} or (seller == "NL" and buyer.country == "US"):
        return Network.EN_16931
    return Network.PEPPOL


@pytest.mark.parametrize("buyer", BUYERS.values(), ids=BUYERS)
def test_what_a_document_claims_holds_from_every_member_state(
    buyer: Account, rules: OfficialRules
) -> None:
    documents = {
        (country, kind): make(_document(_seller(country), buyer))
        for country in sorted(MEMBER_STATES)
        for kind, make in (("invoice", lambda each: each), ("credit note", credited))
    }

    claimed = {name: to_e_invoice(each).network for name, each in documents.items()}
    broken = {
        (*name, write.__name__): rules.broken_by(write, write(each))
        for name, each in documents.items()
        for write in STYLESHEETS
    }

    assert claimed == {(country, kind): _expected(country, buyer) for country, kind in documents}
    assert {name: found for name, found in broken.items() if found} == {}


@pytest.mark.parametrize(
    ("sample", "change", "rule"),
    [
        (PEPPOL, ("<cbc:Note>", "<cbc:Note>x</cbc:Note><cbc:Note>"), "PEPPOL-EN16931-R002"),
        (PEPPOL, ("cac:OrderReference", "cac:OriginatorReference"), "PEPPOL-EN16931-R003"),
        (PEPPOL, ("#compliant", ""), "PEPPOL-EN16931-R004"),
        (PEPPOL, ("billing:01:1.0", "ordering:01:1.0"), "PEPPOL-EN16931-R007"),
        (PEPPOL, ('currencyID="EUR">12.5', 'currencyID="USD">12.5'), "PEPPOL-EN16931-R051"),
        (PEPPOL, ('schemeID="9944"', 'schemeID="EM"'), "PEPPOL-EN16931-CL008"),
        (PEPPOL, ('schemeID="9944"', 'schemeID="0007"'), "PEPPOL-COMMON-R049"),
        (PEPPOL, ('schemeID="9944"', 'schemeID="0088"'), "PEPPOL-COMMON-R040"),
        (PEPPOL, ('schemeID="9944"', 'schemeID="0151"'), "PEPPOL-COMMON-R050"),
        (PEPPOL, ('schemeID="9944"', 'schemeID="0184"'), "PEPPOL-COMMON-R042"),
        (PEPPOL, ('schemeID="9944"', 'schemeID="0192"'), "PEPPOL-COMMON-R041"),
        (PEPPOL, ('schemeID="9944"', 'schemeID="0208"'), "PEPPOL-COMMON-R043"),
        (PEPPOL, ("VATEX-EU-AE", "VATEX-EU-O"), "PEPPOL-EN16931-P0104 ff."),
        (PEPPOL, (">ES</cbc:Id", ">DK</cbc:Id"), "DK-R-002"),
        (PEPPOL, (">ES</cbc:Id", ">GR</cbc:Id"), "GR-R-004-1"),
        (PEPPOL, (">ES</cbc:Id", ">IS</cbc:Id"), "IS-R-002"),
        (PEPPOL, (">ES</cbc:Id", ">SE</cbc:Id"), "SE-R-001, SE-R-002"),
        (DUTCH_HOME, (">58<", ">1<"), "NL-R-008"),
        (DUTCH_HOME, ("cac:PaymentMeans>", "cac:Means>"), "NL-R-007"),
        (credited(DUTCH_HOME), ("cac:BillingReference", "cac:Reference"), "NL-R-001"),
        (replace(PEPPOL, seller=GERMAN_SELLER), (">NL</cbc:Id", ">DE</cbc:Id"), "DE-R"),
    ],
)  # fmt: skip
def test_sees_what_breaks_a_rule_of_peppol(
    sample: IssuedInvoice, change: tuple[str, str], rule: str
) -> None:
    document = to_ubl(sample).decode()
    assert broken_peppol_rules(ET.fromstring(document)) == []
    assert change[0] in document

    broken = broken_peppol_rules(ET.fromstring(document.replace(*change)))

    assert any(each.startswith(rule) for each in broken), broken
