"""A page to share, as the customer's browser opens it: without a token, by its address alone."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.e2e.conftest import Client


def test_a_customer_opens_the_page_and_takes_its_files(
    admin: Client, new_invoice: Callable[..., dict[str, Any]]
) -> None:
    issued = admin.post(f"{admin.account}/invoices", new_invoice())
    links = f"{admin.account}/invoices/{issued.json['id']}/links"
    made = admin.post(links, {})
    assert made.status == 201, made
    url = made.json["url"]
    customer = Client(admin.base_url, None, admin.org_id, admin.account_id)

    page = customer.get(url)

    assert page.status == 200, page
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert "Pendiente de pago" in page.content.decode()
    files = re.findall(r'href="([\w-]{43}/[\w.]+)"', page.content.decode())
    pdf, ubl, cii = (customer.get(f"{url.rpartition('/')[0]}/{each}") for each in files)
    assert (pdf.status, pdf.content[:5]) == (200, b"%PDF-")
    name = pdf.headers["content-disposition"]
    assert re.fullmatch(r'attachment; filename="F\d{4}-\d{6}.pdf"', name)
    assert (ubl.status, b"<Invoice" in ubl.content) == (200, True)
    assert (cii.status, b"CrossIndustryInvoice" in cii.content) == (200, True)
    head = customer.send("HEAD", url)
    assert (head.status, head.content) == (200, b"")
    assert [each["opened"] for each in admin.get(links).json["links"]] == [1]

    assert admin.send("DELETE", f"{links}/{made.json['id']}").status == 204
    gone = customer.get(url)
    assert (gone.status, "Este enlace se ha retirado" in gone.content.decode()) == (410, True)


def test_without_an_address_there_is_nothing(admin: Client) -> None:
    nobody = Client(admin.base_url, None, admin.org_id, admin.account_id)
    wrong = f"/p/{uuid4().hex}{uuid4().hex[:11]}"

    pages = [nobody.get(f"{wrong}{file}") for file in ("", "/pdf", "/ubl.xml", "/cii.xml")]

    assert [each.status for each in pages] == [404] * 4
    assert len({each.content for each in pages}) == 1
    assert nobody.send("HEAD", wrong).status == 404
    for method in ("POST", "PUT", "DELETE"):
        assert nobody.send(method, wrong).status == 401
        assert admin.send(method, wrong).status == 404
    assert nobody.get(f"{wrong}/elsewhere").status == 401
