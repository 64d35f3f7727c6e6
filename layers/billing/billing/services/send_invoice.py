"""Mail documents to their customers, and note what comes back."""

import random
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from billing import deadline
from billing.domain.errors import ContentionError, NotFoundError, UpstreamError
from billing.domain.invoices import InvoiceKey, StoredDocument
from billing.domain.mails import (
    FIRST,
    AddressState,
    Feedback,
    Mail,
    MailBusyError,
    Mailing,
    MailInvalidError,
    MailStatus,
    QuotaReachedError,
    is_mailed,
    recipient,
)
from billing.domain.parties import Account
from billing.domain.share_links import ShareLink, new_secret
from billing.domain.texts import language_of
from billing.services.share_invoice import page_path

LONGEST_WAIT = timedelta(minutes=10)
"""How long a mail waits at most that is over the quota of SES, before it is tried again."""


class Mails(Protocol):
    def get_mailing(self, key: InvoiceKey, mail_id: str) -> Mailing: ...

    def replace(self, mail: Mail) -> Mail: ...


class Returns(Protocol):
    def get_for_feedback(
        self, key: InvoiceKey, mail_id: str
    ) -> tuple[Mail, Account, AddressState]: ...

    def note(self, mail: Mail, state: AddressState | None) -> None: ...


class Links(Protocol):
    def add(self, link: ShareLink) -> None: ...

    def delete(self, link: ShareLink) -> None: ...


class Writer(Protocol):
    def __call__(
        self, mailing: Mailing, link: str, sender: str, recipient: str, pdf: bytes
    ) -> bytes: ...


class Store(Protocol):
    def get(self, document: StoredDocument) -> bytes: ...


class Mailer(Protocol):
    def send(self, mail: Mail, sender: str, recipient: str, message: bytes) -> None: ...


class Queue(Protocol):
    def send(self, key: InvoiceKey, mail_id: str, delay: timedelta = ...) -> None: ...


def send_invoice(
    key: InvoiceKey,
    mail_id: str,
    *,
    clock: Callable[[], datetime],
    domains: Collection[str],
    public_url: str,
    write: Writer,
    mails: Mails,
    links: Links,
    store: Store,
    mailer: Mailer,
    queue: Queue,
) -> None:
    """
    Send a mail, unless it was sent or is not wanted any more.

    Whoever sends a mail takes it first, so that nobody else sends it meanwhile, and writes down in
    the end what became of it. If SES takes a mail, and the function ends before that is written
    down, or no answer comes, it is sent again once the lease is over: the one case in which two of
    a mail can go out. One that SES has no quota for is queued again. Each has a link of its own to
    the page of the document.
    """
    mailing = mails.get_mailing(key, mail_id)
    mail = mailing.mail or Mail(key, mail_id, clock())
    if mail.is_done:
        return
    leased = mail.leased(clock())
    sender, address = mailing.sender(domains), recipient(mailing.org, mailing.account)
    if mailing.mail is None:
        if mail_id != FIRST:
            raise NotFoundError
        if sender is None or not is_mailed(mailing.invoice):
            return
    if sender is None or address is None:
        _end(mail, MailStatus.FAILED, clock(), mails)
        return
    if mailing.pdf is None:
        raise MailBusyError("The PDF is not there yet.")
    pdf, secret = store.get(mailing.pdf), new_secret()
    link = ShareLink.new(secret, key, language_of(mailing.invoice.buyer), None, clock())
    message = write(mailing, public_url + page_path(secret), sender, address, pdf)
    taken = mails.replace(leased)
    links.add(link)
    try:
        mailer.send(taken, sender, address, message)
    except QuotaReachedError:
        links.delete(link)
        mails.replace(taken.released())
        queue.send(key, mail_id, LONGEST_WAIT * random.uniform(0.1, 1))
    except MailInvalidError:
        links.delete(link)
        _end(taken, MailStatus.FAILED, clock(), mails)
    else:
        _end(taken, MailStatus.SENT, clock(), mails)


def note_feedback(feedback: Feedback, *, mails: Returns) -> None:
    """Write down what came back of a mail, and what that says of the account's address."""

    def note() -> None:
        mail, account, known = mails.get_for_feedback(feedback.key, feedback.mail_id)
        after, state = mail.after(feedback), known.after(feedback, account)
        if (after, state) != (mail, known):
            mails.note(after, state if state != known else None)

    deadline.retry(note)


def _end(mail: Mail, status: MailStatus, now: datetime, mails: Mails) -> None:
    """
    Write what became of a mail, as often as it takes.

    Where another version is there, it was written by a try before, or something came back already.
    """

    def write() -> None:
        with suppress(ContentionError):
            mails.replace(mail.ended(status, now))

    deadline.retry(write, on=UpstreamError)
