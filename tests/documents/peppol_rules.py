"""
Rules of Peppol BIS Billing 3.0 that KoSIT's stylesheets do not have, by their ids.

They are of the release of May 2026, those that our documents could break: no package on PyPI or npm
carries Peppol's own. KoSIT's have the others (PEPPOL-EN16931-R001 … R130), and for two German
parties what Peppol asks of these (DE-R).
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from xml.etree.ElementTree import Element

from stdnum import ean
from stdnum.au import abn
from stdnum.be import vat
from stdnum.no import orgnr as norwegian
from stdnum.se import orgnr as swedish

from billing.domain.address_schemes import PEPPOL_SCHEMES

_FORMS: dict[str, tuple[str, Callable[[str], object]]] = {
    "0007": ("PEPPOL-COMMON-R049", lambda id_: len(id_) == 10 and swedish.is_valid(id_)),
    "0088": ("PEPPOL-COMMON-R040", lambda id_: id_.isdigit() and ean.is_valid(id_)),
    "0151": ("PEPPOL-COMMON-R050", lambda id_: len(id_) == 11 and abn.is_valid(id_)),
    "0184": ("PEPPOL-COMMON-R042", lambda id_: re.fullmatch("DK[0-9]{8}", id_)),
    "0192": ("PEPPOL-COMMON-R041", lambda id_: len(id_) == 9 and norwegian.is_valid(id_)),
    "0208": ("PEPPOL-COMMON-R043", lambda id_: len(id_) == 10 and vat.is_valid(id_)),
}
_VATEX = {"VATEX-EU-G": "G", "VATEX-EU-O": "O", "VATEX-EU-IC": "K", "VATEX-EU-AE": "AE"} | {
    f"VATEX-EU-{letter}": "E" for letter in "DFIJ"
}
_NAMES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}


def broken_peppol_rules(root: Element) -> list[str]:
    """Return the ids of the rules that a UBL document breaks."""
    return [rule for rule, holds in (*_common(root), *_national(root)) if not holds]


def _texts(root: Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path, _NAMES)]


def _common(root: Element) -> Iterator[tuple[str, object]]:
    specification = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
    [currency] = _texts(root, "cbc:DocumentCurrencyCode")
    reference = _texts(root, "cbc:BuyerReference") + _texts(root, "cac:OrderReference/cbc:ID")
    lines = root.findall("cac:InvoiceLine", _NAMES) + root.findall("cac:CreditNoteLine", _NAMES)
    yield "PEPPOL-EN16931-R002", len(_texts(root, "cbc:Note")) <= 1
    yield "PEPPOL-EN16931-R003", reference
    yield "PEPPOL-EN16931-R004", _texts(root, "cbc:CustomizationID") == [specification]
    yield (
        "PEPPOL-EN16931-R007",
        _texts(root, "cbc:ProfileID") == ["urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"],
    )
    for element in root.iter():
        if "currencyID" in element.attrib and not element.tag.endswith("}TaxAmount"):
            yield "PEPPOL-EN16931-R051", element.get("currencyID") == currency
    for line in lines:
        yield "PEPPOL-EN16931-R100", len(line.findall("cac:DocumentReference", _NAMES)) <= 1
    for endpoint in root.iterfind(".//cbc:EndpointID", _NAMES):
        scheme, address = endpoint.get("schemeID", ""), endpoint.text or ""
        yield "PEPPOL-EN16931-CL008", scheme in PEPPOL_SCHEMES
        if scheme in _FORMS:
            rule, is_right = _FORMS[scheme]
            yield rule, is_right(address)
    for category in root.iterfind("cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory", _NAMES):
        for code in _texts(category, "cbc:TaxExemptionReasonCode"):
            right = _VATEX.get(code.upper())
            yield "PEPPOL-EN16931-P0104 ff.", right is None or [right] == _texts(category, "cbc:ID")


def _national(root: Element) -> Iterator[tuple[str, object]]:
    seller, buyer = (
        root.find(f"cac:Accounting{side}Party/cac:Party", _NAMES)
        for side in ("Supplier", "Customer")
    )
    assert seller is not None
    assert buyer is not None
    country = "cac:PostalAddress/cac:Country/cbc:IdentificationCode"
    [home], [there] = _texts(seller, country), _texts(buyer, country)
    legal_ids = "cac:PartyLegalEntity/cbc:CompanyID"
    codes = _texts(root, "cac:PaymentMeans/cbc:PaymentMeansCode")
    match home:
        case "DE":
            yield "DE-R: claims XRechnung", there != "DE"
        case "DK":
            yield (
                "DK-R-002",
                [e.get("schemeID") for e in seller.iterfind(legal_ids, _NAMES)] == ["0184"],
            )
        case "GR":
            yield "GR-R-004-1", _texts(root, "cac:AdditionalDocumentReference")
        case "IS":
            yield (
                "IS-R-002",
                [e.get("schemeID") for e in seller.iterfind(legal_ids, _NAMES)] == ["0196"],
            )
        case "NL":
            is_credit = root.tag.endswith("}CreditNote")
            original = _texts(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID")
            payable = Decimal(_texts(root, "cac:LegalMonetaryTotal/cbc:PayableAmount")[0])
            yield "NL-R-001", original or not is_credit
            yield "NL-R-003", not _texts(seller, legal_ids)
            yield "NL-R-007", codes or (payable >= 0 if is_credit else payable <= 0)
            if there == "NL":
                yield "NL-R-005", not _texts(buyer, legal_ids)
                yield "NL-R-008", {"30", "48", "49", "57", "58", "59"}.issuperset(codes)
        case "SE":
            for number in _texts(seller, "cac:PartyTaxScheme/cbc:CompanyID"):
                yield "SE-R-001, SE-R-002", re.fullmatch("SE[0-9]{12}", number)
            for category in root.iterfind(".//cac:TaxCategory", _NAMES):
                if _texts(category, "cbc:ID") == ["S"]:
                    [rate] = _texts(category, "cbc:Percent")
                    yield "SE-R-006", Decimal(rate) in {6, 12, 25}
