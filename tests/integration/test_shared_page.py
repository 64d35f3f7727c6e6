"""The page that a link opens: what it says, to whom, and what it gives away."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest

from billing import aws, clock
from billing.domain.share_links import new_secret
from tests.integration.conftest import Answer, Invoker
from tests.integration.faults import (
    Fault,
    Faulty,
    break_down,
    hang,
    lose_the_answer,
    reset,
    throttle,
)
from tests.integration.test_refund_races import at_once

LINE = {"description": "Line", "quantity": 1, "unit_price": 100}
TAX = {"tax": {"type": "IVA", "percentage": 21}}
PAGES = ("get", "get_pdf", "get_cii", "get_ubl")
MARKUP = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; {{7*7}} $x"

type Json = dict[str, Any]


class _Reader(HTMLParser):
    """Reads a page: its elements, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.replace("\N{NO-BREAK SPACE}", " "))

    @property
    def text(self) -> str:
        return "|".join(self.texts)


@pytest.fixture
def invoiced(billed: Invoker) -> Invoker:
    """Issue an invoice of 121 euros."""
    assert billed("invoices_create", {"lines": [{**LINE, **TAX}]}).json == {"id": "1"}
    return billed


def _share(invoke: Invoker, invoice_id: str = "1") -> str:
    answer = invoke("share_create", {"expires_at": None}, invoiceId=invoice_id)
    assert answer.status == 201, answer
    return str(answer.json["url"]).rpartition("/")[2]


def _open(invoke: Invoker, invoice_id: str = "1") -> Answer:
    return invoke("shared_page_get", token=_share(invoke, invoice_id))


def _read(invoke: Invoker, invoice_id: str = "1") -> str:
    answer = _open(invoke, invoice_id)
    assert answer.status == 200, answer
    return _Reader(answer.text).text


def _pay(invoke: Invoker, amount: float) -> None:
    body = {"amount": amount, "external_payment_unique_id": uuid4().hex}
    assert invoke("invoices_pay", body).status == 201


def _credit(invoke: Invoker, net: float) -> None:
    lines = [{"line": 1, "amount_without_taxes": net}]
    body = {"external_credit_note_unique_id": uuid4().hex, "lines": lines}
    assert invoke("invoices_credit", body).status == 201


# ---------------------------------------------------------------- what it says


def test_what_is_owed_is_what_is_owed_now(invoiced: Invoker) -> None:
    page = _read(invoiced)
    assert "Pendiente de pago|Total a pagar|121,00 €|Vencimiento" in page
    assert "IBAN|ES91 2100 0418 4502 0005 1332" in page

    _pay(invoiced, 21)
    _credit(invoiced, 41.32)  # 50 with tax

    page = _read(invoiced)
    assert "Pagada en parte|Total a pagar|50,00 €|Vencimiento" in page
    assert "Pagado|21,00 €|Abonado|50,00 €" in page
    assert "Importe|50,00 €|Referencia|" in page


def test_once_nothing_is_owed_it_asks_for_nothing(invoiced: Invoker) -> None:
    _pay(invoiced, 121)

    page = _open(invoiced)

    read = _Reader(page.text)
    assert "Pagada|Nada que pagar|0,00 €|" in read.text
    assert "IBAN" not in read.text
    assert "svg" not in dict(read.elements)


def test_what_was_paid_and_then_credited_is_in_favour_of_the_customer(invoiced: Invoker) -> None:
    _pay(invoiced, 121)
    _credit(invoiced, 50)

    assert "Importe a favor del cliente|60,50 €" in _read(invoiced)


def test_a_credit_note_asks_for_nothing(invoiced: Invoker) -> None:
    _credit(invoiced, 100)

    page = _read(invoiced, "2")

    assert "Factura rectificativa |R" in page
    assert "Emitida|Total abonado|121,00 €|" in page
    assert "Rectifica la factura|F" in page
    assert "IBAN" not in page
    assert "Abonada|Nada que pagar|0,00 €|" in _read(invoiced)


