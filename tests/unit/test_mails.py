"""What a mail says, and to whom; nothing in data can be more than it says."""

from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from html.parser import HTMLParser
from typing import get_args

import pytest

from billing.domain.invoices import InvoiceSummary, IssuedInvoice
from billing.domain.mails import sendable
from billing.domain.money import Money
from billing.domain.parties import Language
from billing.presentation import formats
from billing.presentation.invoice_mail import InvoiceMail, to_html, to_text, write_mail
from tests import sample_invoices

PDF = b"%PDF-1.7"
LINK = "https://billing.example/p/secret?a=1&b=2"
HOSTILE = (
    "<script>alert(1)</script>",
    "<b>bold</b> & \"quotes\" 'too'",
    "Evil, Inc. <evil@example.com>",
    "=?utf-8?q?encoded?=",
    "{number} %s ${x}",
    "Ñandú & Söhne, S.A. de C.V.",
    "株式会社サンプル",
    "שלום בע״מ",
    "x" * 200,
    "Compañía Española de Telecomunicaciones y Servicios Avanzados, " * 3 + "S.A.",
)


def mail_of(invoice: IssuedInvoice | None = None, **account: object) -> InvoiceMail:
    invoice = invoice or sample_invoices.ONE_LINE
    buyer = replace(invoice.buyer, **account)  # type: ignore[arg-type]
    return InvoiceMail(invoice, InvoiceSummary.of(invoice, "00"), invoice.seller, buyer, LINK)


def written(mail: InvoiceMail) -> EmailMessage:
    raw = write_mail(mail, "facturas@example.com", "ana@example.com", PDF)
    return message_from_bytes(raw, policy=default)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stands_in_headers_and_in_html_as_it_is(name: str) -> None:
    mail = mail_of(name=name)
    mail = replace(mail, org=replace(mail.org, legal_name=name))

    message = written(mail)
    html = to_html(mail)

    for header, address in (("From", "facturas@example.com"), ("To", "ana@example.com")):
        [only] = message[header].addresses
        assert only.addr_spec == address
        assert _decoded(mail, header) in (f"{name} <{address}>", f'"{_quoted(name)}" <{address}>')
    assert name in _decoded(mail, "Subject")
    assert message.get_all("Bcc") is None
    assert {"From", "To", "Subject", "MIME-Version"} <= set(message.keys())
    assert _Tags.of(html) == _Tags.of(to_html(mail_of()))
    assert name in "".join(_Tags.of(html).words)
    assert name in to_text(mail)


def test_every_line_is_ascii_and_short_enough() -> None:
    for name in HOSTILE:
        raw = write_mail(mail_of(name=name), "facturas@example.com", "ana@example.com", PDF)

        assert raw.isascii()
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert b"\n" not in raw.replace(b"\r\n", b"")


def test_text_html_and_the_pdf_are_there_and_the_same_bytes_each_time() -> None:
    mail = mail_of()
    message = written(mail)

    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert text.get_content().replace("\r\n", "\n") == to_text(mail)
    assert html
    assert html.get_content().replace("\r\n", "\n").rstrip() == to_html(mail)
    [attached] = message.iter_attachments()
    assert attached.get_content() == PDF
    assert message["Auto-Submitted"] == "auto-generated"
    again = write_mail(mail, "facturas@example.com", "ana@example.com", PDF)
    assert again == write_mail(mail, "facturas@example.com", "ana@example.com", PDF)


@pytest.mark.parametrize("language", get_args(Language))
def test_it_is_in_the_language_of_the_account(language: Language) -> None:
    mail = mail_of(language=language)
    number = mail.invoice.number

    message = written(mail)

    name = {"es": "Factura", "en": "Invoice"}[language]
    [attached] = message.iter_attachments()
    assert attached.get_filename() == f"{name} {number}.pdf"
    assert message["Content-Language"] == language
    assert f'<html lang="{language}">' in to_html(mail)
    hello = {"es": "Hola, ", "en": "Hello "}[language]
    assert to_text(mail).startswith(hello)
    assert "{" not in to_text(mail)


