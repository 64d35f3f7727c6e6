"""
Mails: documents on their way to their customers, and what comes back.

A document is mailed once when its PDF is ready, and again whenever somebody asks for it. Each time
is a mail of its own, with a state.
"""

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.errors import (
    ConflictError,
    InvalidRequestError,
    NoSenderError,
    NotByEmailError,
    UpstreamBusyError,
)
from billing.domain.invoices import InvoiceKey, InvoiceSummary, IssuedInvoice, StoredDocument
from billing.domain.parties import Account, DeliveryMode, Org

FIRST = "0" * 32
"""The id of the mail that is sent when the PDF is ready: always the same, and the oldest."""

LEASE = timedelta(minutes=2)
"""How long whoever is sending a mail is alone in that: longer than its function can live."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_SENDABLE = re.compile(rf"{_ATOM}(\.{_ATOM})*@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+")
"""What SES takes: a dot-atom of RFC 5322 in ASCII, at a domain."""


class MailStatus(StrEnum):
    """How far a mail is."""

    PENDING = "pending"
    SENT = "sent"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FAILED = "failed"


class MailState(StrEnum):
    """What is known of an account's address."""

    OK = "ok"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class MailBusyError(UpstreamBusyError):
    """Somebody else is sending this mail, or its PDF is not there yet."""

    code = "MAIL_BUSY"


class QuotaReachedError(UpstreamBusyError):
    """No more mails are taken at present: so many in a second, or in a day, were sent."""

    code = "MAIL_QUOTA_REACHED"


class MailInvalidError(Exception):
    """This mail will never be taken."""


@dataclass(frozen=True, slots=True)
class Mail:
    """
    A mail with a document, and how far it is.

    Whoever sends it holds a lease until `leased_until`. `version` counts the writes.
    """

    key: InvoiceKey
    id: str
    created_at: datetime
    status: MailStatus = MailStatus.PENDING
    sent_at: datetime | None = None
    leased_until: datetime | None = None
    version: int = 0

    @property
    def is_done(self) -> bool:
        return self.status is not MailStatus.PENDING

    def leased(self, now: datetime) -> "Mail":
        """Return it with a lease. Raise MailBusyError where somebody has one."""
        if self.leased_until and now < self.leased_until:
            raise MailBusyError("Another function is sending this mail.")
        return replace(self, leased_until=now + LEASE)

    def released(self) -> "Mail":
        """Return it as it is when it was certainly not sent, and can be tried again at once."""
        return replace(self, leased_until=None)

    def ended(self, status: MailStatus, now: datetime) -> "Mail":
        """Return it when it was sent, or never will be."""
        sent_at = now if status is MailStatus.SENT else None
        return replace(self, status=status, sent_at=sent_at, leased_until=None)

    def after(self, feedback: "Feedback") -> "Mail":
        """Return it when something came back of it: a complaint outdoes a bounce."""
        if self.status is MailStatus.COMPLAINED:
            return self
        return replace(
            self,
            status=feedback.status,
            sent_at=self.sent_at or feedback.sent_at,
            leased_until=None,
        )


@dataclass(frozen=True, slots=True)
class Mailing:
    """What a mail is made of: the document, its PDF, and both parties as they are today."""

    invoice: IssuedInvoice
    summary: InvoiceSummary
    pdf: StoredDocument | None
    org: Org
    account: Account
    mail: Mail | None

    def sender(self, domains: Collection[str]) -> str | None:
        """Return the address that it is mailed from; None where it is not to be mailed any more."""
        if self.invoice.erased:
            return None
        with suppress(ConflictError):
            return check_mailable(self.org, self.account, domains)
        return None


@dataclass(frozen=True, slots=True)
class Feedback:
    """
    What came back of a mail: it bounced, or its receiver complained.

    A bounce is `permanent` where the address will never take a mail. `address` is where the mail
    was sent to.
    """

    key: InvoiceKey
    mail_id: str
    status: MailStatus
    permanent: bool
    address: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class AddressState:
    """What is known of an address that mails of an account were sent to."""

    address: str
    state: MailState
    version: int = 0

    def after(self, feedback: Feedback, account: Account) -> "AddressState":
        """Return it when something came back; what another address once sent back says nothing."""
        if not feedback.permanent or feedback.address != sendable(account.email):
            return self
        if feedback.address == self.address and self.state is MailState.COMPLAINED:
            return self
        return replace(self, address=feedback.address, state=MailState(feedback.status.value))


NOTHING_KNOWN = AddressState("", MailState.OK)


def state_of(account: Account, known: AddressState) -> MailState:
    """Return the state of an account's address; of another one that it had it says nothing."""
    return known.state if known.address == sendable(account.email) else MailState.OK


def is_mailed(invoice: IssuedInvoice) -> bool:
    """
    Return whether a document is mailed when its PDF is ready.

    It is where its org had a sender when it was issued, and its account wanted it by e-mail.
    """
    buyer_mode = invoice.buyer.delivery_mode
    return bool(invoice.seller.mail_from) and buyer_mode is DeliveryMode.EMAIL


def check_sender(mail_from: str | None, domains: Collection[str]) -> None:
    """Raise InvalidRequestError where an org's sender is not at one of the domains of the stack."""
    if mail_from is None or _is_at(mail_from, domains):
        return
    listed = ", ".join(sorted(domains))
    allowed = f"must be an address at one of {listed}" if domains else "is not possible"
    raise InvalidRequestError.of(
        "mail_from", f"{allowed}: the domains that the operator of this stack lets mails come from"
    )


def check_mailable(org: Org, account: Account, domains: Collection[str]) -> str:
    """Return the address that an account is sent mails from. Raise a ConflictError without any."""
    if org.mail_from is None or not _is_at(org.mail_from, domains):
        raise NoSenderError(org.id)
    if account.delivery_mode is not DeliveryMode.EMAIL:
        raise NotByEmailError(account.id)
    return org.mail_from


def recipient(org: Org, account: Account) -> str | None:
    """
    Return the address that mails to an account are sent to; None where no mail can go there.

    What a sandbox sends goes to the org itself.
    """
    return sendable(org.email if org.sandbox else account.email)


def sendable(address: str) -> str | None:
    """Return an address as a mail has it, its domain in ASCII; None where that cannot be."""
    local, _, domain = address.rpartition("@")
    with suppress(UnicodeError):
        written = f"{local}@{domain.encode('idna').decode()}"
        if _SENDABLE.fullmatch(written):
            return written
    return None


def _is_at(address: str, domains: Collection[str]) -> bool:
    return sendable(address) == address and address.rpartition("@")[2].lower() in domains
