"""From nothing to a paid invoice, over HTTP, on the deployed stack."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from billing.domain.invoices import InvoiceKey
from billing.persistence.invoices import InvoiceRepository
from tests.e2e.conftest import Client

type NewInvoice = Callable[..., dict[str, Any]]


def test_an_invoice_from_issue_to_payment(
    admin: Client, customer: Client, new_invoice: NewInvoice
) -> None:
    created = admin.post(f"{admin.account}/invoices", new_invoice())
    assert (created.status, created.json) == (201, {"id": "1"})

    listed = customer.get("/v3/account/invoice?filter=FIBRA%20600", ranged_data="start=0,results=5")
    assert listed.headers["ranged-data"] == "start=0,results=5,total=1"
    [invoice] = listed.json
    assert (invoice["amountIncVAT"], invoice["paymentStatus"]) == ("3691", 0)

    [details] = customer.get("/v3/account/invoice/1").json
    assert details["invoiceNumber"] == invoice["invoiceNumber"]
    by_number = customer.get(f"/v3/account/invoice/number/{invoice['invoiceNumber']}")
    assert by_number.json == [details]

    [in_v2] = admin.get(f"/v2/orgs/{admin.org_id}/accounts/100001/invoices").json["invoices"]
    assert (in_v2["value"], in_v2["number"]) == (36.91, invoice["invoiceNumber"])

    pdf = customer.get("/v3/account/invoice/1/pdf")
    assert pdf.content.startswith(b"%PDF-")
    link = customer.get(f"{admin.account}/invoices/1/public_link").json["url"]
    anonymous = Client("", None, "", "")
    opened = anonymous.get(link)
    assert (opened.status, opened.content) == (200, pdf.content)
    assert opened.headers["content-type"] == "application/pdf"
    assert opened.headers["content-disposition"] == pdf.headers["content-disposition"]

    paid = admin.post(
        f"{admin.account}/invoices/1/payments",
        {
            "amount": 36.91,
            "paid_datetime": "2026-11-21T12:00:00Z",
            "external_payment_unique_id": "bank-1",
        },
    )
    assert paid.status == 201
    assert customer.get("/v3/account/invoice/unpaid").json == []
    assert customer.get("/v3/account/invoice").json[0]["paymentStatus"] == 1


def test_the_pdf_is_made_without_anybody_asking(admin: Client, new_invoice: NewInvoice) -> None:
    admin.post(f"{admin.account}/invoices", new_invoice())
    invoices, key = InvoiceRepository(), InvoiceKey(admin.org_id, admin.account_id, 1)

    give_up = time.monotonic() + 30
    while invoices.find_pdf(key) is None and time.monotonic() < give_up:
        time.sleep(0.2)

    assert invoices.find_pdf(key) is not None


def test_a_thousand_lines_are_rendered_in_time(
    admin: Client, customer: Client, new_invoice: NewInvoice
) -> None:
    lines = [
        {"description": f"Llamada {number}", "quantity": 1.5, "unit_price": 0.0123}
        for number in range(1000)
    ]
    assert admin.post(f"{admin.account}/invoices", new_invoice(lines=lines)).status == 201

    pdf = customer.get("/v3/account/invoice/1/pdf")

    assert (pdf.status, len(customer.get("/v3/account/invoice/1").json[0]["items"])) == (200, 1000)


def test_a_link_opens_its_own_pdf_only(admin: Client, new_invoice: NewInvoice) -> None:
    for _ in range(2):
        admin.post(f"{admin.account}/invoices", new_invoice())
    first, second = (
        admin.get(f"{admin.account}/invoices/{ordinal}/public_link").json["url"]
        for ordinal in (1, 2)
    )
    anonymous = Client("", None, "", "")

    tampered = [
        first[:-1] + ("0" if first[-1] != "0" else "1"),
        first.replace("X-Amz-Expires=900", "X-Amz-Expires=90000"),
        second.split("?")[0] + "?" + first.split("?")[1],
        first.split("?")[0],
        first.replace(".pdf?", ".pdf.exe?"),
    ]

    assert {anonymous.get(link).status for link in (first, second)} == {200}
    assert {anonymous.get(link).status for link in tampered} == {403}


def test_a_hundred_at_once_are_numbered_1_to_100(
    admin: Client, customer: Client, new_invoice: NewInvoice
) -> None:
    def issue_as_clients_do(body: dict[str, Any]) -> list[int]:
        """Send the same request again while the answer is 503, as it says."""
        statuses = [admin.post(f"{admin.account}/invoices", body).status]
        while statuses[-1] == 503 and len(statuses) < 10:
            statuses.append(admin.post(f"{admin.account}/invoices", body).status)
        return statuses

    with ThreadPoolExecutor(100) as pool:
        statuses = list(pool.map(issue_as_clients_do, [new_invoice() for _ in range(100)]))

    assert {each[-1] for each in statuses} == {201}, statuses
    page = customer.get("/v3/account/invoice", ranged_data="start=0,results=100")
    numbers = sorted(int(invoice["invoiceNumber"].split("-")[1]) for invoice in page.json)
    assert numbers == list(range(1, 101))
    assert sorted(int(invoice["id"]) for invoice in page.json) == numbers
