"""
The mail that brings a document: text, HTML, and the PDF attached.

HTML is a tree and headers are written by the standard library's email package, so whatever comes
from data is never more than it says. The same mail gives the same bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from billing.domain.invoices import InvoiceKind, InvoiceSummary, IssuedInvoice
from billing.domain.mails import sendable
from billing.domain.money import Money
from billing.domain.parties import Account, Language, Org
from billing.domain.texts import language_of, text
from billing.presentation import formats
from billing.presentation.accent import DEFAULT_ACCENT, readable
from billing.presentation.epc_qr import compact, grouped
from billing.presentation.html import Child, document, element

_LIGHT = {"ground": "#f3f4f6", "card": "#ffffff", "text": "#1b1f24", "muted": "#57606a"}
_DARK = {"ground": "#15181c", "card": "#1f242a", "text": "#f0f2f5", "muted": "#aab2bd"}
_DARK_STYLE = " ".join(
    f".{name} {{ {'background' if name in ('ground', 'card') else 'color'}: {colour} !important; }}"
    for name, colour in _DARK.items()
)
_STYLE = (
    f":root {{ color-scheme: light dark; }} @media (prefers-color-scheme: dark) {{ {_DARK_STYLE} }}"
)
_FONTS = "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_TEXT = f"font-family: {_FONTS}; font-size: 16px; line-height: 1.5; color: {_LIGHT['text']};"
_SMALL = f"font-family: {_FONTS}; font-size: 14px; line-height: 1.5; color: {_LIGHT['muted']};"
_TABLE = "width: 100%; border-collapse: collapse;"
_ROW = "padding: 4px 16px 4px 0; vertical-align: top;"

_BOUNDARIES = ("=_mail", "=_words")
"""What neither quoted-printable nor base64 can write, so that no content ends its part."""


@dataclass(frozen=True, slots=True)
class InvoiceMail:
    """
    What a mail with a document says, the same in text and in HTML.

    Org and account are those of today; what they were when the document was issued is in it. `link`
    is the address of its page.
    """

    invoice: IssuedInvoice
    summary: InvoiceSummary
    org: Org
    account: Account
    link: str

    @property
    def language(self) -> Language:
        return language_of(self.account)

    @property
    def kind(self) -> str:
        return self.words("credit_note" if self._is_credit else "invoice")

    @property
    def subject(self) -> str:
        subject = self.words("mail_subject").format(
            document=self.kind, number=self.invoice.number, seller=self.org.legal_name
        )
        return f"{self.words('sample')}: {subject}" if self.org.sandbox else subject

    @property
    def file_name(self) -> str:
        return f"{self.kind} {self.invoice.number}.pdf"

    @property
    def amount(self) -> tuple[str, str]:
        """Return what is left to pay, else the amount of the document; and what it is called."""
        gross, owed = self.invoice.gross, self.summary.remaining
        if self._is_credit:
            return self.words("amount_credited"), self._money(-gross)
        if owed:
            return self.words("amount_due"), self._money(owed)
        return self.words("total"), self._money(gross)

    def sentences(self) -> Iterator[str]:
        """Return what it says in sentences, each a paragraph."""
        number = self.invoice.number
        yield self.words("mail_greeting").format(name=self.account.name)
        yield self.words("mail_credit_note" if self._is_credit else "mail_invoice").format(
            number=number, day=self._day(self.invoice.issue_date)
        )
        if owed := self.summary.remaining:
            yield self.words("mail_please_pay").format(
                amount=self._money(owed), day=self._day(self.invoice.due_date), number=number
            )
        elif not self._is_credit:
            yield self.words("mail_nothing_to_pay")
        if self.org.sandbox:
            yield self.words("mail_sample")

    def rows(self) -> Iterator[tuple[str, str]]:
        """Return what it says in a table, each with its name."""
        if corrects := self.invoice.corrects:
            yield self.words("original"), corrects.number
        if not self.summary.remaining:
            return
        yield self.words("due"), self._day(self.invoice.due_date)
        if self.org.iban:
            yield self.words("holder"), self.org.legal_name
            # On a phone it may need two lines: it breaks between groups, and never within one.
            yield "IBAN", grouped(compact(self.org.iban)).replace("\N{NO-BREAK SPACE}", " ")
            if self.org.bic:
                yield "BIC", self.org.bic
        yield self.words("reference"), self.invoice.number

    def seller(self) -> Iterator[str]:
        """Return who sends it, and how to reach them."""
        yield self.org.legal_name
        yield from (each for each in (self.org.phone, self.org.email, self.org.url) if each)

    def words(self, name: str) -> str:
        return text(name, self.language)

    @property
    def _is_credit(self) -> bool:
        return self.invoice.kind is InvoiceKind.CREDIT_NOTE

    def _money(self, money: Money) -> str:
        return formats.with_currency(money, formats.locale_of(self.account))

    def _day(self, day: date) -> str:
        return formats.day(day, formats.locale_of(self.account))


def write_mail(mail: InvoiceMail, sender: str, recipient: str, pdf: bytes) -> bytes:
    """Write a mail as RFC 5322 has it; answers go to the org itself."""
    message = EmailMessage(SMTP)
    message["From"] = _address(mail.org.legal_name, sender)
    message["To"] = _address(mail.account.name, recipient)
    if answers := sendable(mail.org.email):
        message["Reply-To"] = _address(mail.org.legal_name, answers)
    message["Subject"] = _header(mail.subject)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(to_text(mail), cte="quoted-printable")
    message.add_alternative(to_html(mail), subtype="html", cte="quoted-printable")
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename=mail.file_name)
    message["Content-Language"] = mail.language  # here, as parts take over what is of content
    for part, boundary in zip(message.walk(), _BOUNDARIES, strict=False):
        part.set_boundary(boundary)
    return message.as_bytes()


def to_text(mail: InvoiceMail) -> str:
    """Write what a mail says as plain text."""
    rows = "\n".join(f"{name}: {value}" for name, value in [mail.amount, *mail.rows()])
    link = f"{mail.words('mail_link')}: {mail.link}"
    signature = "-- \n" + "\n".join(mail.seller())
    parts = [*mail.sentences(), rows, link, mail.words("mail_questions"), signature]
    return "\n\n".join(parts).replace("\N{NO-BREAK SPACE}", " ") + "\n"


def to_html(mail: InvoiceMail) -> str:
    """
    Write what a mail says as HTML, for light and for dark clients.

    Clients drop scripts, what is modern and often style sheets: colours stand in each element, for
    light ones, and in a style sheet for dark ones, which keep it.
    """
    name, amount = mail.amount
    accent = readable(mail.org.accent or DEFAULT_ACCENT)
    button = (
        f"{_TEXT} color: #ffffff; background: {accent}; padding: 10px 18px; border-radius: 4px; "
        "display: inline-block; text-decoration: none; font-weight: 600;"
    )
    card = [
        element(
            "h1",
            f"{mail.kind} {mail.invoice.number}",
            class_="text",
            style=f"margin: 0 0 16px; {_TEXT} font-size: 22px; line-height: 1.25;",
        ),
        *(_paragraph(each, f"margin: 0 0 12px; {_TEXT}") for each in mail.sentences()),
        _paragraph(name, f"margin: 20px 0 0; {_SMALL}", "muted"),
        _paragraph(
            amount,
            f"margin: 0 0 12px; {_TEXT} font-size: 28px; line-height: 1.25; font-weight: 600;",
        ),
        element(
            "table",
            *(_row(*each) for each in mail.rows()),
            role="presentation",
            style="border-collapse: collapse;",
        ),
        element(
            "p",
            element("a", mail.words("mail_link"), href=mail.link, style=button),
            style="margin: 20px 0;",
        ),
        _paragraph(mail.words("mail_questions"), f"margin: 0; {_TEXT}"),
        element(
            "p",
            *_lines(mail.seller()),
            class_="muted",
            style=f"margin: 20px 0 0; overflow-wrap: anywhere; {_SMALL}",
        ),
    ]
    return document(
        element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element("meta", name="viewport", content="width=device-width"),
                element("meta", name="color-scheme", content="light dark"),
                element("meta", name="supported-color-schemes", content="light dark"),
                element("title", mail.subject),
                element("style", _STYLE),
            ),
            element(
                "body",
                _table(
                    element("tr", element("td", _card(accent, card), style="padding: 24px 12px;")),
                    class_="ground",
                    style=f"{_TABLE} background: {_LIGHT['ground']};",
                ),
                class_="ground",
                style=f"margin: 0; background: {_LIGHT['ground']};",
            ),
            lang=mail.language,
        )
    )


def _card(accent: str, content: list[Child]) -> Child:
    return _table(
        element("tr", element("td", style=f"height: 6px; background: {accent};")),
        element("tr", element("td", *content, style="padding: 28px;")),
        class_="card",
        style=f"{_TABLE} max-width: 560px; margin: 0 auto; background: {_LIGHT['card']};",
    )


def _table(*rows: Child, **attributes: str) -> Child:
    return element("table", *rows, role="presentation", **attributes)


def _paragraph(words: str, style: str, class_: str = "text") -> Child:
    return element("p", words, class_=class_, style=f"overflow-wrap: anywhere; {style}")


def _row(name: str, value: str) -> Child:
    return element(
        "tr",
        element("td", name, class_="muted", style=f"{_ROW} {_SMALL}"),
        element(
            "td",
            value,
            class_="text",
            style=f"{_ROW} overflow-wrap: anywhere; {_TEXT} font-size: 14px;",
        ),
    )


def _lines(texts: Iterator[str]) -> Iterator[Child]:
    for number, each in enumerate(texts):
        if number:
            yield element("br")
        yield each


def _address(name: str, address: str) -> Address:
    return Address(display_name=_header(name), addr_spec=address)


def _header(text: str) -> str:
    """Return a text for a header; what looks like an encoded word (RFC 2047) is taken for none."""
    return text.replace("=?", "=\N{WORD JOINER}?")
