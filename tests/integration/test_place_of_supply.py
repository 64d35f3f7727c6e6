"""A charge keeps the treatment of the day it came in, on all documents that come of it."""

from typing import Any

import pytest

from billing.domain.invoices import InvoiceKey, IssuedInvoice
from billing.persistence.chains import ChainRepository
from billing.persistence.invoices import InvoiceRepository
from billing.services.audit import audit_invoices
from tests.integration.billing import Runs, charge, give_back
from tests.integration.conftest import Invoker
from tests.integration.usage import record, send

NOWHERE: dict[str, Any] = {"state_id": None}
GERMAN = {
    "name": "Jürgen Größmann",
    "company_name": "Größmann Maschinenbau GmbH",
    "tax_id": "DE136695976",
    "country": "DE",
    "address": {
        "street": "Königsallee 60",
        "postal_code": "40212",
        "city": "Düsseldorf",
        "country": "DE",
    },
    **NOWHERE,
}
AMERICAN = {
    "company_name": "Park & Daughters, Inc.",
    "tax_id": "12-3456789",
    "country": "US",
    "address": {
        "street": "350 Fifth Avenue",
        "postal_code": "NY 10118",
        "city": "New York",
        "country": "US",
    },
    **NOWHERE,
}
CANARIAN = {
    "state_id": 35,
    "address": {
        "street": "Calle Triana 1",
        "postal_code": "35002",
        "city": "Las Palmas",
        "country": "ES",
    },
}
UNTAXED = {"value_with_taxes": 100, "value_without_taxes": 100}
LINE = {"description": "Hosting", "quantity": 1, "unit_price": 100}


def _put(invoke: Invoker, profile: dict[str, Any]) -> None:
    answer = invoke("billing_info_put_account", profile)
    assert answer.status == 204, answer


def _issued(invoke: Invoker, account_id: str = "100001") -> list[IssuedInvoice]:
    """Read all documents of an account, oldest first."""
    count = len(invoke("invoices_list").json)
    keys = [InvoiceKey(invoke.org_id, account_id, ordinal + 1) for ordinal in range(count)]
    return [InvoiceRepository().get(key)[0] for key in keys]


def _taxes(invoice: IssuedInvoice) -> list[tuple[str, str | None, int]]:
    return [
        (f"{each.tax.type} {each.tax.percentage:f}", each.tax.category, each.net.minor)
        for each in invoice.taxes
    ]


def test_a_german_company_is_charged_no_tax_and_told_why(billed: Invoker) -> None:
    _put(billed, GERMAN)

    created = billed("invoices_create", {"lines": [LINE]})

    assert created.status == 201
    [invoice] = _issued(billed)
    assert _taxes(invoice) == [("NONE 0", "AE", 10000)]
    assert (invoice.vat_id, invoice.lines[0].tax.ground) == ("DE136695976", "reverse_charge")
    xml = billed("invoices_e_invoice", invoiceId="1").text
    assert "<ram:CategoryCode>AE</ram:CategoryCode>" in xml
    assert '<ram:ID schemeID="VA">DE136695976</ram:ID>' in xml
    assert "Reverse charge (art. 196, Directive 2006/112/EC)" in xml


def test_who_names_a_reverse_charge_names_the_buyer_by_the_vat_id_of_its_own_country(
    billed: Invoker,
) -> None:
    _put(billed, {**GERMAN, "company_name": None, "tax_id": "136695976"})
    tax = {"type": "NONE", "percentage": 0, "category": "AE"}

    created = billed("invoices_create", {"lines": [{**LINE, "tax": tax}]})

    assert created.status == 201
    [invoice] = _issued(billed)
    assert (invoice.vat_id, invoice.lines[0].tax.place) == ("DE136695976", "DE")
    xml = billed("invoices_e_invoice", invoiceId="1").text
    assert '<ram:ID schemeID="VA">DE136695976</ram:ID>' in xml


def test_a_movement_answers_how_it_is_treated(billed: Invoker) -> None:
    _put(billed, GERMAN)
    movement_id = charge(billed, amount=UNTAXED)

    movement = billed("movements_get", movementId=movement_id).json

    assert movement["amount"]["tax"] == {"type": "NONE", "percentage": 0, "category": "AE"}


