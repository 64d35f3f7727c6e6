"""What an invoice says in the terms of EN 16931, in both syntaxes."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal

import pytest

from billing.domain.invoices import IssuedInvoice, LinePeriod
from billing.domain.tax import NO_TAX
from billing.domain.tax_ids import vat_id
from billing.domain.vat import VatCategory, supply_period, vat_category
from billing.einvoice.cii import to_cii
from billing.einvoice.model import to_e_invoice
from billing.einvoice.ubl import to_ubl
from tests.sample_invoices import (
    BHD,
    BUYER,
    CANARY_ISLANDS,
    CEUTA,
    CREDIT_NOTE,
    EXEMPT,
    EXEMPT_BESIDE_TAXED,
    GERMAN,
    HOSTILE_TEXT,
    IVA_AND_VAT,
    JPY,
    NEGATIVE_PRICE,
    NO_IBAN,
    ONE_LINE,
    OUT_OF_SCOPE,
    PRIVATE_PERSON,
    REVERSE_CHARGE,
    ROUNDING_19,
    ROUNDING_20,
    SAMPLES,
    SELLER,
    TWELVE_LINES,
    ZERO_RATED,
    credited,
    invoice,
    line,
)

CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"


def _texts(document: bytes, tag: str) -> list[str]:
    root = ET.fromstring(document)
    return [element.text or "" for element in root.iter(tag)]


@pytest.mark.parametrize(
    ("sample", "category"),
    [
        pytest.param(ONE_LINE, VatCategory.STANDARD, id="a rate is the standard category"),
        pytest.param(ZERO_RATED, VatCategory.ZERO, id="a named tax of zero"),
        pytest.param(EXEMPT, VatCategory.EXEMPT, id="no tax at home"),
        pytest.param(REVERSE_CHARGE, VatCategory.REVERSE_CHARGE, id="to a business abroad"),
        pytest.param(
            replace(REVERSE_CHARGE, buyer=replace(GERMAN, tax_id=None)),
            VatCategory.EXEMPT,
            id="abroad, but no business",
        ),
        pytest.param(OUT_OF_SCOPE, VatCategory.OUT_OF_SCOPE, id="to a country outside the EU"),
        pytest.param(
            EXEMPT_BESIDE_TAXED, VatCategory.EXEMPT, id="outside, but not mixed (BR-O-11)"
        ),
        pytest.param(CANARY_ISLANDS, VatCategory.IGIC, id="IGIC"),
        pytest.param(CEUTA, VatCategory.IPSI, id="IPSI"),
    ],
)
def test_vat_category(sample: IssuedInvoice, category: VatCategory) -> None:
    assert vat_category(sample.lines[0].tax, sample) is category


@pytest.mark.parametrize(
    ("tax_id", "country", "expected"),
    [
        ("B58378431", "ES", "ESB58378431"),
        ("ES-B58378431", "ES", "ESB58378431"),
        ("094259216", "GR", "EL094259216"),
        ("EL 094259216", "GR", "EL094259216"),
        ("de 136.695.976", "DE", "DE136695976"),
        ("12-3456789", "US", None),
    ],
)
def test_vat_id(tax_id: str, country: str, expected: str | None) -> None:
    assert vat_id(tax_id, country) == expected


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_totals_are_those_of_the_domain(sample: IssuedInvoice) -> None:
    e_invoice = to_e_invoice(sample)

    sign = -1 if e_invoice.is_credit else 1
    assert abs(e_invoice.payable - sample.gross.major * sign) < Decimal("0.01")
    assert e_invoice.net == sum(line.net for line in e_invoice.lines)
    assert e_invoice.gross == sum(tax.net + tax.amount for tax in e_invoice.taxes)
    assert e_invoice.payable == e_invoice.gross + e_invoice.rounding


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_every_line_can_be_reckoned_from_its_parts(sample: IssuedInvoice) -> None:
    for shown in to_e_invoice(sample).lines:
        assert shown.price >= 0
        reckoned = shown.quantity * shown.price + shown.charge
        assert abs(reckoned - shown.net) <= (Decimal("0.5") if sample is JPY else Decimal("0.005"))


@pytest.mark.parametrize(
    ("sample", "net", "tax", "gross"),
    [
        pytest.param(ROUNDING_20, "12083.50", "2416.70", "14500.20", id="50 × 241.67 at 20 %"),
        pytest.param(ROUNDING_19, "73.88", "14.04", "87.92", id="73.875 at 19 %"),
        pytest.param(JPY, "8928", "0", "8928", id="yen have no decimals"),
    ],
)
def test_rounding(sample: IssuedInvoice, net: str, tax: str, gross: str) -> None:
    assert _texts(to_ubl(sample), f"{CBC}TaxExclusiveAmount") == [net]
    assert _texts(to_ubl(sample), f"{CBC}TaxAmount")[0] == tax
    assert _texts(to_ubl(sample), f"{CBC}TaxInclusiveAmount") == [gross]
    assert _texts(to_cii(sample), f"{RAM}TaxBasisTotalAmount") == [net]
    assert _texts(to_cii(sample), f"{RAM}TaxTotalAmount") == [tax]
    assert _texts(to_cii(sample), f"{RAM}GrandTotalAmount") == [gross]


def test_three_decimals_are_rounded_openly() -> None:
    e_invoice = to_e_invoice(BHD)

    assert BHD.gross.major == Decimal("4.479")
    assert e_invoice.net == Decimal("3.69")
    assert e_invoice.tax == Decimal("0.78")
    assert e_invoice.rounding == Decimal("0.01")
    assert e_invoice.payable == Decimal("4.48")
    assert "Importe exacto: 4.479 BHD" in e_invoice.notes


def test_a_credit_note_is_positive_and_names_the_original() -> None:
    assert CREDIT_NOTE.gross.minor < 0

    assert _texts(to_cii(CREDIT_NOTE), f"{RAM}TypeCode")[0] == "381"
    assert _texts(to_cii(CREDIT_NOTE), f"{RAM}DuePayableAmount") == ["1047.47"]
    assert "F2026-000123" in _texts(to_cii(CREDIT_NOTE), f"{RAM}IssuerAssignedID")
    assert _texts(to_ubl(CREDIT_NOTE), f"{CBC}CreditNoteTypeCode") == ["381"]
    assert _texts(to_ubl(CREDIT_NOTE), f"{CBC}PayableAmount") == ["1047.47"]
    assert "F2026-000123" in _texts(to_ubl(CREDIT_NOTE), f"{CBC}ID")


def test_crediting_mirrors_every_line() -> None:
    lines, mirrored = to_e_invoice(TWELVE_LINES).lines, to_e_invoice(CREDIT_NOTE).lines

    assert mirrored == lines


def test_a_negative_price_becomes_a_negative_quantity() -> None:
    rebate = to_e_invoice(NEGATIVE_PRICE).lines[1]

    assert (rebate.quantity, rebate.price) == (Decimal(-2), Decimal(10))
    assert rebate.net == Decimal(-20)


def test_setup_costs_are_a_charge_or_an_allowance_of_the_line() -> None:
    assert _texts(to_ubl(TWELVE_LINES), f"{CBC}ChargeIndicator") == ["true"]
    assert _texts(to_ubl(NEGATIVE_PRICE), f"{CBC}ChargeIndicator") == ["false"]
    assert _texts(to_ubl(NEGATIVE_PRICE), f"{CBC}Amount") == ["5.50"]


def test_setup_costs_are_named_in_the_language_of_the_document() -> None:
    abroad = replace(TWELVE_LINES, buyer=replace(BUYER, country="DE"))

    for document, reason in ((TWELVE_LINES, "Cuota de alta"), (abroad, "Setup costs")):
        assert set(_texts(to_cii(document), f"{RAM}Reason")) == {reason}
        assert set(_texts(to_ubl(document), f"{CBC}AllowanceChargeReason")) == {reason}


def test_taxes_of_one_category_and_rate_are_summed_up() -> None:
    (tax,) = to_e_invoice(IVA_AND_VAT).taxes

    assert tax.net == Decimal("0.14")
    assert tax.amount == IVA_AND_VAT.tax.major


@pytest.mark.parametrize(
    ("sample", "reason", "code"),
    [
        (EXEMPT, "Operación exenta de IVA", []),
        (REVERSE_CHARGE, "Reverse charge (art. 196, Directive 2006/112/EC)", ["VATEX-EU-AE"]),
        (OUT_OF_SCOPE, "Not subject to VAT", ["VATEX-EU-O"]),
    ],
)
def test_says_why_no_tax_is_charged(sample: IssuedInvoice, reason: str, code: list[str]) -> None:
    assert _texts(to_cii(sample), f"{RAM}ExemptionReason") == [reason]
    assert _texts(to_cii(sample), f"{RAM}ExemptionReasonCode") == code
    assert _texts(to_ubl(sample), f"{CBC}TaxExemptionReason") == [reason]
    assert _texts(to_ubl(sample), f"{CBC}TaxExemptionReasonCode") == code


def test_claims_peppol_only_where_both_addresses_are_known_there() -> None:
    assert "peppol" in _texts(to_ubl(REVERSE_CHARGE), f"{CBC}CustomizationID")[0]
    assert _texts(to_ubl(REVERSE_CHARGE), f"{CBC}EndpointID") == ["ESB58378431", "DE136695976"]

    assert _texts(to_ubl(PRIVATE_PERSON), f"{CBC}CustomizationID") == ["urn:cen.eu:en16931:2017"]
    assert _texts(to_ubl(PRIVATE_PERSON), f"{CBC}ProfileID") == []
    assert _texts(to_ubl(PRIVATE_PERSON), f"{CBC}EndpointID")[1] == BUYER.email


def test_has_one_note_at_most_in_ubl() -> None:
    assert len(_texts(to_cii(BHD), f"{RAM}IncludedNote")) == 2
    # Those of the lines aside, which this invoice has none of.
    assert _texts(to_ubl(BHD), f"{CBC}Note") == [
        "Servicios de febrero de 2026 · Importe exacto: 4.479 BHD"
    ]


def test_asks_for_no_payment_where_there_is_no_account_to_pay_to() -> None:
    assert _texts(to_ubl(NO_IBAN), f"{CBC}PaymentMeansCode") == []
    assert _texts(to_ubl(CREDIT_NOTE), f"{CBC}PaymentMeansCode") == []
    assert _texts(to_ubl(ONE_LINE), f"{CBC}PaymentMeansCode") == ["58"]
    assert _texts(to_ubl(OUT_OF_SCOPE), f"{CBC}PaymentMeansCode") == ["30"]


def test_the_period_is_that_of_the_lines_or_of_the_closed_cycle() -> None:
    february = supply_period(ONE_LINE)
    without = invoice(line(period=None))
    one_off = replace(without, issued_at=without.cycle.start)

    assert february is not None
    assert supply_period(without) == february
    assert supply_period(one_off) is None
    assert supply_period(
        invoice(line(), line(period=LinePeriod(february.end, february.end)))
    ) == LinePeriod(february.start, february.end)


def test_replaces_what_xml_cannot_hold_and_escapes_the_rest() -> None:
    (name,) = _texts(to_cii(HOSTILE_TEXT), f"{RAM}Name")[:1]

    assert "\N{REPLACEMENT CHARACTER}" in name
    assert "]]> &amp; <b>'\"</b>" in name
    assert not set(name) & {"\x00", "\x1b", "\ufffe", "\ud800"}


def test_is_the_same_bytes_every_time() -> None:
    for write in (to_cii, to_ubl):
        assert write(TWELVE_LINES) == write(TWELVE_LINES)


def test_leaves_out_what_is_blank() -> None:
    blank = invoice(
        line(remarks="  ", tax=NO_TAX), seller=replace(SELLER, phone="", url=""), description=" "
    )

    for write in (to_cii, to_ubl):
        root = ET.fromstring(write(blank))
        empty = [e.tag for e in root.iter() if not len(e) and not (e.text or "").strip()]
        assert [tag for tag in empty if not tag.endswith("ApplicableHeaderTradeDelivery")] == []


def test_a_credit_note_of_nothing_negative_stays_without_minus_zero() -> None:
    free = credited(invoice(line(unit_price="0")))

    assert "-0" not in "".join(_texts(to_ubl(free), f"{CBC}PayableAmount"))
