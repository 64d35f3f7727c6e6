"""
The corner cases of tax, each issued and credited in several currencies, by the official rules.

docs/tax.md says what they are; tests/unit/test_vat.py which tax they have.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.invoice_record import read_record, write_record
from billing.domain.invoices import (
    InvoiceSummary,
    IssuedInvoice,
    NewInvoice,
    NewLine,
    draft_invoice,
)
from billing.domain.issuing import AccountEnd, Ends, Journal
from billing.domain.numbering import LANE, ChainEnd
from billing.domain.parties import Account, Address, Org
from billing.domain.tax import Tax, TaxType, VatCategory
from billing.domain.tax_rates import NO_OWN_RATES
from billing.einvoice.model import to_e_invoice
from billing.services.convert_tax import with_national_tax
from functions.documents.pdf.render import render
from tests.documents.official_rules import STYLESHEETS, OfficialRules
from tests.sample_invoices import (
    AMERICAN,
    BUYER,
    CANARIAN,
    CEUTAN,
    GERMAN,
    IVA_4,
    IVA_10,
    SELLER,
)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
CURRENCIES = ("EUR", "USD", "JPY", "BHD")
"""At home, abroad, without decimals, with three."""

SHOP = replace(SELLER, one_stop_shop=True)
BRITISH = replace(
    SELLER, tax_id="GB980780684", address=Address("1 Strand", "WC2N 5HR", "London", "GB")
)
CONSUMER = replace(GERMAN, company_name=None, tax_id=None)
ISLANDER = replace(
    CONSUMER, address=Address("Rua Nova 1", "9000-019", "Funchal", "PT"), country="PT"
)
PERSON = replace(BUYER, company_name=None, tax_id="54362315K")
NOBODY = replace(BUYER, tax_id=None)
EXEMPT = Tax(TaxType.NONE, Decimal(0))
MEDICAL = replace(EXEMPT, reason="VATEX-EU-132-1C")
TEACHING = replace(EXEMPT, category=VatCategory.EXEMPT, reason="Art. 20.Uno.9.º, Ley 37/1992")
ZERO = Tax(TaxType.IVA, Decimal(0))
NO_IGIC = Tax(TaxType.IGIC, Decimal(0))


def line(price: str = "19.99", tax: Tax | None = None, quantity: str = "3") -> NewLine:
    return NewLine("Hosting", Decimal(quantity), Decimal(price), Decimal(0), tax, None, None, None)


SEVERAL = [line(), line("7.77", IVA_10), line("1.23", IVA_4), line("10", quantity="-1")]
CASES: dict[str, tuple[Org, Account, list[NewLine], set[str]]] = {
    "domestic": (SELLER, BUYER, [line()], {"S"}),
    "domestic, exempt": (SELLER, BUYER, [line(tax=EXEMPT)], {"E"}),
    "two grounds of exemption": (SELLER, BUYER, [line(tax=MEDICAL), line(tax=TEACHING)], {"E"}),
    "exempt and taxed": (SELLER, BUYER, [line(), line(tax=TEACHING)], {"S", "E"}),
    "zero rated and taxed": (SELLER, BUYER, [line(), line(tax=ZERO)], {"S", "Z"}),
    "several rates with a discount": (SELLER, BUYER, SEVERAL, {"S"}),
    "reverse charge": (SELLER, GERMAN, [line(), line("5")], {"AE"}),
    "reverse charge and taxed": (SELLER, GERMAN, [line(), line(tax=IVA_10)], {"AE", "S"}),
    "one stop shop": (SHOP, CONSUMER, [line()], {"S"}),
    "one stop shop, a region": (SHOP, ISLANDER, [line()], {"S"}),
    "a consumer abroad without it": (SELLER, CONSUMER, [line()], {"S"}),
    "export": (SELLER, AMERICAN, [line(), line("5")], {"O"}),
    "export to a person": (SELLER, replace(AMERICAN, tax_id=None), [line()], {"O"}),
    "import": (BRITISH, BUYER, [line()], {"O"}),
    "the Canaries, a consumer": (SELLER, replace(CANARIAN, tax_id=None), [line()], {"L"}),
    "the Canaries, a business": (SELLER, CANARIAN, [line()], {"O"}),
    "the Canaries, at zero": (SELLER, CANARIAN, [line(tax=NO_IGIC)], {"Z"}),
    "Ceuta, a consumer": (SELLER, replace(CEUTAN, tax_id=None), [line()], {"M"}),
    "Ceuta, a business": (SELLER, CEUTAN, [line()], {"O"}),
    "a natural person": (SELLER, PERSON, [line()], {"S"}),
    "a buyer without a tax id": (SELLER, NOBODY, [line()], {"S"}),
    "1,000 lines": (SELLER, BUYER, [line("0.37")] * 1000, {"S"}),
}  # fmt: skip

rules = OfficialRules()


def _issued(
    org: Org, account: Account, lines: list[NewLine], currency: str
) -> Iterator[IssuedInvoice]:
    """Issue an invoice, a credit note for a part of it, and one for the rest."""
    journal = Journal(org, LANE, NOW, Ends(ChainEnd(), {}, {account.id: AccountEnd()}))
    request = NewInvoice(org.id, account.id, "Hosting", currency, None, lines)
    draft = draft_invoice(request, org, account, NO_OWN_RATES, NOW)
    invoice = _as_read(journal.issue(with_national_tax(draft, NOW, _rate)))
    yield invoice
    original = Creditable(invoice, InvoiceSummary.of(invoice, ""), {}, {}, 1)
    moved = replace(account, company_name="Another Ltd", tax_id=None, address=AMERICAN.address)
    moved = replace(moved, country="US", state_id=None)
    for nets in ({1: original.left_of(1)}, None):
        if original.left.minor <= 0:
            return
        note = CreditNote.of(original, nets or original.all_left(), org, moved, "Credit")
        yield _as_read(journal.credit(note))
        original = replace(original, credited=note.credited)


def _rate(_: str, currency: str, day: date) -> ExchangeRate:
    return ExchangeRate(currency, day, Decimal("1.0812"))


def _as_read(invoice: IssuedInvoice) -> IssuedInvoice:
    return read_record(write_record(invoice, "salt"))


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("case", CASES)
def test_every_case_is_valid_in_every_currency(case: str, currency: str) -> None:
    org, account, lines, categories = CASES[case]

    documents = list(_issued(org, account, lines, currency))

    assert len(documents) > 1
    for document in documents:
        said = to_e_invoice(document)
        assert {tax.category for tax in said.taxes} <= categories
        assert all(tax.exemption for tax in said.taxes if tax.category in {"E", "AE", "O"})
        for write in STYLESHEETS:
            _check(write, document)
    assert {tax.category for tax in to_e_invoice(documents[0]).taxes} == categories
    assert sum(each.gross.minor for each in documents) == 0
    charged = [each for each in documents if any(tax.tax.category == "AE" for tax in each.taxes)]
    assert {each.vat_id for each in charged} <= {"DE136695976"}
    assert {each.buyer.tax_id for each in documents} == {account.tax_id}


def _check(write: Callable[[IssuedInvoice], bytes], document: IssuedInvoice) -> None:
    written = write(document)
    assert rules.is_well_formed(written), written.decode()
    assert rules.broken_by(write, written) == [], written.decode()


@pytest.mark.parametrize("case", CASES)
def test_every_page_says_why_no_tax_is_charged(case: str) -> None:
    org, account, lines, _ = CASES[case]
    invoice = next(_issued(org, account, lines, "EUR"))

    pages = PdfReader(BytesIO(render(invoice))).pages

    shown = _letters("".join(page.extract_text() for page in pages))
    for tax in to_e_invoice(invoice).taxes:
        if tax.exemption:
            assert all(_letters(words) in shown for words in tax.exemption.reason.split("; "))


def _letters(text: str) -> str:
    """Return a text without white space and hyphens, which its lines may be divided at."""
    return re.sub(r"[\s\xad\u2010-]", "", text)
