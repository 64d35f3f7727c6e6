"""
Events: what has happened to a thing of an org, for clients that read the feed or are sent webhooks.

They are thin: a type, a time, and the ids and version of the thing, by which it is fetched. The id
of an event follows from these, so an event that is told twice is the same event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from billing.domain.errors import EventsExpiredError
from billing.domain.money import Money

KEPT = timedelta(days=30)
"""How long an event can be read."""

PATIENCE = timedelta(minutes=1)
"""
How long an event waits for the one that it follows: both are drawn from streams of their own, one
of which may be late. After that it is published all the same, as the other one may never come.
"""

_ID_CHARACTERS = 32


class EventType(StrEnum):
    """What happened, to what."""

    INVOICE_ISSUED = "invoice.issued"
    INVOICE_DOCUMENT_READY = "invoice.document_ready"
    INVOICE_PARTLY_PAID = "invoice.partly_paid"
    INVOICE_PAID = "invoice.paid"
    INVOICE_UNPAID = "invoice.unpaid"
    CREDIT_NOTE_ISSUED = "credit_note.issued"
    PAYMENT_RECORDED = "payment.recorded"
    PAYMENT_REVERSED = "payment.reversed"
    REFUND_CREATED = "refund.created"
    REFUND_CHANGED = "refund.changed"
    REFUND_WITHDRAWN = "refund.withdrawn"
    REFUND_BILLED = "refund.billed"
    MOVEMENT_CREATED = "movement.created"
    MOVEMENT_DELETED = "movement.deleted"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_BILLING_FAILED = "account.billing_failed"
    BILLING_RUN_FINISHED = "billing_run.finished"
    EMAIL_SENT = "email.sent"
    EMAIL_BOUNCED = "email.bounced"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    VERIFACTU_ACCEPTED = "verifactu.accepted"
    VERIFACTU_REJECTED = "verifactu.rejected"


@dataclass(frozen=True, slots=True)
class Event:
    """
    An event; `ids` name the thing and what it belongs to, `version` its state.

    `follows` are ids of events, one of which comes before this one if any of them ever comes.
    """

    type: EventType
    org_id: str
    ids: Mapping[str, str]
    version: int
    at: datetime
    follows: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def id(self) -> str:
        return event_id(self.type, self.org_id, self.ids, self.version)

    @property
    def data(self) -> dict[str, str | int]:
        """Return what it is about, as clients get it."""
        return {"org_id": self.org_id, **self.ids, "version": self.version}

    def may_wait(self, now: datetime) -> bool:
        """Return whether it may still wait for the event that it follows."""
        return bool(self.follows) and now < self.at + PATIENCE


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """An event in the feed of its org: its position there, and when it came in."""

    position: int
    published_at: datetime
    id: str
    type: EventType
    at: datetime
    data: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """
    A place in a feed: all up to a position was read.

    What follows was published at `since` or later, so it is there as long as that is not too long
    ago.
    """

    position: int
    since: datetime

    def check(self, now: datetime) -> None:
        """Raise EventsExpiredError where events behind this place may be gone."""
        if now - self.since > KEPT:
            raise EventsExpiredError(KEPT.days)


def event_id(type_: EventType, org_id: str, ids: Mapping[str, str], version: int) -> str:
    """Return the id of an event: 128 bits of a hash over all that tells it from others."""
    parts = [type_.value, org_id, *(f"{name}={ids[name]}" for name in sorted(ids)), str(version)]
    return "evt_" + sha256("#".join(parts).encode()).hexdigest()[:_ID_CHARACTERS]


def settlement_event(
    gross: Money, before: tuple[Money, Money], after: tuple[Money, Money]
) -> EventType | None:
    """
    Return what a change of what was paid and credited of an invoice is called, if anything.

    An invoice is paid as soon as nothing remains of it and something was paid; a credit note alone
    tells of itself.
    """
    (paid_before, credited_before), (paid, credited) = before, after
    nothing = Money.zero(gross.currency)
    remained = max(nothing, gross - paid_before - credited_before)
    remains = max(nothing, gross - paid - credited)
    if not remains:
        return EventType.INVOICE_PAID if remained and paid else None
    if paid == paid_before:
        return None
    return EventType.INVOICE_PARTLY_PAID if paid else EventType.INVOICE_UNPAID
