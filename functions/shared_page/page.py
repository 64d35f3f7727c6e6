"""The page itself: HTML without a script, and one style that its own policy allows."""

import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import get_args
from xml.etree.ElementTree import Element

from babel import Locale

from billing.domain.errors import (
    BillingError,
    DocumentNotReadyError,
    ErasedError,
    LinkExpiredError,
    LinkRevokedError,
    NotFoundError,
)
from billing.domain.invoices import InvoiceKind, InvoiceStatus, InvoiceSummary, IssuedInvoice
from billing.domain.money import Money
from billing.domain.parties import Language, Org
from billing.domain.texts import language_of, texts
from billing.presentation import formats
from billing.presentation.accent import DEFAULT_ACCENT, readable
from billing.presentation.epc_qr import compact, epc_shape, grouped
from billing.presentation.html import document, element

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_LONG = 13
"""Characters of an amount that stand on one line of a phone in the largest letters."""
_FAILURES: dict[type[BillingError], tuple[str, str]] = {
    LinkExpiredError: ("link_expired", "ask_for_link"),
    LinkRevokedError: ("link_revoked", "ask_for_link"),
    ErasedError: ("erased", "why_erased"),
    NotFoundError: ("no_such_page", "check_address"),
    DocumentNotReadyError: ("not_ready", "in_seconds"),
    BillingError: ("failed", "in_minutes"),
}
"""The heading and the advice for each error."""


def headers_of(page: str) -> dict[str, str]:
    """Return the headers of a page: it may show itself, and nobody may index it."""
    hashes = " ".join(f"'sha256-{_hash(style)}'" for style in _STYLE.findall(page)) or "'none'"
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": f"default-src 'none'; style-src {hashes}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
    }


def language_in(accept_language: str) -> Language:
    """Return the first language in `Accept-Language` that texts are in; English without any."""
    named = re.findall(r"(?:^|,)\s*([a-z]{2})\b", accept_language.lower())
    known: tuple[Language, ...] = get_args(Language)
    return next((each for name in named for each in known if each == name), "en")


def page_of(
    invoice: IssuedInvoice,
    summary: InvoiceSummary,
    logo: bytes | None,
    secret: str,
    now: datetime,
) -> str:
    """
    Return the page of a document at an instant; `secret` ends its own address.

    As on the PDF, a credit note states what it credits in positive amounts.
    """
    seller, words = invoice.seller, texts(language_of(invoice.buyer))
    locale = formats.locale_of(invoice.buyer)
    kind = words["credit_note" if summary.is_credit else "invoice"]
    return _html(
        language_of(invoice.buyer),
        f"{kind} {invoice.number} · {seller.legal_name}",
        seller.accent or DEFAULT_ACCENT,
        element(
            "header",
            _logo(seller, logo, words),
            element("p", element("bdi", seller.legal_name), class_="seller"),
            element("p", words["sample"], class_="sample") if seller.sandbox else None,
        ),
        element(
            "main",
            element("h1", f"{kind} ", element("bdi", invoice.number)),
            *_owed(invoice, summary, words, locale, now),
            _facts(_about(invoice, summary, words, locale)),
            _payment(invoice, summary, words, locale),
            _files(secret, words),
        ),
        _footer(seller, words),
    )


def page_of_failure(error: BillingError, language: Language) -> str:
    """Return the page that says why there is nothing to show, and what to do."""
    words = texts(language)
    heading, advice = next(_FAILURES[kind] for kind in type(error).__mro__ if kind in _FAILURES)
    said = element("main", element("h1", words[heading]), element("p", words[advice]))
    return _html(language, words[heading], DEFAULT_ACCENT, said)


def _html(language: Language, title: str, accent: str, *parts: Element | None) -> str:
    return document(
        element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="robots", content="noindex, nofollow"),
                element("meta", name="color-scheme", content="light dark"),
                element("title", title),
                element("style", f":root{{--accent:{readable(accent)}}}\n{_style()}"),
            ),
            element("body", element("div", *parts, class_="page")),
            lang=language,
        )
    )


def _logo(seller: Org, logo: bytes | None, words: dict[str, str]) -> Element | None:
    if seller.logo is None or logo is None:
        return None
    source = f"data:{seller.logo.type};base64,{b64encode(logo).decode()}"
    name = f"{words['logo']} {seller.legal_name}"
    return element("img", src=source, alt=name, class_="logo")