def test_a_cycle_has_a_document_for_each_place_and_vat_id(billed: Invoker, runs: Runs) -> None:
    charge(billed)
    _put(billed, GERMAN)
    first = charge(billed, amount=UNTAXED)
    _put(billed, {**GERMAN, "tax_id": "DE129273398"})
    charge(billed, amount=UNTAXED)
    _put(billed, AMERICAN)
    charge(billed, amount=UNTAXED)
    send(billed, record(1, amount=UNTAXED))
    _put(billed, CANARIAN)
    charge(billed, amount={"value_with_taxes": 107, "value_without_taxes": 100})

    ran = runs.run(until="2026-12-01")

    assert (ran["failures"], ran["invoices_issued"]) == ([], 5)
    documents = _issued(billed)
    found = {(each.lines[0].tax.place, each.vat_id): _taxes(each) for each in documents}
    assert found == {
        ("ES", None): [("IVA 21", "S", 10000)],
        ("DE", "DE136695976"): [("NONE 0", "AE", 10000)],
        ("DE", "DE129273398"): [("NONE 0", "AE", 10000)],
        ("US", None): [("NONE 0", "O", 20000)],
        ("ES-CN", None): [("IGIC 7", "L", 10000)],
    }
    told = billed("movements_get", movementId=first).json["invoice_id"]
    [german] = [each for each in documents if each.vat_id == "DE136695976"]
    assert told == str(german.key.ordinal)
    assert german.buyer.tax_id == "DE136695976"
    assert [each.faults for each in audit_invoices(billed.org_id, chains=ChainRepository())] == [
        [],
        [],
        [],
        [],
        [],
    ]


def test_what_is_out_of_scope_stands_alone(billed: Invoker, runs: Runs) -> None:
    _put(billed, AMERICAN)
    charge(billed, amount=UNTAXED)
    exempt = {"type": "NONE", "percentage": 0, "category": "E"}
    charge(billed, amount={**UNTAXED, "tax": exempt})

    runs.run(until="2026-12-01")

    assert sorted(_taxes(each) for each in _issued(billed)) == [
        [("NONE 0", "E", 10000)],
        [("NONE 0", "O", 10000)],
    ]


def test_a_profile_that_changes_changes_nothing_of_what_is_credited(
    billed: Invoker, runs: Runs
) -> None:
    _put(billed, GERMAN)
    movement_id = charge(billed, amount=UNTAXED)
    runs.run(until="2026-12-01")
    _put(billed, {**AMERICAN, "tax_id": None, "company_name": None})

    give_back(billed, movement_id, amount={"value_with_taxes": 10, "value_without_taxes": 10})
    runs.run(until="2027-01-01")
    credited = billed("invoices_credit", invoiceId="1")

    assert credited.status == 201
    invoice, by_run, by_request = _issued(billed)
    for note, net in ((by_run, -1000), (by_request, -9000)):
        assert _taxes(note) == [("NONE 0", "AE", net)]
        assert note.vat_id == invoice.vat_id == "DE136695976"
        assert (note.buyer.tax_id, note.buyer.company_name) == (
            invoice.buyer.tax_id,
            invoice.buyer.company_name,
        )
        assert note.buyer.address == invoice.buyer.address
        assert [each.tax for each in note.taxes] == [each.tax for each in invoice.taxes]


def test_usage_keeps_its_treatment_until_it_is_billed(billed: Invoker, runs: Runs) -> None:
    charge(billed)
    _put(billed, GERMAN)
    assert send(billed, record(1, amount=UNTAXED), record(2, amount=UNTAXED)).status == 201
    _put(billed, {**GERMAN, "vat_number_status": "invalid"})
    taxed = {"value_with_taxes": 121, "value_without_taxes": 100}
    assert send(billed, record(3, amount=taxed)).status == 201

    [total] = billed("consumptions_get").json["totals"]
    runs.run(until="2026-12-01")

    assert total["amount"] == {
        "value_with_taxes": 321,
        "value_without_taxes": 300,
        "currency": "EUR",
    }
    assert sorted(_taxes(each) for each in _issued(billed)) == [
        [("IVA 21", "S", 20000)],
        [("NONE 0", "AE", 20000)],
    ]


