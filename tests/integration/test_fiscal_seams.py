"""Where fiscal records meet what goes on: mails and links that wait, audits that are under way."""

from collections.abc import Callable
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from pypdf import PdfReader

from billing.domain.invoices import InvoiceKey
from billing.persistence.chains import ChainRepository
from billing.services.audit import audit_stretch, stretches
from functions.documents.pdf.render import render
from tests.integration.billing import audited, have_lanes
from tests.integration.conftest import Invoker
from tests.integration.post import Post, post  # noqa: F401 - a fixture
from tests.integration.test_fiscal_records import put_org, refuse, switch_on


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
