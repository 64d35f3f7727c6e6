"""What each network for e-invoices asks of the profiles of seller and buyer."""

from dataclasses import replace
from typing import Any

import pytest

from billing.domain.networks import (
    Network,
    buyer_address,
    has_phone,
    missing,
    seller_address,
)
from billing.domain.parties import Account, ElectronicAddress, Org
from tests.sample_invoices import AMERICAN, AUTHORITY, BUYER, DUTCH, GERMAN, GERMAN_SELLER, SELLER

GLN = ElectronicAddress("0088", "7300010000001")
REFERENCE = "Cost centre 7"
READY = replace(DUTCH, buyer_reference=REFERENCE)


def _of(country: str, tax_id: str = "1", **more: Any) -> Org:
    return replace(SELLER, tax_id=tax_id, address=replace(SELLER.address, country=country), **more)


@pytest.mark.parametrize(
    ("seller", "buyer", "expected"),
    [
        pytest.param(SELLER, READY, [], id="VAT ids are addresses"),
        pytest.param(SELLER, DUTCH, ["account.buyer_reference"], id="no reference"),
        pytest.param(
            SELLER,
            replace(AMERICAN, buyer_reference=REFERENCE),
            ["account.electronic_address"],
            id="no address that Peppol knows",
        ),
        pytest.param(
            SELLER,
            replace(AMERICAN, buyer_reference=REFERENCE, electronic_address=GLN),
            [],
            id="GLN",
        ),
        pytest.param(
            replace(SELLER, electronic_address=ElectronicAddress("EM", "a@b.example")),
            READY,
            ["org.electronic_address"],
            id="an e-mail address that was set",
        ),
        pytest.param(_of("GR", tax_id="094259216"), READY, ["org.address"], id="Greek seller"),
        pytest.param(
            _of("IS"), READY, ["org.address", "org.electronic_address"], id="Icelandic seller"
        ),
        pytest.param(_of("DK", electronic_address=GLN), READY, ["org.address"], id="Danish seller"),
        pytest.param(
            _of("NL", tax_id="NL4495445B01", iban=None), READY, ["org.iban"], id="Dutch, no IBAN"
        ),
        pytest.param(
            _of("NL", tax_id="NL4495445B01", iban=None),
            replace(BUYER, buyer_reference=REFERENCE),
            [],
            id="a Dutch seller without IBAN abroad",
        ),
        pytest.param(
            replace(GERMAN_SELLER, phone="12"),
            GERMAN,
            ["org.phone", "account.buyer_reference"],
            id="between two Germans what XRechnung asks for",
        ),
        pytest.param(replace(GERMAN_SELLER, phone=None), READY, [], id="a German seller abroad"),
    ],
)
def test_what_peppol_asks_for(seller: Org, buyer: Account, expected: list[str]) -> None:
    assert _missing(Network.PEPPOL, seller, buyer) == expected
    assert _missing(Network.EN_16931, seller, buyer) == []


@pytest.mark.parametrize(
    ("seller", "buyer", "expected"),
    [
        pytest.param(GERMAN_SELLER, AUTHORITY, [], id="an e-mail address will do"),
        pytest.param(GERMAN_SELLER, GERMAN, ["account.buyer_reference"], id="no reference"),
        pytest.param(
            replace(GERMAN_SELLER, phone=None), AUTHORITY, ["org.phone"], id="a profile of old"
        ),
        pytest.param(SELLER, AUTHORITY, ["org.address"], id="a seller abroad"),
        pytest.param(GERMAN_SELLER, READY, ["account.address"], id="a buyer abroad"),
    ],
)
def test_what_xrechnung_asks_for(seller: Org, buyer: Account, expected: list[str]) -> None:
    assert _missing(Network.XRECHNUNG, seller, buyer) == expected


@pytest.mark.parametrize(
    ("country", "tax_id", "expected"),
    [
        ("ES", "B58378431", ("9920", "ESB58378431")),
        ("GR", "094259216", ("9933", "EL094259216")),
        ("FI", "FI 2077474-0", ("0216", "003720774740")),
        ("SE", "123456789701", ("EM", SELLER.email)),
        ("US", "12-3456789", ("EM", SELLER.email)),
    ],
)
def test_a_vat_id_is_an_address_where_its_country_has_a_scheme_for_it(
    country: str, tax_id: str, expected: tuple[str, str]
) -> None:
    seller = _of(country, tax_id)

    assert seller_address(seller) == ElectronicAddress(*expected)
    assert seller_address(replace(seller, electronic_address=GLN)) == GLN


def test_a_buyer_without_a_tax_id_is_known_by_its_e_mail_address() -> None:
    assert buyer_address(replace(BUYER, tax_id=None)) == ElectronicAddress("EM", BUYER.email)
    assert buyer_address(replace(BUYER, electronic_address=GLN)) == GLN


@pytest.mark.parametrize(
    ("phone", "expected"), [("+49 1", True), ("12", False), ("٣٣٣", False), (None, False)]
)
def test_a_phone_number_has_three_digits(phone: str | None, expected: bool) -> None:
    assert has_phone(phone) is expected


def _missing(network: Network, seller: Org, buyer: Account) -> list[str]:
    found = missing(network, seller, buyer, buyer.buyer_reference)
    return [f"{each.profile}.{each.field}" for each in found]