def test_it_says_what_to_pay_and_how() -> None:
    mail = mail_of(language="en")
    total = _amount(mail, mail.invoice.gross)
    due = formats.day(mail.invoice.due_date, formats.locale_of(mail.account))

    text = to_text(mail)

    assert f"Please pay {total} by {due}, quoting {mail.invoice.number}." in text
    assert f"Amount due: {total}\n" in text
    assert f"Account holder: {mail.org.legal_name}\n" in text
    assert "IBAN: ES91 2100 0418 4502 0005 1332\n" in text
    assert f"Open it online: {LINK}\n" in text
    assert f'href="{LINK.replace("&", "&amp;")}"' in to_html(mail)
    assert ">ES91 2100 0418 4502 0005 1332</td>" in to_html(mail), "it breaks between its groups"


def test_what_is_paid_in_part_asks_for_the_rest_and_what_is_paid_for_nothing() -> None:
    mail = mail_of(language="en")
    gross = mail.invoice.gross
    paid = replace(mail.summary.settlement, paid=gross - Money(100, gross.currency))

    part = replace(mail, summary=replace(mail.summary, settlement=paid))
    whole = replace(mail, summary=replace(mail.summary, settlement=replace(paid, paid=gross)))

    assert f"Please pay {_amount(mail, Money(100, gross.currency))} " in to_text(part)
    assert "There is nothing left to pay." in to_text(whole)
    assert "Please pay" not in to_text(whole)
    assert "IBAN" not in to_text(whole)


def test_a_credit_note_asks_for_nothing_and_names_what_it_corrects() -> None:
    note = sample_invoices.credited(sample_invoices.ONE_LINE)
    mail = mail_of(note, language="es")

    message, text = written(mail), to_text(mail)

    assert str(message["Subject"]).startswith(f"Factura rectificativa {note.number}")
    assert note.corrects
    assert f"Rectifica la factura: {note.corrects.number}" in text
    assert f"Total abonado: {_amount(mail, -note.gross)}" in text
    assert "pague" not in text
    assert "IBAN" not in text


def test_a_sandbox_says_that_it_is_a_sample() -> None:
    mail = mail_of(language="en")
    mail = replace(mail, org=replace(mail.org, sandbox=True))

    assert mail.subject.startswith("SAMPLE: Invoice")
    assert "This is a sample" in to_text(mail)


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("ana@example.com", "ana@example.com"),
        ("o'neil+tag@example.co.uk", "o'neil+tag@example.co.uk"),
        ("ana@peña.example", "ana@xn--pea-8ma.example"),
        ("josé@example.com", None),
        ("a..b@example.com", None),
        ("a,b@example.com", None),
        ('"a b"@example.com', None),
        ("<a>@example.com", None),
        ("a@example", None),
        ("a@" + "b" * 64 + ".example", None),
        ("a@exa mple.com", None),
        ("a@b@example.com", None),
        ("", None),
    ],
)
def test_an_address_is_one_that_mails_can_go_to(address: str, ours: str | None) -> None:
    assert sendable(address) == ours


def _decoded(mail: InvoiceMail, header: str) -> str:
    """
    Decode a header as RFC 2047 has it.

    Between the encoded words of a name, Python's own parser leaves spaces that are none.
    """
    raw = write_mail(mail, "facturas@example.com", "ana@example.com", PDF)
    value = message_from_bytes(raw, policy=compat32)[header].replace("\r\n", "")
    return str(make_header(decode_header(value))).replace("\N{WORD JOINER}", "").strip()


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _amount(mail: InvoiceMail, money: Money) -> str:
    """Write an amount as plain text has it."""
    return formats.with_currency(money, formats.locale_of(mail.account)).replace("\xa0", " ")


class _Tags(HTMLParser):
    """The tags of a page, and the words between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    @classmethod
    def of(cls, html: str) -> "_Tags":
        parsed = cls()
        parsed.feed(html)
        return parsed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Tags) and self.tags == other.tags

    __hash__ = HTMLParser.__hash__

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag with its attributes."""
        self.tags.append(f"{tag} {attrs}")

    def handle_data(self, data: str) -> None:
        """Note words."""
        self.words.append(data)
