"""
Networks for e-invoices, and what each asks of the profiles of seller and buyer.

Every document is valid by EN 16931: what its rules would refuse is refused when it comes in. A
document claims a network besides (BT-24) only if nothing is missing for it. BT and BG are the terms
of EN 16931, PEPPOL, DE-R, NL-R and BR-DE the rules of Peppol BIS Billing 3.0 and of XRechnung 3.0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from billing.domain.address_schemes import (
    EMAIL_SCHEME,
    FINNISH_SCHEME,
    PEPPOL_SCHEMES,
    VAT_SCHEMES,
)
from billing.domain.parties import Account, ElectronicAddress, Org
from billing.domain.tax_ids import vat_id

PHONE_DIGITS = 3
"""How many digits the phone number of a German seller has at least (BR-DE-27, DE-R-027)."""

NO_PHONE = f"must be a number with at least {PHONE_DIGITS} digits, for a seller in Germany"
_ADDRESS = "must be an address in a scheme of Peppol, such as 0088 (GLN) or the one of a VAT id"
_REFERENCE = "must be set here, or on each invoice: what the buyer wants to find on its documents"
_NOT_IN_PEPPOL = {
    "DK": "has to state its CVR number in a form that is not supported yet",  # DK-R-002
    "GR": "has to register each invoice with myDATA first, which is not supported",  # GR-R-004
    "IS": "has to state its kennitala, which the profile has no field for",  # IS-R-002
}
"""Sellers whom Peppol asks for what we do not have, by country."""


class Network(StrEnum):
    """What a document can claim to be ready for."""

    EN_16931 = "en_16931"
    PEPPOL = "peppol_bis_3"
    XRECHNUNG = "xrechnung_3"


@dataclass(frozen=True, slots=True)
class Missing:
    """A field of a profile that keeps a document from a network."""

    profile: Literal["org", "account"]
    field: str
    message: str


def seller_address(org: Org) -> ElectronicAddress:
    """Return the electronic address of a seller (BT-34)."""
    return org.electronic_address or _known_by(org.tax_id, org.address.country, org.email)


def buyer_address(account: Account) -> ElectronicAddress:
    """Return the electronic address of a buyer (BT-49)."""
    return account.electronic_address or _known_by(account.tax_id, account.country, account.email)


def _known_by(tax_id: str | None, country: str, email: str) -> ElectronicAddress:
    """Return the address of a party that names none: its VAT id, or its e-mail address."""
    vat = vat_id(tax_id, country) if tax_id else None
    if vat and country == "FI":
        return ElectronicAddress(FINNISH_SCHEME, f"0037{vat.removeprefix('FI')}")
    if vat and country in VAT_SCHEMES:
        return ElectronicAddress(VAT_SCHEMES[country], vat)
    return ElectronicAddress(EMAIL_SCHEME, email)


def has_phone(phone: str | None) -> bool:
    """Return whether a phone number has the digits that a German seller's must have."""
    return sum(each.isdecimal() and each.isascii() for each in phone or "") >= PHONE_DIGITS


def missing(network: Network, org: Org, account: Account, reference: str | None) -> list[Missing]:
    """
    Return what is missing for a network.

    `reference` is what the buyer's is on the document (BT-10), or for Peppol an order (BT-13).
    """
    needs = _NEEDS.get(network)
    return list(needs(org, account, reference)) if needs else []


def _peppol(org: Org, account: Account, reference: str | None) -> Iterator[Missing]:
    seller, buyer = org.address.country, account.country
    if seller in _NOT_IN_PEPPOL:
        yield Missing("org", "address", f"a seller in {seller} {_NOT_IN_PEPPOL[seller]}")
    if seller_address(org).scheme not in PEPPOL_SCHEMES:  # PEPPOL-EN16931-R020, CL008
        yield Missing("org", "electronic_address", _ADDRESS)
    if buyer_address(account).scheme not in PEPPOL_SCHEMES:  # PEPPOL-EN16931-R010, CL008
        yield Missing("account", "electronic_address", _ADDRESS)
    if seller == buyer == "NL" and not org.iban:  # NL-R-008
        yield Missing("org", "iban", "has to be set between two Dutch parties")
    if seller == buyer == "DE":  # DE-R-001 ff. are the rules of XRechnung
        yield from _xrechnung(org, account, reference)
    elif not reference:  # PEPPOL-EN16931-R003
        yield Missing("account", "buyer_reference", _REFERENCE)


def _xrechnung(org: Org, account: Account, reference: str | None) -> Iterator[Missing]:
    if org.address.country != "DE":
        yield Missing("org", "address", "XRechnung is for sellers in Germany here")
    if account.country != "DE":
        yield Missing("account", "address", "XRechnung is for buyers in Germany here")
    if not has_phone(org.phone):  # BR-DE-6, BR-DE-27
        yield Missing("org", "phone", NO_PHONE)
    if not reference:  # BR-DE-15
        yield Missing("account", "buyer_reference", _REFERENCE)


_NEEDS = {Network.PEPPOL: _peppol, Network.XRECHNUNG: _xrechnung}