def test_an_overdue_invoice_says_so_by_the_clock_of_its_org(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = _share(invoiced)
    later = clock.now() + timedelta(days=40)
    monkeypatch.setattr(clock, "now", lambda: later)

    assert "Vencida|Total a pagar|121,00 €|" in _Reader(_open_secret(invoiced, secret)).text


def test_a_sandbox_lives_at_the_time_of_its_clock_and_its_links_do_not(
    aws: None, org_id: str
) -> None:
    invoke = Invoker(org_id, sandbox=True)
    assert invoke("billing_info_put_org").status == 204
    assert invoke("billing_info_put_account").status == 204
    assert invoke("invoices_create", {"lines": [{**LINE, **TAX}]}).status == 201
    secret = _share(invoke)
    assert "MUESTRA" in _open_secret(invoke, secret)
    assert "Pendiente de pago" in _open_secret(invoke, secret)

    in_years = (clock.now() + timedelta(days=1000)).isoformat()
    assert invoke("sandbox_clock_put", {"now": in_years}).status == 204

    assert "Vencida" in _open_secret(invoke, secret)


def _open_secret(invoke: Invoker, secret: str) -> str:
    answer = invoke("shared_page_get", token=secret)
    assert answer.status == 200, answer
    return answer.text


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "To be paid|Amount due|121,00 €|Due on"), ("es", "Pendiente de pago|Total a pagar")],
)
def test_it_is_in_the_language_of_the_account(billed: Invoker, language: str, words: str) -> None:
    assert billed("billing_info_put_account", {"language": language}).status == 204
    assert billed("invoices_create", {"lines": [{**LINE, **TAX}]}).status == 201
    secret = _share(billed)

    page = billed("shared_page_get", token=secret, headers={"accept-language": "fr, de"})

    assert f'<html lang="{language}">' in page.text
    assert words in _Reader(page.text).text


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_it_shows_the_logo_of_the_day_of_issue(billed: Invoker, kind: str) -> None:
    event = "billing_info_put_logo" + ("_png" if kind == "png" else "")
    assert billed(event).status == 204
    assert billed("invoices_create").status == 201
    assert billed("billing_info_delete_logo").status == 204

    [source] = [
        str(attributes["src"])
        for tag, attributes in _Reader(_open(billed).text).elements
        if tag == "img"
    ]

    assert source.startswith(f"data:image/{kind}")


# ---------------------------------------------------------------- its files


def test_the_pdf_is_behind_a_link_of_minutes_with_a_good_name(invoiced: Invoker) -> None:
    answer = invoiced("shared_page_get_pdf", token=_share(invoiced))

    assert answer.status == 307
    location = answer.headers["location"]
    assert "X-Amz-Expires=900" in location
    assert f"filename%3D%22F{clock.now().year}-000001.pdf%22" in location
    assert answer.headers["cache-control"] == "no-store"


def test_no_link_to_a_file_outlives_the_link_to_its_page(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = clock.now() + timedelta(hours=1)
    answer = invoiced("share_create", {"expires_at": ends.isoformat()})
    secret = answer.json["url"].rpartition("/")[2]
    monkeypatch.setattr(clock, "now", lambda: ends - timedelta(seconds=100.5))

    pdf = invoiced("shared_page_get_pdf", token=secret)

    assert "X-Amz-Expires=100&" in pdf.headers["location"]


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_the_e_invoice_is_the_one_of_the_api(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch, syntax: str
) -> None:
    secret = _share(invoiced)

    answer = invoiced(f"shared_page_get_{syntax}", token=secret)

    name = f"F{clock.now().year}-000001.{syntax}.xml"
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/xml"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.text == invoiced("invoices_e_invoice", query={"format": syntax}).text
    monkeypatch.setattr("billing.api.files.BODY_LIMIT", 1000)
    large = invoiced(f"shared_page_get_{syntax}", token=secret)
    assert (large.status, name in large.headers["location"]) == (307, True)


def test_every_link_on_it_leads_to_a_route(invoiced: Invoker) -> None:
    secret = _share(invoiced)
    page = _Reader(_open_secret(invoiced, secret))

    links = [str(each["href"]) for tag, each in page.elements if tag == "a"]

    assert [each for each in links if not each.startswith("mailto:")] == [
        f"{secret}/{file}" for file in ("pdf", "ubl.xml", "cii.xml")
    ]


# ---------------------------------------------------------------- attacks


@pytest.mark.parametrize("page", [*PAGES, "head"])
@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("", id="empty"),
        pytest.param("1", id="short"),
        pytest.param("A" * 42, id="one short"),
        pytest.param("A" * 44, id="one long"),
        pytest.param("A" * 42 + "!", id="another letter"),
        pytest.param("A" * 43 + "\n", id="a line feed"),
        pytest.param("A" * 8000, id="very long"),
        pytest.param("../" * 14 + "x", id="a path"),
        pytest.param("%2e" * 14 + "x", id="escaped"),
        pytest.param("é" * 43, id="not ASCII"),
        pytest.param("link#" + "0" * 64, id="a key"),
        pytest.param(new_secret(), id="unknown"),
        pytest.param(new_secret(), id="unknown, another"),
    ],
)
def test_who_guesses_learns_nothing(invoiced: Invoker, page: str, secret: str) -> None:
    unknown = invoiced("shared_page_get", token="B" * 43)

    answer = invoiced(f"shared_page_{page}", token=secret)

    assert (answer.status, answer.headers) == (404, unknown.headers)
    assert answer.text == ("" if page == "head" else unknown.text)
    assert "Esta página no existe" in unknown.text


def test_a_hash_that_is_known_opens_nothing(invoiced: Invoker) -> None:
    from billing.domain.share_links import hash_of

    secret = _share(invoiced)

    assert invoiced("shared_page_get", token=hash_of(secret)).status == 404
    assert invoiced("shared_page_get", token=secret.swapcase()).status == 404


