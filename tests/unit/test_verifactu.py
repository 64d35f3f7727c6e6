"""Fiscal records: fingerprints, the chain, and what of a document is declared."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kreyo_verifactu_hash_calculator import (
    RegistroAltaInput,
    compute_registro_alta,
)

from billing.domain.errors import (
    FiscalRegimeError,
    InvalidRequestError,
    TaxIdRequiredError,
)
from billing.domain.exchange_rates import Conversion
from billing.domain.invoice_record import read_record, write_record
from billing.domain.invoices import (
    CreditReason,
    Draft,
    FiscalSummary,
    InvoiceKind,
    IssuedInvoice,
    LinePeriod,
)
from billing.domain.issuing import AccountEnd, Ends, Journal, RegimeChangedError
from billing.domain.money import Money
from billing.domain.numbering import LANE, ChainEnd
from billing.domain.parties import Account, Address, FiscalRegime, FiscalService, Org
from billing.domain.periods import BillingPeriod
from billing.domain.tax import NO_TAX, Tax, TaxType, VatCategory, tax_totals
from billing.domain.tax_rates import NO_OWN_RATES
from billing.domain.vat import Supply
from billing.domain.verifactu import (
    Amendment,
    FiscalEnd,
    FiscalLanes,
    FiscalSetting,
    Link,
    System,
    chained,
    check_switch,
    day_of_operation,
    declare,
    fingerprint,
    qr_url,
)
from tests.sample_invoices import (
    AMERICAN,
    BUYER,
    CANARIAN,
    CEUTAN,
    GERMAN,
    IVA,
    SELLER,
    invoice,
    line,
)

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
SYSTEM = System("Software Ejemplo, S.L.", "B75777847", "Billing API", "BA", "1.0", "1-org_1")
SETTING = FiscalSetting(SYSTEM, FiscalService.TEST)
DECLARED = replace(SELLER, fiscal_regime=FiscalRegime.VERIFACTU)
CANARY = replace(SELLER, address=CANARIAN.address)
CEUTA = replace(SELLER, address=CEUTAN.address)
PERSON = replace(BUYER, company_name=None, tax_id=None)
CONSUMER = replace(GERMAN, company_name=None, tax_id=None)
FIRST = "3C464DAF61ACB827C65FDA19F352A4E3BDC2C640E9E9FC4CC058073F38F12F60"
SECOND = "F7B94CFD8924EDFF273501B01EE5153E4CE8F259766F88CF6ACB8935802A2B97"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {
                "IDEmisorFactura": "89890001K",
                "NumSerieFactura": "12345678/G33",
                "FechaExpedicionFactura": "01-01-2024",
                "TipoFactura": "F1",
                "CuotaTotal": "12.35",
                "ImporteTotal": "123.45",
                "Huella": "",
                "FechaHoraHusoGenRegistro": "2024-01-01T19:20:30+01:00",
            },
            FIRST,
            id="the first record",
        ),
        pytest.param(
            {
                "IDEmisorFactura": "89890001K",
                "NumSerieFactura": " 12345679/G34\t",
                "FechaExpedicionFactura": "01-01-2024",
                "TipoFactura": "F1",
                "CuotaTotal": "12.35",
                "ImporteTotal": "123.45",
                "Huella": FIRST,
                "FechaHoraHusoGenRegistro": "2024-01-01T19:20:35+01:00",
            },
            SECOND,
            id="a record that follows it",
        ),
        pytest.param(
            {
                "IDEmisorFacturaAnulada": "89890001K",
                "NumSerieFacturaAnulada": "12345679/G34",
                "FechaExpedicionFacturaAnulada": "01-01-2024",
                "Huella": SECOND,
                "FechaHoraHusoGenRegistro": "2024-01-01T19:20:40+01:00",
            },
            "177547C0D57AC74748561D054A9CEC14B4C4EA23D1BEFD6F2E69E3A388F90C68",
            id="an annulment",
        ),
        pytest.param(
            {
                "IDEmisorFactura": "89890001K",
                "NumSerieFactura": "12345678-G66",
                "FechaExpedicionFactura": "03-02-2025",
                "TipoFactura": "R3",
                "CuotaTotal": "41.4",
                "ImporteTotal": "241.4",
                "Huella": "C9AF4AF1EF5EBBA700350DE3EEF12C2D355C56AC56F13DB2A25E0031BD2B7ED5",
                "FechaHoraHusoGenRegistro": "2025-02-03T14:30:00+01:00",
            },
            "FF954378B64ED331A9B2366AD317D86E9DEC1716B12DD0ACCB172A6DC4C105AA",
            id="the agency's signed example",
        ),
    ],
)
def test_fingerprints_are_those_of_the_agency(fields: dict[str, str], expected: str) -> None:
    assert fingerprint(fields) == expected


# ---------------------------------------------------------------- what is declared


def untaxed(category: str, reason: str | None = None) -> Tax:
    return Tax(TaxType.NONE, Decimal(0), VatCategory(category), reason=reason)


def rate(kind: str, percentage: str) -> Tax:
    return Tax(TaxType(kind), Decimal(percentage))


def supplied(
    org: Org, account: Account, *asked: Tax | None, net: str = "100", currency: str = "EUR"
) -> IssuedInvoice:
    """Return an invoice whose lines are treated as those of a request are."""
    supply = Supply(org, account, NO_OWN_RATES)
    taxes = [supply.tax(each, date(2026, 3, 1)) for each in asked]
    lines = [line(unit_price=net, tax=tax, currency=currency) for tax in taxes]
    return invoice(*lines, seller=org, buyer=account, currency=currency)


def bought(
    price: str, buyer: Account = BUYER, tax: Tax = IVA, period: LinePeriod | None = None
) -> IssuedInvoice:
    return invoice(line(unit_price=price, tax=tax, period=period), buyer=buyer)


SHOP = replace(SELLER, one_stop_shop=True)
ROWS: dict[str, tuple[Org, Account, Sequence[Tax | None], list[str]]] = {
    "domestic": (SELLER, BUYER, [None], ["01 01 S1 21 100.00 21.00"]),
    "several rates": (
        SELLER,
        BUYER,
        [rate("IVA", "21"), rate("IVA", "10"), rate("IVA", "21")],
        ["01 01 S1 21 200.00 42.00", "01 01 S1 10 100.00 10.00"],
    ),
    "zero": (SELLER, BUYER, [rate("IVA", "0")], ["01 01 S1 0 100.00 0.00"]),
    "exempt": (SELLER, BUYER, [untaxed("E")], ["01 01 E1 - 100.00 -"]),
    "exempt, by two articles": (
        SELLER,
        BUYER,
        [untaxed("E", "VATEX-EU-132-1I"), untaxed("E", "Art. 20.Uno.9.º")],
        ["01 01 E1 - 200.00 -"],
    ),
    "exempt as exports are": (
        SELLER,
        BUYER,
        [untaxed("E", "VATEX-EU-148-A")],
        ["01 02 E3 - 100.00 -"],
    ),
    "exempt by another article": (
        SELLER,
        BUYER,
        [untaxed("E", "VATEX-EU-143")],
        ["01 01 E6 - 100.00 -"],
    ),
    "domestic reverse charge": (SELLER, BUYER, [untaxed("AE")], ["01 01 S2 0 100.00 0.00"]),
    "not subject": (SELLER, BUYER, [untaxed("O")], ["01 01 N1 - 100.00 -"]),
    "a business in the EU": (SELLER, GERMAN, [None], ["01 01 N2 - 100.00 -"]),
    "a consumer in the EU": (SELLER, CONSUMER, [None], ["01 01 S1 21 100.00 21.00"]),
    "one stop shop": (SHOP, CONSUMER, [None], ["01 17 N2 - 119.00 -"]),
    "export": (SELLER, AMERICAN, [None], ["01 01 N2 - 100.00 -"]),
    "mainland to a Canarian business": (SELLER, CANARIAN, [None], ["01 08 N2 - 100.00 -"]),
    "mainland to a business in Ceuta": (SELLER, CEUTAN, [None], ["01 08 N2 - 100.00 -"]),
    "mainland to a Canarian": (
        SELLER,
        replace(CANARIAN, company_name=None),
        [None],
        ["03 01 S1 7 100.00 7.00"],
    ),
    "mainland to somebody in Ceuta": (
        SELLER,
        replace(CEUTAN, company_name=None),
        [None],
        ["02 01 S1 10 100.00 10.00"],
    ),
    "exempt from IGIC": (
        SELLER,
        replace(CANARIAN, company_name=None),
        [untaxed("E")],
        ["03 01 E1 - 100.00 -"],
    ),
    "in the Canaries": (CANARY, CANARIAN, [None], ["03 01 S1 7 100.00 7.00"]),
    "in the Canaries, at zero": (CANARY, CANARIAN, [rate("IGIC", "0")], ["03 01 S1 0 100.00 0.00"]),
    "Canaries to the mainland": (CANARY, BUYER, [None], ["03 08 N2 - 100.00 -"]),
    "Canaries to Ceuta": (CANARY, CEUTAN, [None], ["03 20 N2 - 100.00 -"]),
    "Canaries to Germany": (CANARY, GERMAN, [None], ["03 01 N2 - 100.00 -"]),
    "in Ceuta": (CEUTA, CEUTAN, [None], ["02 01 S1 10 100.00 10.00"]),
    "Ceuta to the mainland": (CEUTA, BUYER, [None], ["02 08 N2 - 100.00 -"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ROWS)
def test_taxes_are_declared_by_the_agencys_codes(case: str) -> None:
    org, account, taxes, expected = ROWS[case]

    said = declare(supplied(org, account, *taxes))

    assert [
        " ".join(
            str("-" if part is None else part)
            for part in (row.tax, row.regime, row.treatment, row.rate, row.base, row.amount)
        )
        for row in said.rows
    ] == expected
    assert said.total == supplied(org, account, *taxes).gross.major


def abroad(tax_id: str, country: str) -> Account:
    address = Address("1 Main Street", "1000", "Town", country)
    return replace(AMERICAN, tax_id=tax_id, country=country, address=address)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (BUYER, (None, None, "A58818501", None)),
        (replace(BUYER, tax_id="ES-A58818501"), (None, None, "A58818501", None)),
        (GERMAN, ("02", "DE136695976", None, None)),
        (replace(GERMAN, company_name=None), ("04", "DE136695976", None, "DE")),
        (abroad("BE 403.019.261", "BE"), ("02", "BE0403019261", None, None)),
        (abroad("094259216", "GR"), ("02", "EL094259216", None, None)),
        (AMERICAN, ("04", "123456789", None, "US")),
        (abroad("XI 980780684", "GB"), ("02", "XI980780684", None, None)),
        (abroad("税号九", "CN"), ("04", "税号九", None, "CN")),
    ],
)  # fmt: skip
def test_a_buyer_is_named_by_the_id_that_the_agency_takes(
    account: Account, expected: tuple[str | None, ...]
) -> None:
    recipient = declare(invoice(line(tax=NO_TAX), buyer=account)).recipient

    assert recipient
    assert (recipient.id_type, recipient.id, recipient.tax_id, recipient.country) == expected


@pytest.mark.parametrize(
    ("kind", "tax_id", "reason", "expected"),
    [
        (InvoiceKind.INVOICE, "A58818501", CreditReason.REFUND, "F1"),
        (InvoiceKind.INVOICE, None, CreditReason.REFUND, "F2"),
        (InvoiceKind.CREDIT_NOTE, "A58818501", CreditReason.REFUND, "R1"),
        (InvoiceKind.CREDIT_NOTE, "A58818501", CreditReason.OTHER, "R4"),
        (InvoiceKind.CREDIT_NOTE, None, CreditReason.OTHER, "R5"),
    ],
)
def test_types(kind: InvoiceKind, tax_id: str | None, reason: CreditReason, expected: str) -> None:
    document = replace(bought("10", replace(BUYER, tax_id=tax_id)), kind=kind)

    assert declare(document, reason).type == expected


def test_an_invoice_without_a_tax_id_has_400_euros_at_most() -> None:
    declare(bought("330.57", PERSON))  # 399.99 with tax

    with pytest.raises(TaxIdRequiredError, match="1001"):
        declare(bought("330.59", PERSON))


def test_a_buyer_abroad_needs_no_tax_id_for_what_is_not_subject_to_spanish_tax() -> None:
    said = declare(supplied(SHOP, CONSUMER, None, net="5000"))

    assert (said.type, said.without_recipient, said.recipient) == ("F2", True, None)


@pytest.mark.parametrize("tax_id", ["12345", "A5881850", "00000000T"])
def test_a_tax_id_of_another_form_is_refused(tax_id: str) -> None:
    with pytest.raises(TaxIdRequiredError, match="no Spanish tax id"):
        declare(bought("10", replace(BUYER, tax_id=tax_id)))


def test_a_foreign_id_has_20_characters_at_most() -> None:
    with pytest.raises(TaxIdRequiredError, match="at most 20"):
        declare(invoice(line(tax=NO_TAX), buyer=replace(AMERICAN, tax_id="1" * 21)))


@pytest.mark.parametrize(
    ("percentage", "ends", "is_right"),
    [
        ("21", None, True),
        ("5", None, False),
        ("20", None, False),
        ("5", date(2024, 9, 30), True),
        ("5", date(2024, 10, 1), False),
        ("7.5", date(2024, 12, 31), True),
        ("2", date(2025, 1, 1), False),
    ],
)
def test_rates_of_iva_are_those_of_the_day(
    percentage: str, ends: date | None, is_right: bool
) -> None:
    period = LinePeriod(date(2024, 6, 1), ends) if ends else None
    document = bought("10", period=period)
    tax = replace(document.lines[0].tax, percentage=Decimal(percentage))
    document = replace(document, taxes=tax_totals([(tax, document.net)]))

    if is_right:
        assert declare(document).operation_date == ends or not ends
    else:
        with pytest.raises(InvalidRequestError, match="no rate of IVA"):
            declare(document)


SEPTEMBER = LinePeriod(date(2024, 9, 1), date(2024, 9, 30))


@pytest.mark.parametrize(
    ("percentage", "issued", "period", "said"),
    [
        pytest.param("5", date(2024, 9, 16), None, date(2024, 9, 16), id="of its time"),
        pytest.param("5", date(2024, 10, 1), SEPTEMBER, date(2024, 9, 30), id="in arrears"),
        pytest.param("5", date(2024, 10, 1), None, None, id="after its time"),
        pytest.param("21", date(2024, 9, 16), None, date(2026, 2, 28), id="of today"),
    ],
)
def test_a_credit_note_is_of_the_day_of_its_invoice_where_only_that_had_its_rate(
    percentage: str, issued: date, period: LinePeriod | None, said: date | None
) -> None:
    original = replace(bought("10", period=period), issue_date=issued)
    tax = replace(original.lines[0].tax, percentage=Decimal(percentage))
    cycle = BillingPeriod(issued_at := datetime(2024, 9, 16, tzinfo=UTC), NOW)
    original = replace(original, cycle=cycle, issued_at=issued_at)
    note = bought("10")  # of February 2026
    note = replace(note, kind=InvoiceKind.CREDIT_NOTE, taxes=tax_totals([(tax, -note.net)]))

    if said:
        assert declare(note, original_day=day_of_operation(original)).operation_date == said
    else:
        with pytest.raises(InvalidRequestError, match="no rate of IVA"):
            declare(note, original_day=day_of_operation(original))


def test_refuses_more_than_twelve_rows() -> None:
    rates = [rate("IPSI", str(number)) for number in range(1, 14)]

    declare(supplied(CEUTA, CEUTAN, *rates[:12]))
    too_many = supplied(CEUTA, CEUTAN, *rates)
    with pytest.raises(InvalidRequestError, match=r"13 rates .* divide them"):
        declare(too_many)
    with pytest.raises(InvalidRequestError, match=r"13 rates .* some of them at a time"):
        declare(replace(too_many, kind=InvoiceKind.CREDIT_NOTE))


def test_amounts_are_in_euros_at_the_rate_of_the_document() -> None:
    rate_ = Conversion(Money.zero("EUR"), date(2026, 3, 2), Decimal("1.0812"), Decimal(1))
    document = replace(
        supplied(SELLER, BUYER, rate("IVA", "21"), rate("IVA", "10"), currency="USD"),
        conversion=rate_,
    )

    said = declare(document)

    assert [(row.base, row.amount) for row in said.rows] == [
        (Decimal("92.49"), Decimal("19.42")),
        (Decimal("92.49"), Decimal("9.25")),
    ]
    assert (said.tax, said.total) == (Decimal("28.67"), Decimal("213.65"))


def test_texts_are_cut_to_what_the_agency_takes() -> None:
    long = replace(BUYER, company_name="x" * 200)

    said = declare(replace(bought("1", long), description="  a\n" + "y" * 600))

    assert said.recipient
    assert len(said.recipient.name) == 120
    assert said.description == "a " + "y" * 498


# ---------------------------------------------------------------- the chain


def journal(end: FiscalEnd | None = None, **ends: ChainEnd) -> Journal:
    read = Ends(ends.get("chain", ChainEnd()), {}, {BUYER.id: AccountEnd()}, end or FiscalEnd())
    return Journal(DECLARED, LANE, NOW, read, SETTING)


def draft(price: str = "10", **content: Any) -> Draft:
    document = bought(price)
    return Draft(**{**document.content, "seller": DECLARED, **content})


def test_records_are_chained_as_documents_are_issued() -> None:
    some = journal()
    for price in ("10", "20"):
        some.issue(draft(price))
    more = journal(some.ends.fiscal)
    more.issue(draft("-30", kind=InvoiceKind.CREDIT_NOTE))

    first, second, third = (each.fiscal for each in [*some.issued, *more.issued])

    assert first
    assert second
    assert third
    assert first.previous is None
    assert second.previous == first.end.link
    assert third.previous == second.end.link
    assert [each.position for each in (first, second, third)] == [1, 2, 3]
    assert all(each.is_intact for each in (first, second, third))
    assert first.generated_at == "2027-01-04T10:30:00+01:00"
    assert some.issued[0].invoice.fiscal == FiscalSummary(
        "F1", Decimal("12.10"), FiscalService.TEST
    )


def test_a_record_is_never_made_before_the_one_it_follows() -> None:
    end = FiscalEnd(7, None, "2027-01-04T11:00:00+01:00")

    record = chained(declare(bought("10")), end, SETTING, NOW, "Atlantic/Canary")

    assert (record.position, record.generated_at) == (8, "2027-01-04T10:00:00+00:00")


def test_another_fiscal_regime_than_was_read_is_a_conflict() -> None:
    stale = journal(chain=ChainEnd(1, "00", date(2027, 1, 1), FiscalRegime.NONE))

    with pytest.raises(RegimeChangedError):
        stale.issue(draft())


def test_nothing_is_issued_where_nobody_answers_for_the_software() -> None:
    nobody = journal()
    nobody.fiscal = None

    with pytest.raises(FiscalRegimeError, match="VerifactuProducer"):
        nobody.issue(draft())


@pytest.mark.parametrize(
    ("amendment", "expected"),
    [
        (Amendment(is_known=False, after_rejection=True), "X"),
        (Amendment(is_known=True, after_rejection=False), "N"),
        (Amendment(is_known=True, after_rejection=True), "S"),
    ],
)
def test_an_amendment_says_what_became_of_the_record_before(
    amendment: Amendment, expected: str
) -> None:
    assert amendment.previous_rejection == expected


@given(st.lists(st.tuples(st.integers(1, 10**6), st.booleans(), st.booleans()), max_size=12))
def test_any_chain_is_whole_and_has_the_fingerprints_of_another_program(
    documents: list[tuple[int, bool, bool]],
) -> None:
    """However documents come together in journals: what differs is where one journal ends."""
    records, some = [], journal()
    for cents, is_credit, begins_anew in documents:
        if begins_anew:
            some = journal(some.ends.fiscal)
        price = str(Decimal(-cents if is_credit else cents) / 100)
        kind = InvoiceKind.CREDIT_NOTE if is_credit else InvoiceKind.INVOICE
        some.issue(draft(price, kind=kind))
        records.append(some.issued[-1].fiscal)

    before = ""
    for position, record in enumerate(records, 1):
        assert record
        said = record.declaration
        expected = compute_registro_alta(
            RegistroAltaInput(
                said.seller_tax_id,
                said.number,
                said.issue_date.strftime("%d-%m-%Y"),
                said.type,
                str(said.tax),
                str(said.total),
                before,
                record.generated_at,
            )
        )
        assert (record.position, record.huella) == (position, expected)
        before = record.huella


def test_a_qr_code_has_exactly_what_the_agency_asks_for() -> None:
    document = replace(
        bought("199.5"),
        number="12345678&G33",
        issue_date=date(2024, 9, 1),
        fiscal=FiscalSummary("F1", Decimal("241.4"), FiscalService.TEST),
    )

    assert qr_url(document) == (
        "https://prewww2.aeat.es/wlpl/TIKE-CONT/ValidarQR"
        "?nif=B58378431&numserie=12345678%26G33&fecha=01-09-2024&importe=241.40"
    )


def test_a_document_keeps_what_it_says_of_its_record() -> None:
    summary = FiscalSummary("R1", Decimal("-121.00"), FiscalService.PRODUCTION)
    document = replace(bought("10"), fiscal=summary)

    assert read_record(write_record(document, "salt")).fiscal == summary


@pytest.mark.parametrize(("declared_on", "is_free"), [("2026-12-31", True), ("2027-01-02", False)])
def test_who_declared_nothing_this_year_switches_off(declared_on: str, is_free: bool) -> None:
    """Also where it was switched off and on again this year, and other documents are there."""
    end = FiscalEnd(1, Link("F2026-000001", date.fromisoformat(declared_on), "0" * 64))
    today = date(2027, 1, 3)
    lanes = FiscalLanes({"A": 2}, last_issue=date(2027, 1, 2), end=end, today=today)

    if is_free:
        check_switch(SELLER, lanes)
    else:
        with pytest.raises(FiscalRegimeError, match="Switch it off from 1 January 2028"):
            check_switch(SELLER, lanes)