@pytest.mark.parametrize(
    ("tax", "field"),
    [
        pytest.param({"type": "IGIC", "percentage": 7}, "lines.0.tax.type", id="not there"),
        pytest.param(
            {"type": "NONE", "percentage": 0, "category": "AE"}, "lines.1.tax.category",
            id="nobody to charge",
        ),
        pytest.param(
            {"type": "NONE", "percentage": 0, "category": "O"}, "lines.1.tax", id="not alone"
        ),
    ],
)  # fmt: skip
def test_an_invoice_with_a_tax_that_cannot_be_right_is_refused(
    billed: Invoker, tax: dict[str, Any], field: str
) -> None:
    _put(billed, {"tax_id": None})
    lines = [LINE, {**LINE, "tax": tax}]
    if field.startswith("lines.0"):
        lines.reverse()

    answer = billed("invoices_create", {"lines": lines})

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == [field]


@pytest.mark.parametrize(
    ("tax", "fields"),
    [
        ({"type": "NONE", "percentage": 0, "category": "Z"}, ["amount.tax.category"]),
        ({"type": "NONE", "percentage": 0, "category": "S"}, ["amount.tax.category"]),
        ({"type": "IVA", "percentage": 21, "category": "E"}, ["amount.tax.category"]),
        ({"type": "IVA", "percentage": 21, "category": "Z"}, ["amount.tax.category"]),
        (
            {"type": "IVA", "percentage": 21, "exemption_reason": "because"},
            ["amount.tax.exemption_reason"],
        ),
        (
            {"type": "NONE", "percentage": 0, "exemption_reason": "VATEX-EU-G"},
            ["amount.tax.exemption_reason"],
        ),
        (
            {
                "type": "NONE", "percentage": 0, "category": "O",
                "exemption_reason": "VATEX-EU-132-1I",
            },
            ["amount.tax.exemption_reason"],
        ),
    ],
)  # fmt: skip
def test_categories_and_reasons_fit_each_other(
    billed: Invoker, tax: dict[str, Any], fields: list[str]
) -> None:
    answer = billed("movements_create", {"amount": {**UNTAXED, "tax": tax}})

    assert answer.status == 400
    assert [detail["field"] for detail in answer.json["details"]] == fields


def test_the_zero_rate_is_a_tax_that_can_be_named(billed: Invoker) -> None:
    zero = {"type": "IVA", "percentage": 0, "category": "Z"}
    movement_id = charge(billed, amount={**UNTAXED, "tax": zero})

    assert billed("movements_get", movementId=movement_id).json["amount"]["tax"] == zero


def test_a_refund_is_of_the_same_treatment(billed: Invoker) -> None:
    exempt = {"type": "NONE", "percentage": 0, "exemption_reason": "VATEX-EU-132-1I"}
    movement_id = charge(billed, amount={**UNTAXED, "tax": exempt})
    ten = {"value_with_taxes": 10, "value_without_taxes": 10}
    whole = {"external_refund_unique_id": "whole", "period_start_datetime": None}
    whole |= {"period_end_datetime": None}

    other = billed(
        "refunds_create",
        {**whole, "amount": {**ten, "tax": {**exempt, "category": "O", "exemption_reason": None}}},
        movementId=movement_id,
    )
    refund_id = give_back(billed, movement_id, amount={**ten, "tax": {**exempt, "category": "E"}})

    assert other.status == 400
    assert [detail["field"] for detail in other.json["details"]] == ["amount.tax.category"]
    refund = billed("refunds_get", movementId=movement_id, refundId=refund_id).json
    assert refund["amount"]["tax"] == {**exempt, "category": "E"}


def test_where_no_rate_is_known_the_org_can_set_its_own(billed: Invoker) -> None:
    _put(billed, AMERICAN)
    seller = {
        "tax_id": "12-3456789",
        "address": AMERICAN["address"],
    }
    other = Invoker(f"{billed.org_id[:60]}-u")
    assert other("billing_info_put_org", seller).status == 204
    assert other("billing_info_put_account", AMERICAN).status == 204

    refused = other("invoices_create", {"lines": [LINE]})
    rate = {"tax": {"type": "VAT", "percentage": 8.25}, "valid_from": "2026-01-01"}
    assert other("location_tax_put_country", rate, country="US").status == 204
    issued = other("invoices_create", {"lines": [LINE]})

    assert refused.status == 400
    [detail] = refused.json["details"]
    assert detail["field"] == "lines.0.tax"
    assert "/tax-rates/US" in detail["message"]
    assert issued.status == 201
    [invoice] = _issued(other)
    assert _taxes(invoice) == [("VAT 8.25", "S", 10000)]
