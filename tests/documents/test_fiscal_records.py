"""
The fiscal record of every document of the matrix, by the tax agency's schema and checks.

test_matrix.py has the cases; docs/verifactu.md says how each is declared.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.domain.countries import COUNTRIES
from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.declarable import check_reason
from billing.domain.errors import InvalidRequestError
from billing.domain.invoices import CreditReason, InvoiceSummary, NewInvoice, NewLine, draft_invoice
from billing.domain.issuing import AccountEnd, Ends, Journal
from billing.domain.numbering import LANE, ChainEnd
from billing.domain.parties import Account, Address, FiscalRegime, FiscalService, Org
from billing.domain.tax import Tax, TaxType, VatCategory, tax_totals
from billing.domain.tax_rates import NO_OWN_RATES
from billing.domain.vatex import VATEX
from billing.domain.verifactu import (
    Amendment,
    FiscalRecord,
    FiscalSetting,
    System,
    chained,
)
from billing.services.convert_tax import with_national_tax
from tests.documents.fiscal_rules import broken, other_huella
from tests.documents.test_matrix import CASES, CURRENCIES, NOW, _rate, line
from tests.sample_invoices import AMERICAN, BUYER, CANARIAN, CEUTAN, GERMAN, SELLER, invoice
from tests.sample_invoices import line as invoice_line

SYSTEM = System("Software Ejemplo, S.L.", "B75777847", "Billing API", "BA", "1.0.0", "1-org_1")
SETTING = FiscalSetting(SYSTEM, FiscalService.TEST)
SPANISH = {name: case for name, case in CASES.items() if case[0].address.country == "ES"}
SELLERS = {
    "mainland": SELLER,
    "Canaries": replace(SELLER, address=CANARIAN.address),
    "Ceuta": replace(SELLER, address=CEUTAN.address),
}
BUYERS = [BUYER, CANARIAN, CEUTAN, GERMAN, AMERICAN]


def _declared(
    org: Org, account: Account, lines: list[NewLine], currency: str
) -> Iterator[FiscalRecord]:
    """Issue an invoice, a credit note for a part of it, and one for the rest."""
    org = replace(org, fiscal_regime=FiscalRegime.VERIFACTU)
    journal = Journal(org, LANE, NOW, Ends(ChainEnd(), {}, {account.id: AccountEnd()}), SETTING)
    request = NewInvoice(org.id, account.id, "Hosting", currency, None, lines)
    draft = draft_invoice(request, org, account, NO_OWN_RATES, NOW)
    invoice = journal.issue(with_national_tax(draft, NOW, _rate))
    original = Creditable(invoice, InvoiceSummary.of(invoice, ""), {}, {}, 1)
    for nets, reason in (({1: original.left_of(1)}, CreditReason.OTHER), (None, None)):
        if original.left.minor <= 0:
            break
        note = CreditNote.of(original, nets or original.all_left(), org, account, "Abono")
        reasoned = replace(note.draft, credit_reason=reason or CreditReason.REFUND)
        journal.credit(replace(note, draft=reasoned))
        original = replace(original, credited=note.credited)
    for issued in journal.issued:
        assert issued.fiscal
        yield issued.fiscal


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("case", SPANISH)
def test_every_case_is_valid_in_every_currency(case: str, currency: str) -> None:
    org, account, lines, _ = SPANISH[case]

    records = list(_declared(org, account, lines, currency))

    assert len(records) > 1
    for record in records:
        assert broken(record) == []
        assert record.huella == other_huella(record)
    left = sum((record.declaration.total for record in records), Decimal(0))
    assert left == 0 if currency == "EUR" else abs(left) < Decimal("0.05")
    types = [record.declaration.type for record in records]
    identified = types[0] == "F1"
    assert types[0] in {"F1", "F2"}
    assert types[1] == ("R4" if identified else "R5")
    assert set(types[2:]) <= {"R1" if identified else "R5"}


def test_what_was_charged_at_a_rate_of_its_time_is_credited_by_the_rules() -> None:
    org = replace(SELLER, fiscal_regime=FiscalRegime.VERIFACTU)
    issued = invoice(invoice_line())
    line_then = replace(issued.lines[0], tax=Tax(TaxType.IVA, Decimal(5)))
    issued = replace(
        issued,
        lines=(line_then,),
        taxes=tax_totals([(line_then.tax, line_then.net)]),
        issue_date=date(2024, 9, 16),
    )
    original = Creditable(issued, InvoiceSummary.of(issued, ""), {}, {}, 1)
    note = CreditNote.of(original, original.all_left(), org, BUYER, "Abono")
    journal = Journal(org, LANE, NOW, Ends(ChainEnd(), {}, {BUYER.id: AccountEnd()}), SETTING)

    journal.credit(note)

    [credited] = journal.issued
    assert credited.fiscal
    assert credited.fiscal.declaration.operation_date == date(2024, 9, 16)
    assert broken(credited.fiscal) == []
    today = replace(credited.fiscal.declaration, operation_date=None)
    assert broken(replace(credited.fiscal, declaration=today)) != []


@pytest.mark.parametrize("reason", sorted(VATEX))
@pytest.mark.parametrize("seller", SELLERS)
def test_every_reason_is_valid_or_refused_when_it_comes_in(seller: str, reason: str) -> None:
    category = VatCategory(VATEX[reason])
    tax = Tax(TaxType.NONE, Decimal(0), category, reason=reason)
    try:
        check_reason(tax, "tax")
    except InvalidRequestError:
        assert reason.startswith("VATEX-FR") or reason[-2:] in {"-D", "-F", "-I", "-J"}
        return
    for buyer in BUYERS:
        for record in _declared(SELLERS[seller], buyer, [line(tax=tax)], "EUR"):
            assert broken(record) == [], (buyer.country, record.declaration.rows)


@pytest.mark.parametrize("country", sorted(COUNTRIES - {"ES"}))
def test_a_buyer_of_every_country_can_be_declared(country: str) -> None:
    address = Address("1 Main Street", "1000", "Town", country)
    buyer = replace(AMERICAN, tax_id="12345", country=country, address=address)
    tax = Tax(TaxType.NONE, Decimal(0), VatCategory.EXEMPT)

    record = next(_declared(SELLER, buyer, [line(tax=tax)], "EUR"))

    assert broken(record) == []


@pytest.mark.parametrize("is_known", [True, False])
def test_an_amendment_is_valid(is_known: bool) -> None:
    record = next(_declared(SELLER, BUYER, [line()], "EUR"))

    amendment = Amendment(is_known=is_known, after_rejection=True)
    again = chained(record.declaration, record.end, SETTING, NOW, "Europe/Madrid", amendment)

    assert broken(again) == []
    assert again.huella == other_huella(again)


def test_the_checks_see_what_is_wrong() -> None:
    record = next(_declared(SELLER, BUYER, [line()], "EUR"))
    said = record.declaration

    assert broken(replace(record, huella="x" * 65))
    assert broken(replace(record, declaration=replace(said, issue_date=date(2020, 1, 1))))
    assert broken(replace(record, declaration=replace(said, number='F"1')))
    assert broken(replace(record, declaration=replace(said, recipient=None)))
    assert broken(replace(record, declaration=replace(said, rows=said.rows * 13)))
