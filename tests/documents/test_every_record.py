"""
Invariant 14 for fiscal records: what a Spanish seller with VERIFACTU issues can be declared.

Requests are generated as in test_every_document.py. Each document that is issued has a record that
is valid by the tax agency's schema and by an independent package; what cannot be declared is
refused when it comes in. Of what was accepted, a run refuses a document without a tax id alone.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import TaxIdRequiredError
from billing.domain.invoices import IssuedInvoice
from billing.domain.verifactu import ZONES, qr_url
from tests.documents.fiscal_rules import broken, other_huella
from tests.documents.test_every_document import (
    PLACES,
    UNTAXED,
    Billed,
    Json,
    accounts,
    billed_by_runs,
    generated,
    issued_and_credited,
    orgs,
)

TAXES = st.one_of(
    st.none(),
    UNTAXED,
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["IVA", "IGIC", "IPSI", "VAT"]),
            "percentage": st.sampled_from([0, 4, 10, 21]),
        }
    ),
)
"""What the tax agency knows, and a tax abroad."""

BUYERS: dict[str, Json] = {
    "a company in Spain": {"country": "ES", "tax_id": "B58378431", "company_name": "Puig, S.L."},
    "somebody in Spain": {"country": "ES", "tax_id": None},
    "anybody anywhere": {},
}


@st.composite
def parties(draw: st.DrawFn, buyer: Json) -> tuple[Json, Json]:
    """A seller that the agency takes, and a buyer."""
    seller: Json = draw(orgs("ES"))
    zone = draw(st.sampled_from(ZONES))
    country = buyer.get("country") or draw(PLACES)
    return (
        {**seller, "time_zone": zone, "fiscal_regime": "VERIFACTU"},
        {**draw(accounts(country)), **buyer},
    )


def check(billed: Billed, invoice: IssuedInvoice) -> None:
    """Hold the record of a document against the agency's rules, and against the document."""
    [record] = [
        each.fiscal for each in billed.journal.issued if each.invoice.number == invoice.number
    ]
    assert record
    said = record.declaration
    assert broken(record) == [], record
    assert record.huella == other_huella(record)
    assert record.qr_url == qr_url(invoice)
    assert said.total == sum((row.base + (row.amount or 0) for row in said.rows), Decimal(0))
    if invoice.currency == "EUR":
        assert said.total == invoice.gross.major
    declared[said.type] += 1


declared: Counter[str] = Counter()


@contextmanager
def at_least(invoices: int, credit_notes: int) -> Iterator[None]:
    """Fail where fewer documents were declared: requests that are all refused show nothing."""
    declared.clear()
    yield
    assert sum(count for type_, count in declared.items() if type_.startswith("F")) >= invoices
    assert sum(count for type_, count in declared.items() if type_.startswith("R")) >= credit_notes


@pytest.mark.parametrize("buyer", BUYERS)
def test_the_records_of_invoices_and_their_credit_notes(buyer: str) -> None:
    @generated(120)
    @given(data=st.data())
    def issue_and_credit(data: st.DataObject) -> None:
        for billed, invoice in issued_and_credited(data, parties(BUYERS[buyer]), TAXES):
            check(billed, invoice)

    with at_least(10, 5):
        issue_and_credit()


@pytest.mark.parametrize("buyer", BUYERS)
def test_the_records_of_what_a_run_bills(buyer: str) -> None:
    @generated(120)
    @given(data=st.data())
    def bill(data: st.DataObject) -> None:
        with suppress(TaxIdRequiredError):
            for billed, invoice in billed_by_runs(data, parties(BUYERS[buyer]), TAXES):
                check(billed, invoice)

    with at_least(10, 5):
        bill()
