"""What version 1.0 kept is read with the treatment that it gave, and gone on with."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from billing.domain.consumptions import ConsumptionTotal, ConsumptionType, Unit
from billing.domain.cycle_invoices import CycleContents, draft_bill, next_step
from billing.domain.cycles import BillableAccount, OpenCycle
from billing.domain.invoice_record import InvoiceRecord, read_record, write_record
from billing.domain.invoices import IssuedInvoice
from billing.domain.money import Money
from billing.domain.tax import NO_TAX
from billing.einvoice.cii import to_cii
from billing.persistence.consumptions import to_total
from billing.persistence.tax_rates import to_own_rates
from tests.sample_invoices import (
    AMERICAN,
    BUYER,
    EXEMPT,
    GERMAN,
    ONE_LINE,
    OUT_OF_SCOPE,
    REVERSE_CHARGE,
    SELLER,
)


def _as_kept_then(invoice: IssuedInvoice) -> InvoiceRecord:
    """Write a record as version 1.0 did: kind and rate of each tax, and nothing else."""
    kept = write_record(invoice, "salt")
    record: dict[str, Any] = json.loads(kept.record)
    record["schema"] = 1
    for part in (*record["lines"], *record["taxes"]):
        part["tax"] = {name: part["tax"][name] for name in ("type", "percentage")}
    return replace(kept, record=json.dumps(record).encode())


@pytest.mark.parametrize(
    ("invoice", "category", "ground"),
    [
        pytest.param(ONE_LINE, "S", None, id="taxed"),
        pytest.param(EXEMPT, "E", "exempt", id="exempt"),
        pytest.param(REVERSE_CHARGE, "AE", "reverse_charge", id="reverse charge"),
        pytest.param(OUT_OF_SCOPE, "O", "out_of_scope", id="out of scope"),
    ],
)
def test_a_document_is_read_with_what_it_said(
    invoice: IssuedInvoice, category: str, ground: str | None
) -> None:
    kept = _as_kept_then(invoice)

    read = read_record(kept)

    taxes = [each.tax for each in read.lines] + [each.tax for each in read.taxes]
    assert {(tax.category, tax.ground) for tax in taxes} == {(category, ground)}
    assert (read.gross, read.number) == (invoice.gross, invoice.number)
    assert f"<ram:CategoryCode>{category}</ram:CategoryCode>" in to_cii(read).decode()
    assert kept.hash("before") == sha256(kept.record + b"before").hexdigest()
    assert kept.is_intact


@pytest.mark.parametrize(
    ("account", "category"),
    [
        pytest.param(BUYER, "E", id="at home"),
        pytest.param(GERMAN, "AE", id="between member states"),
        pytest.param(AMERICAN, "O", id="outside"),
    ],
)
def test_usage_without_a_treatment_is_billed_with_the_one_of_its_document(
    account: Any, category: str
) -> None:
    usage = to_total(
        {
            "sk": {"S": "total#600#data#bytes#NONE#0#EUR"},
            "units": {"N": "5"},
            "net": {"N": "1000"},
        }
    )
    cycle = OpenCycle.first(account, datetime(2026, 11, 21, tzinfo=UTC))
    closing = BillableAccount(account, 1, cycle, None).close()

    step = next_step(SELLER, closing, CycleContents([], [usage], []))
    [draft] = draft_bill(SELLER, step, []).invoices

    assert usage == ConsumptionTotal(
        "600", ConsumptionType.DATA, Unit.BYTES, NO_TAX, 5, Money(1000, "EUR")
    )
    assert [part.document for part in step.plan] == [""]
    assert draft.lines[0].tax.category == category


def test_own_rates_of_provinces_are_found_by_their_numbers() -> None:
    rate = {"valid_from": "2026-01-01", "tax": {"type": "IGIC", "percentage": "9.5"}}

    own = to_own_rates({"version": {"N": "3"}, "rates": {"S": json.dumps({"35": [rate]})}})

    [kept] = own.by_place["ES-GC"]
    assert (kept.valid_from, kept.tax.percentage) == (date(2026, 1, 1), Decimal("9.5"))