def test_markup_in_any_field_stays_text(billed: Invoker) -> None:
    party = {"email": "x@example.com"}
    org = {"legal_name": f"Org {MARKUP}", **party}
    account = {"name": f"Name {MARKUP}", "company_name": f"Company {MARKUP}", **party}
    street = {"street": f"Street {MARKUP}", "postal_code": "28013", "city": f"City {MARKUP}"}
    address = {"address": {**street, "country": "ES"}}
    for event, fields in (("billing_info_put_org", org), ("billing_info_put_account", account)):
        assert billed(event, {**fields, **address}).status == 204
    body = {"description": f"Invoice {MARKUP}", "lines": [{**LINE, **TAX}]}
    assert billed("invoices_create", body).status == 201

    page = _open(billed)

    read = _Reader(page.text)
    assert {tag for tag, _ in read.elements} <= set(
        "html head meta title style body div header p main h1 h2 bdi strong dl dt dd section svg "
        "path figure figcaption a footer".split()
    )
    handlers = [name for _, each in read.elements for name in each if name.startswith("on")]
    assert handlers == []
    text = re.sub("[\u200b\u2068\u2069]", "", read.text)
    for name in ("Org", "Company", "Street", "City", "Invoice"):
        assert f"{name} {MARKUP}" in text


def test_a_page_is_kept_by_nobody_and_runs_nothing(invoiced: Invoker) -> None:
    secret = _share(invoiced)
    answers = [invoiced("shared_page_get", token=each) for each in (secret, new_secret())]

    for answer in answers:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script" not in policy
        assert "unsafe" not in policy
        assert "<script" not in answer.text
        assert "http" not in re.sub("noindex|http-equiv", "", answer.text)


def test_who_only_asks_whether_it_is_there_is_not_counted(invoiced: Invoker) -> None:
    secret = _share(invoiced)

    head = invoiced("shared_page_head", token=secret)

    assert (head.status, head.text) == (200, "")
    [link] = invoiced("share_list").json["links"]
    assert link["opened"] == 0


@pytest.mark.parametrize("page", [*PAGES, "head"])
def test_no_log_has_the_secret(
    invoiced: Invoker,
    logged: list[str],
    requests_logged: list[str],
    monkeypatch: pytest.MonkeyPatch,
    page: str,
) -> None:
    secret = _share(invoiced)

    assert invoiced(f"shared_page_{page}", token=secret).status in (200, 307)

    def fail(**_: Any) -> None:
        raise ValueError(f"something about {secret}")

    monkeypatch.setattr(aws.dynamodb(), "get_item", fail)
    failed = invoiced(f"shared_page_{page}", token=secret)
    assert (failed.status, secret in failed.text) == (500, False)

    lines = [*logged, *requests_logged]
    assert len(lines) > 3
    assert not [line for line in lines if secret in line]
    routes = {json.loads(line).get("route") for line in requests_logged}
    assert any("/p/{token}" in str(each) for each in routes)


def test_a_failure_of_ours_is_a_page_too(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.domain.errors import UpstreamBusyError

    secret = _share(invoiced)

    def fail(*_: Any) -> None:
        raise UpstreamBusyError

    monkeypatch.setattr("functions.shared_page.app.InvoiceRepository.get", fail)
    answer = invoiced("shared_page_get", token=secret)

    assert answer.status == 503
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Algo ha ido mal" in answer.text


@pytest.mark.faults
@pytest.mark.parametrize("fault", [reset, hang, lose_the_answer, break_down, throttle])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("times", [1, 1000], ids=["once", "for good"])
def test_whatever_fails_it_is_a_page_that_comes(
    invoiced: Invoker,
    dynamodb: Any,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    nth: int,
    times: int,
) -> None:
    """The third call counts the opening, on which nothing depends."""
    secret = _share(invoiced)
    monkeypatch.setattr("time.sleep", lambda _: None)

    with Faulty(dynamodb, nth, fault, times):
        answer = invoiced("shared_page_get", token=secret)

    is_shown = times == 1 or nth == 3
    assert answer.status == 200 if is_shown else answer.status in (502, 503, 504)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert ("Pendiente de pago" if is_shown else "Algo ha ido mal") in answer.text
    assert secret not in answer.text or is_shown


@pytest.mark.faults
def test_openings_at_once_are_all_counted(invoiced: Invoker) -> None:
    secret = _share(invoiced)

    opened = at_once([partial(invoiced, "shared_page_get", token=secret)] * 24)

    assert {each.status for each in opened} == {200}
    [link] = invoiced("share_list").json["links"]
    assert link["opened"] == 24


# ---------------------------------------------------------------- what it costs


def test_costs_no_more_calls_than_promised(
    invoiced: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    secret = _share(invoiced)
    invoiced("shared_page_get_pdf", token=secret)
    calls = {}
    for page in (*PAGES, "head"):
        aws_calls()
        invoiced(f"shared_page_{page}", token=secret)
        calls[page] = aws_calls()

    assert calls == {
        "get": ["GetItem", "BatchGetItem", "UpdateItem"],
        "get_pdf": ["GetItem", "BatchGetItem"],
        "get_cii": ["GetItem", "BatchGetItem"],
        "get_ubl": ["GetItem", "BatchGetItem"],
        "head": ["GetItem"],
    }
    assert invoiced("shared_page_get", token="x" * 42).status == 404
    assert aws_calls() == []