def _owed(
    invoice: IssuedInvoice,
    summary: InvoiceSummary,
    words: dict[str, str],
    locale: Locale,
    now: datetime,
) -> Iterable[Element]:
    """Return what a customer wants to know first: what has become of it, how much, until when."""
    status = summary.status(now)
    remaining = summary.remaining
    is_settled = status in (InvoiceStatus.PAID, InvoiceStatus.CREDITED)
    name = "issued" if summary.is_credit else status.value
    yield element("p", words[f"is_{name}"], class_=f"status {name}")
    if summary.is_credit:
        label, amount = words["amount_credited"], _amount(-summary.gross, locale)
    elif is_settled:
        label, amount = words["nothing_due"], _amount(remaining, locale)
    else:
        label, amount = words["amount_due"], _amount(remaining, locale)
    yield element("p", label, class_="label")
    yield element("p", amount, class_="amount long" if len(amount) > _LONG else "amount")
    if not summary.is_credit and not is_settled:
        due = formats.day(invoice.due_date, locale)
        yield element("p", f"{words['due']} ", element("strong", due), class_="due")


def _about(
    invoice: IssuedInvoice, summary: InvoiceSummary, words: dict[str, str], locale: Locale
) -> Iterable[tuple[str, str]]:
    buyer, settlement = invoice.buyer, summary.settlement
    yield words["bill_to"], buyer.company_name or buyer.name
    yield words["description"], formats.heading(invoice.description, locale)
    yield words["issued"], formats.day(invoice.issue_date, locale)
    if invoice.corrects:
        yield words["original"], invoice.corrects.number
    if invoice.kind is InvoiceKind.INVOICE:
        yield words["total"], _amount(summary.gross, locale)
    if settlement.paid:
        yield words["paid"], _amount(settlement.paid, locale)
    if settlement.credited:
        yield words["credited"], _amount(settlement.credited, locale)
    if summary.credit.minor > 0 and not summary.is_credit:
        yield words["in_favour"], _amount(summary.credit, locale)


def _payment(
    invoice: IssuedInvoice, summary: InvoiceSummary, words: dict[str, str], locale: Locale
) -> Element | None:
    """Return how to pay what remains; None where nothing does, or the seller has no account."""
    seller, remaining = invoice.seller, summary.remaining
    iban = compact(seller.iban or "")
    if not iban or not remaining:
        return None
    facts = [
        (words["holder"], seller.legal_name),
        ("IBAN", grouped(iban)),
        *([("BIC", seller.bic)] if seller.bic else []),
        (words["amount"], _amount(remaining, locale)),
        (words["reference"], invoice.number),
    ]
    return element(
        "section",
        element("h2", words["pay"], id="pay"),
        element("p", words["pay_by"]),
        element(
            "div", _facts(facts), _qr(seller, remaining, invoice.number, words), class_="payment"
        ),
        aria_labelledby="pay",
    )


def _qr(seller: Org, amount: Money, reference: str, words: dict[str, str]) -> Element | None:
    drawn = epc_shape(seller, amount, reference)
    if drawn is None:
        return None
    box, path = drawn
    picture = element(
        "svg", element("path", d=path), viewBox=box, role="img", aria_label=words["qr"]
    )
    return element("figure", picture, element("figcaption", words["scan"]))


def _files(secret: str, words: dict[str, str]) -> Element:
    """Return the links to the files of a document, relative to its page."""
    return element(
        "section",
        element("h2", words["files"], id="files"),
        element(
            "p",
            element("a", words["pdf_file"], href=f"{secret}/pdf", class_="button"),
            element("a", f"{words['e_invoice_file']} UBL", href=f"{secret}/ubl.xml"),
            element("a", f"{words['e_invoice_file']} CII", href=f"{secret}/cii.xml"),
            class_="files",
        ),
        aria_labelledby="files",
    )


def _footer(seller: Org, words: dict[str, str]) -> Element:
    address = seller.address
    place = f"{address.street}, {address.postal_code} {address.city}"
    return element(
        "footer",
        element(
            "p",
            f"{words['questions']} ",
            element("a", seller.email, href=f"mailto:{seller.email}"),
        ),
        element(
            "p", element("bdi", seller.legal_name), f" · {seller.tax_id} · ", element("bdi", place)
        ),
    )


def _facts(facts: Iterable[tuple[str, str]]) -> Element:
    rows = (
        element("div", element("dt", name), element("dd", element("bdi", text)))
        for name, text in facts
    )
    return element("dl", *rows)


def _amount(money: Money, locale: Locale) -> str:
    return formats.with_currency(money, locale)


@cache
def _style() -> str:
    return (Path(__file__).parent / "page.css").read_text()


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
