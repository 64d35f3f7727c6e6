"""What an invoice says in the terms of EN 16931, in both syntaxes."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from decimal import Decimal

import pytest

from billing.domain.invoices import InvoiceKind, IssuedInvoice, LinePeriod, supply_period
from billing.domain.parties import ElectronicAddress
from billing.domain.tax import NO_TAX, VatCategory
from billing.domain.tax_ids import vat_id
from billing.einvoice.cii import to_cii
from billing.einvoice.model import BUSINESS_PROCESS, to_e_invoice
from billing.einvoice.ubl import to_ubl
from tests.sample_invoices import (
    AMERICAN,
    AUTHORITY,
    BHD,
    BUYER,
    CANARY_ISLANDS,
    CEUTA,
    CREDIT_NOTE,
    DUTCH,
    DUTCH_HOME,
    EXEMPT,
    EXEMPT_BESIDE_TAXED,
    GERMAN,
    HOSTILE_TEXT,
    IVA_AND_VAT,
    JAPANESE,
    JPY,
    MWST,
    NEGATIVE_PRICE,
    NO_IBAN,
    ONE_LINE,
    OUT_OF_SCOPE,
    PEPPOL,
    PRIVATE_PERSON,
    REVERSE_CHARGE,
    ROUNDING_19,
    ROUNDING_20,
    SAMPLES,
    SELLER,
    TWELVE_LINES,
    XRECHNUNG,
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
            invoice(line(tax=NO_TAX), buyer=replace(GERMAN, tax_id=None)),
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
    assert sample.lines[0].tax.category is category
    assert to_e_invoice(sample).lines[0].category is category


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
        reckoned = shown.quantity * shown.price + sum(each.amount for each in shown.charges)
        assert abs(reckoned - shown.net) <= Decimal("0.005")


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
        (
            OUT_OF_SCOPE,
            "Not subject to VAT: service to a business outside the EU's VAT area (art. 44, "
            "Directive 2006/112/EC)",
            ["VATEX-EU-O"],
        ),
    ],
)
def test_says_why_no_tax_is_charged(sample: IssuedInvoice, reason: str, code: list[str]) -> None:
    assert _texts(to_cii(sample), f"{RAM}ExemptionReason") == [reason]
    assert _texts(to_cii(sample), f"{RAM}ExemptionReasonCode") == code
    assert _texts(to_ubl(sample), f"{CBC}TaxExemptionReason") == [reason]
    assert _texts(to_ubl(sample), f"{CBC}TaxExemptionReasonCode") == code


EN_16931 = "urn:cen.eu:en16931:2017"
CLAIMS_PEPPOL = f"{EN_16931}#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
CLAIMS_XRECHNUNG = f"{EN_16931}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
SWEDISH_SELLER = replace(
    SELLER,
    tax_id="SE556679000101",
    address=replace(SELLER.address, country="SE"),
    electronic_address=ElectronicAddress("0007", "5567321707"),
)
DUTCH_SELLER = DUTCH_HOME.seller


@pytest.mark.parametrize(
    ("sample", "ubl", "cii"),
    [
        pytest.param(PEPPOL, CLAIMS_PEPPOL, EN_16931, id="Peppol, by an order"),
        pytest.param(credited(PEPPOL), CLAIMS_PEPPOL, EN_16931, id="its credit note"),
        pytest.param(XRECHNUNG, CLAIMS_XRECHNUNG, CLAIMS_XRECHNUNG, id="XRechnung"),
        pytest.param(credited(XRECHNUNG), CLAIMS_XRECHNUNG, CLAIMS_XRECHNUNG, id="of a credit"),
        pytest.param(REVERSE_CHARGE, EN_16931, EN_16931, id="no reference"),
        pytest.param(PRIVATE_PERSON, EN_16931, EN_16931, id="no address that Peppol knows"),
        pytest.param(
            replace(XRECHNUNG, buyer=replace(AUTHORITY, buyer_reference=None)),
            EN_16931, EN_16931, id="an order is no reference to Germans",
        ),
        pytest.param(
            replace(PEPPOL, seller=SWEDISH_SELLER), CLAIMS_PEPPOL, EN_16931, id="Swedish, no tax",
        ),
        pytest.param(
            invoice(line(order_id="1", tax=MWST), seller=SWEDISH_SELLER, buyer=DUTCH),
            EN_16931, EN_16931, id="Swedish, with the rate of another state",
        ),
        pytest.param(
            replace(PEPPOL, seller=DUTCH_SELLER, kind=InvoiceKind.CREDIT_NOTE),
            EN_16931, EN_16931, id="Dutch, a credit note that corrects nothing",
        ),
        pytest.param(
            invoice(
                line(order_id="1", tax=NO_TAX), seller=DUTCH_SELLER,
                buyer=replace(AMERICAN, electronic_address=ElectronicAddress("0060", "123456789")),
            ),
            EN_16931, EN_16931, id="Dutch, out of scope",
        ),
        pytest.param(
            replace(DUTCH_HOME, seller=replace(DUTCH_SELLER, iban=None)),
            EN_16931, EN_16931, id="Dutch, no IBAN",
        ),
    ],
)  # fmt: skip
def test_claims_what_it_is_ready_for(sample: IssuedInvoice, ubl: str, cii: str) -> None:
    assert _texts(to_ubl(sample), f"{CBC}CustomizationID") == [ubl]
    assert _texts(to_ubl(sample), f"{CBC}ProfileID") == [BUSINESS_PROCESS]
    processed, guided = _texts(to_cii(sample), f"{RAM}ID")[:2]
    assert (processed, guided) == (BUSINESS_PROCESS, cii)


def test_names_electronic_addresses_with_their_schemes() -> None:
    both = replace(
        PEPPOL, buyer=replace(DUTCH, electronic_address=ElectronicAddress("0106", "12345678"))
    )

    endpoints = ET.fromstring(to_ubl(both)).iter(f"{CBC}EndpointID")
    uris = ET.fromstring(to_cii(both)).iterfind(".//{*}URIUniversalCommunication/{*}URIID")

    expected = [("9920", "ESB58378431"), ("0106", "12345678")]
    assert [(each.get("schemeID"), each.text) for each in endpoints] == expected
    assert [(each.get("schemeID"), each.text) for each in uris if each.get("schemeID")] == expected


def test_has_one_note_at_most_in_ubl() -> None:
    assert len(_texts(to_cii(BHD), f"{RAM}IncludedNote")) == 2
    # Those of the lines aside, which this invoice has none of.
    assert _texts(to_ubl(BHD), f"{CBC}Note") == [
        "Servicios de febrero de 2026 · Importe exacto: 4.479 BHD"
    ]


@pytest.mark.parametrize(
    ("sample", "code", "account"),
    [
        pytest.param(ONE_LINE, "58", SELLER.iban, id="SEPA"),
        pytest.param(OUT_OF_SCOPE, "30", SELLER.iban, id="a transfer in another currency"),
        pytest.param(NO_IBAN, "1", None, id="nothing agreed, as the seller has no IBAN"),
        pytest.param(CREDIT_NOTE, "1", None, id="nothing agreed, as the buyer has no IBAN"),
        pytest.param(credited(XRECHNUNG), "58", AUTHORITY.iban, id="paid out to the buyer"),
        pytest.param(DUTCH_HOME, "58", SELLER.iban, id="between two Dutch parties"),
        pytest.param(credited(DUTCH_HOME), None, None, id="which have no code for nothing agreed"),
    ],
)
def test_how_to_pay(sample: IssuedInvoice, code: str | None, account: str | None) -> None:
    ubl, cii = ET.fromstring(to_ubl(sample)), ET.fromstring(to_cii(sample))
    means = "{*}ApplicableHeaderTradeSettlement/{*}SpecifiedTradeSettlementPaymentMeans"
    ids = "{*}PayeePartyCreditorFinancialAccount/{*}IBANID"

    assert ubl.findtext("{*}PaymentMeans/{*}PaymentMeansCode") == code
    assert ubl.findtext("{*}PaymentMeans/{*}PayeeFinancialAccount/{*}ID") == account
    assert cii.findtext(f"{{*}}SupplyChainTradeTransaction/{means}/{{*}}TypeCode") == code
    assert cii.findtext(f"{{*}}SupplyChainTradeTransaction/{means}/{ids}") == account


def test_what_rounding_adds_to_a_line_is_a_charge_or_an_allowance() -> None:
    lines = [line("Calls", "1", price, currency="JPY") for price in ("7.6", "7.4", "7.02", "7")]
    yen = invoice(*lines, currency="JPY", buyer=JAPANESE)

    charges = [[(c.amount, c.reason) for c in each.charges] for each in to_e_invoice(yen).lines]

    assert charges == [
        [(Decimal("0.40"), "Rounding")],
        [(Decimal("-0.40"), "Rounding")],
        [],
        [],
    ]
    assert to_e_invoice(credited(yen)).lines == to_e_invoice(yen).lines
    assert _texts(to_ubl(yen), f"{CBC}ChargeIndicator") == ["true", "false"]


@pytest.mark.parametrize("sample", [ONE_LINE, JPY])
def test_a_cent_that_is_lost_elsewhere_is_no_rounding(sample: IssuedInvoice) -> None:
    total = sample.taxes[0]
    one = replace(total.net, minor=1)

    wrong = replace(sample, taxes=(replace(total, net=total.net + one), *sample.taxes[1:]))

    assert to_e_invoice(sample).rounding == 0
    assert to_e_invoice(wrong).rounding == 0
    assert to_e_invoice(wrong).payable != to_e_invoice(wrong).gross


def test_states_the_references_that_the_buyer_looks_for() -> None:
    own = replace(BUYER, buyer_reference="Cost centre 7")
    orders = [line(order_id="PO-1"), line(order_id="PO-2"), line()]

    one_order = to_e_invoice(invoice(line(order_id="PO-1"), line(order_id="PO-1"), buyer=own))
    several = to_e_invoice(invoice(*orders))
    subscription = to_e_invoice(invoice(replace(line(), subscription_id="600123456")))

    assert (one_order.buyer_reference, one_order.order_id) == ("Cost centre 7", "PO-1")
    assert [each.object_id for each in one_order.lines] == [None, None]
    assert (several.buyer_reference, several.order_id) == (None, None)
    assert [each.object_id for each in several.lines] == ["PO-1", "PO-2", None]
    assert (subscription.order_id, subscription.lines[0].object_id) == (None, "600123456")


def test_references_stand_where_each_syntax_has_them() -> None:
    ubl, cii = ET.fromstring(to_ubl(PEPPOL)), ET.fromstring(to_cii(PEPPOL))

    assert ubl.findtext("{*}OrderReference/{*}ID") == "4500001"
    assert cii.findtext(".//{*}BuyerOrderReferencedDocument/{*}IssuerAssignedID") == "4500001"
    assert ET.fromstring(to_ubl(XRECHNUNG)).findtext("{*}BuyerReference") == "991-03730-19"
    assert ET.fromstring(to_cii(XRECHNUNG)).findtext(".//{*}BuyerReference") == "991-03730-19"


def test_says_when_it_was_supplied_where_there_is_no_period() -> None:
    one_off = replace(invoice(line(period=None)), issued_at=ONE_LINE.cycle.start)

    assert _texts(to_ubl(one_off), f"{CBC}ActualDeliveryDate") == ["2026-03-01"]
    assert _texts(to_ubl(ONE_LINE), f"{CBC}ActualDeliveryDate") == []
    assert len(_texts(to_cii(one_off), f"{RAM}OccurrenceDateTime")) == 1
    assert _texts(to_cii(ONE_LINE), f"{RAM}OccurrenceDateTime") == []


def test_out_of_scope_has_the_rate_zero_in_the_sum_and_none_in_the_line() -> None:
    ubl, cii = ET.fromstring(to_ubl(OUT_OF_SCOPE)), ET.fromstring(to_cii(OUT_OF_SCOPE))

    assert [each.text for each in ubl.iterfind(".//{*}TaxCategory/{*}Percent")] == ["0"]
    assert [each.text for each in ubl.iterfind(".//{*}ClassifiedTaxCategory/{*}Percent")] == []
    assert [each.text for each in cii.iterfind(".//{*}RateApplicablePercent")] == ["0"]


def test_names_no_trading_name() -> None:
    assert ET.fromstring(to_ubl(ONE_LINE)).find(".//{*}PartyName") is None


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
