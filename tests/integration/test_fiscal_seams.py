"""Where fiscal records meet what goes on: mails and links that wait, audits that are under way."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from pypdf import PdfReader

from billing import clock
from billing.domain.invoices import InvoiceKey
from billing.domain.verifactu import IdType
from billing.persistence.chains import ChainRepository
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.services.audit import audit_stretch, stretches
from functions.documents.pdf.render import render
from tests.integration.billing import Runs, audited, charge, give_back, have_lanes, untaxed
from tests.integration.conftest import Invoker
from tests.integration.declared import records_of
from tests.integration.post import Post, post  # noqa: F401 - a fixture
from tests.integration.test_fiscal_records import put_org, refuse, switch_on, whole
from tests.integration.test_place_of_supply import GERMAN

SPANISH: dict[str, Any] = {
    "name": "Ana Pérez Ejemplo",
    "company_name": "Talleres Ejemplo S.L.",
    "tax_id": "B58378431",
    "country": "ES",
    "address": {
        "street": "Calle Mayor 2",
        "postal_code": "28001",
        "city": "Madrid",
        "country": "ES",
    },
    "state_id": None,
}


def test_mails_and_links_of_before_the_switch_are_as_they_were(
    post: Post,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("functions.documents.app.render", render)
    invoke = post.invoke
    assert put_org(invoke).status == 204
    made = post.issue("PDF made before")
    assert post.make_pdf(made) == []
    [waiting] = post.take()
    late = post.issue("PDF made after")
    links = [_share(invoke, each) for each in (made, late)]

    switch_on(invoke)
    declared = post.issue("declared")
    links.append(_share(invoke, declared))
    for each in (late, declared):
        assert post.make_pdf(each) == []
    assert post.deliver(waiting) == 0
    assert post.go() == 0

    attached = [part for mail in post.sent() for part in mail.iter_attachments()]
    has_code = {part.get_filename(): _has_code(part.get_content()) for part in attached}
    assert [has_code[name] for name in sorted(has_code, key=str)] == [False, False, True]
    assert [post.statuses(each) for each in (made, late, declared)] == [["sent"]] * 3
    assert [invoke("shared_page_get", token=each).status for each in links] == [200] * 3
    texts = [invoke("shared_page_get_ubl", token=each).text for each in links]
    assert ["ValidarQR" in each for each in texts] == [False, False, True]


def _share(invoke: Invoker, key: InvoiceKey) -> str:
    made = invoke("share_create", {"expires_at": None}, invoiceId=key.ordinal)
    assert made.status == 201, made
    return str(made.json["url"].rpartition("/")[2])


def _has_code(pdf: bytes) -> bool:
    return "QR tributario" in PdfReader(BytesIO(pdf)).pages[0].extract_text()


def _issue(invoke: Invoker) -> str:
    answer = invoke("invoices_create", {"external_invoice_unique_id": uuid4().hex})
    assert answer.status == 201, answer
    return str(answer.json["id"])


def _audited_while(invoke: Invoker, go_on: Callable[[int], Any]) -> None:
    """Audit an org of four documents, while something happens behind each of them."""
    chains = ChainRepository()
    [left] = stretches(invoke.org_id, chains)
    for step in range(4):
        one = next(audit_stretch(left, chains=chains))
        assert one.faults == []
        left = one.left
        go_on(step)

    assert [each.faults for each in audit_stretch(left, chains=chains)] == []
    audited(invoke.org_id)


def test_lanes_that_change_during_an_audit_are_no_fault(billed: Invoker) -> None:
    for _ in range(4):
        _issue(billed)

    def change_lanes(step: int) -> None:
        have_lanes(billed, (3, 2, 26, 1)[step])
        _issue(billed)

    _audited_while(billed, change_lanes)


def test_a_switch_and_corrections_during_an_audit_are_no_fault(billed: Invoker) -> None:
    assert put_org(billed).status == 204
    for _ in range(4):
        _issue(billed)

    def declare(step: int) -> None:
        if not step:
            switch_on(billed)
        invoice_id = _issue(billed)
        refuse(billed)
        if step % 2:
            body = {"external_fiscal_correction_unique_id": uuid4().hex}
            assert billed("verifactu_correct", body, invoiceId=invoice_id).status == 201

    _audited_while(billed, declare)


def test_what_is_corrected_during_an_audit_is_no_fault(billed: Invoker) -> None:
    switch_on(billed)
    invoices = [_issue(billed) for _ in range(4)]
    refuse(billed)

    def correct(step: int) -> None:
        body = {"external_fiscal_correction_unique_id": str(step)}
        assert billed("verifactu_correct", body, invoiceId=invoices[step]).status == 201

    _audited_while(billed, correct)


def _sell_to_america(invoke: Invoker, tax_id: str) -> None:
    address = {"street": "1 Main St", "postal_code": "10118", "city": "New York", "country": "US"}
    account = invoke("billing_info_get_account").json
    account |= {"address": address, "country": "US", "state_id": None, "tax_id": tax_id}
    answer = invoke("billing_info_put_account", json.dumps(account))
    assert answer.status == 204, answer


def test_what_named_a_tax_id_that_is_too_long_is_credited_once_the_profile_has_another(
    billed: Invoker, runs: Runs
) -> None:
    assert put_org(billed).status == 204
    _sell_to_america(billed, "1" * 26)
    movement_id = charge(billed, amount=untaxed(100_00))
    assert runs.run(until="2026-12-01")["failures"] == []
    give_back(billed, movement_id, amount=untaxed(10_00))
    switch_on(billed)

    [failure] = runs.run(until="2027-01-01")["failures"]
    _sell_to_america(billed, "12-3456789")
    run = runs.run(until="2027-01-01")
    note = billed("invoices_credit", invoiceId="1")

    assert failure["code"] == "TAX_ID_REQUIRED"
    assert "correct it in the profile of account 100001" in failure["message"]
    assert (run["invoices_issued"], run["failures"], note.status) == (1, [], 201)
    said = [kept.record.declaration for kept in whole(billed)]
    assert [(each.type, each.recipient and each.recipient.id) for each in said] == [
        ("R1", "123456789")
    ] * 2
    assert audited(billed.org_id) == 3


@pytest.mark.parametrize(
    ("charged", "moved", "treatment", "named"),
    [
        (GERMAN, SPANISH, "N2", (None, IdType.VAT_NUMBER, "DE136695976")),
        (SPANISH, GERMAN, "S2", ("B58378431", None, None)),
    ],
    ids=["to Spain", "from Spain"],
)
def test_a_reverse_charge_names_whom_it_was_for_wherever_the_buyer_has_moved_to(
    billed: Invoker,
    runs: Runs,
    charged: dict[str, Any],
    moved: dict[str, Any],
    treatment: str,
    named: tuple[str | None, IdType | None, str | None],
) -> None:
    switch_on(billed)
    assert billed("billing_info_put_account", charged).status == 204
    tax = {"type": "NONE", "percentage": 0, "category": "AE"}
    charge(billed, amount={**untaxed(100_00), "tax": tax})
    assert billed("billing_info_put_account", moved).status == 204

    assert runs.run(until="2026-12-01")["failures"] == []
    assert billed("invoices_credit", invoiceId="1").status == 201
    refuse(billed)
    body = {"external_fiscal_correction_unique_id": "passport", "buyer_id_type": "passport"}
    assert billed("verifactu_correct", body, invoiceId="1").status == 201

    invoice, note, corrected = (kept.record.declaration for kept in records_of(billed.org_id))
    for said in (invoice, note):
        assert [row.treatment for row in said.rows] == [treatment]
        assert said.recipient
        assert (said.recipient.tax_id, said.recipient.id_type, said.recipient.id) == named
    assert corrected.recipient
    assert corrected.recipient.country == charged["country"]


def test_what_was_sold_by_the_one_stop_shop_is_credited_there_once_the_org_has_left_it(
    billed: Invoker, runs: Runs
) -> None:
    assert put_org(billed, fiscal_regime="VERIFACTU", one_stop_shop=True).status == 204
    consumer = {**GERMAN, "company_name": None, "tax_id": None}
    assert billed("billing_info_put_account", consumer).status == 204
    amount = {"value_with_taxes": 119, "value_without_taxes": 100}
    movement_id = charge(billed, amount=amount)
    runs.run(until="2026-12-01")
    refund = {"value_with_taxes": 11.9, "value_without_taxes": 10}
    give_back(billed, movement_id, amount=refund)
    assert put_org(billed, fiscal_regime="VERIFACTU", one_stop_shop=False).status == 204

    runs.run(until="2027-01-01")
    assert billed("invoices_credit", invoiceId="1").status == 201

    rows = [row for kept in records_of(billed.org_id) for row in kept.record.declaration.rows]
    assert [(row.regime, row.treatment, str(row.base)) for row in rows] == [
        ("17", "N2", "119.00"),
        ("17", "N2", "-11.90"),
        ("17", "N2", "-107.10"),
    ]


def test_what_was_charged_at_a_rate_of_its_time_is_credited_as_of_that_time(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "billing.domain.vat.check_rate", lambda *_, **__: None
    )  # as version 1.0 did
    monkeypatch.setattr(clock, "now", lambda: datetime(2024, 9, 16, tzinfo=UTC))
    assert put_org(billed).status == 204
    account = billed("billing_info_get_account").json | {"billing_day": 10}
    assert billed("billing_info_put_account", json.dumps(account)).status == 204
    tax = {"type": "IVA", "percentage": 5}
    lines = [{"description": "Aceite", "quantity": 1, "unit_price": 100, "tax": tax}]
    assert billed("invoices_create", {"lines": lines}).status == 201
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 21, tzinfo=UTC))
    switch_on(billed)

    note = billed("invoices_credit", invoiceId="1")
    assert note.status == 201, note
    refuse(billed)
    corrected = billed("verifactu_correct", invoiceId=note.json["id"])

    assert corrected.status == 201, corrected
    records = FiscalRecordRepository().list_of(InvoiceKey(billed.org_id, "100001", 2))
    assert [each.record.declaration.operation_date for each in records] == [date(2024, 9, 16)] * 2
