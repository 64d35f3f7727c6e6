"""
What changes of items mean: each record of a table's stream is drawn into events.

A record has the keys of an item, and the item before and after the change, as DynamoDB writes it.
Records of items that no event comes from are ignored.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from billing.domain.billing_runs import RunStatus
from billing.domain.events import Event, EventType, event_id, settlement_event
from billing.domain.invoices import InvoiceKind
from billing.domain.mails import MailStatus
from billing.domain.money import Money
from billing.domain.refunds import Refund
from billing.domain.verifactu import RecordState
from billing.persistence.billing_runs import to_run
from billing.persistence.dynamodb import SEPARATOR, Item, int_of
from billing.persistence.fiscal_items import to_kept_record
from billing.persistence.refunds import RefundRepository, to_refund

_RECENT = timedelta(hours=1)
"""What a refund's own item told longer ago than this was published, or never will be."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an item; `before` is empty where it is new, `after` where it is gone."""

    pk: tuple[str, ...]
    sk: tuple[str, ...]
    at: datetime
    before: Item
    after: Item

    @property
    def is_new(self) -> bool:
        return not self.before

    @property
    def is_gone(self) -> bool:
        return not self.after


@dataclass(frozen=True, slots=True)
class BilledCycle:
    """A cycle whose documents are all issued: its billable refunds are billed by that."""

    org_id: str
    account_id: str
    ends_on: date
    at: datetime

    def events(self, refunds: Iterable[Refund]) -> list[Event]:
        """Return the events of its refunds; each follows what the refund's own item told last."""
        return [
            _refund_event(EventType.REFUND_BILLED, self.org_id, refund, self.at)
            for refund in refunds
        ]


type Meaning = list[Event] | BilledCycle


def draw(record: Mapping[str, Any]) -> list[Event]:
    """Return the events of a record; only for a cycle that was billed its refunds are read."""
    meaning = meaning_of(to_change(record))
    if not isinstance(meaning, BilledCycle):
        return meaning
    billed = RefundRepository().list_of_cycle(meaning.org_id, meaning.account_id, meaning.ends_on)
    return meaning.events(billed)


def to_change(record: Mapping[str, Any]) -> Change:
    """Read a record of a stream, as Lambda hands it over."""
    said = record["dynamodb"]
    return Change(
        pk=tuple(said["Keys"]["pk"]["S"].split(SEPARATOR)),
        sk=tuple(said["Keys"]["sk"]["S"].split(SEPARATOR)),
        at=datetime.fromtimestamp(said["ApproximateCreationDateTime"], UTC),
        before=said.get("OldImage", {}),
        after=said.get("NewImage", {}),
    )


def meaning_of(change: Change) -> Meaning:
    """Return the events of a change, or the cycle that was billed by it."""
    meaning = _MEANINGS.get((change.pk[0], change.sk[0])) or _OF_PARTITIONS.get(change.pk[0])
    return meaning(change) if meaning else []


# ---------------------------------------------------------------- invoices


def _head(change: Change) -> list[Event]:
    """Return what has become of a document: it was issued, or its settlement has changed."""
    if change.is_gone:
        return []
    head = orjson.loads(change.after["head"]["S"])
    kind, currency = InvoiceKind(head["kind"]), head["currency"]
    if change.is_new:
        type_: EventType | None = _ISSUED[kind]
    else:
        before, after = (_settled(item, currency) for item in (change.before, change.after))
        type_ = settlement_event(Money(head["gross"], currency), before, after)
    if type_ is None:
        return []
    ids = _document_ids(change.pk[2], change.sk[1])
    version = int_of(change.after, "settlements") + 1
    return [Event(type_, change.pk[1], ids, version, change.at)]


def _settled(item: Item, currency: str) -> tuple[Money, Money]:
    """Return what was paid and what was credited of a document."""
    return Money(int_of(item, "paid"), currency), Money(int_of(item, "credited"), currency)


def _pdf(change: Change) -> list[Event]:
    if not change.is_new:
        return []
    _, org_id, account_id, ordinal = change.pk
    ids = _document_ids(account_id, ordinal)
    issued = frozenset(event_id(each, org_id, ids, 1) for each in _ISSUED.values())
    return [Event(EventType.INVOICE_DOCUMENT_READY, org_id, ids, 1, change.at, follows=issued)]


def _payment(change: Change) -> list[Event]:
    _, org_id, account_id, ordinal = change.pk
    ids = {**_document_ids(account_id, ordinal), "payment_id": change.sk[1]}
    if change.is_new:
        return [Event(EventType.PAYMENT_RECORDED, org_id, ids, 1, change.at)]
    if "reversal" in change.after and "reversal" not in change.before:
        return [Event(EventType.PAYMENT_REVERSED, org_id, ids, 2, change.at)]
    return []


def _mail(change: Change) -> list[Event]:
    """Return what has become of a mail; one that bounced was sent, noted or not."""
    if change.is_gone:
        return []
    _, org_id, account_id, ordinal = change.pk
    ids = {**_document_ids(account_id, ordinal), "delivery_id": change.sk[1]}
    before, after = _mail_status(change.before), _mail_status(change.after)
    events = []
    if after in _MAIL_VERSIONS and before not in _MAIL_VERSIONS:
        events.append(Event(EventType.EMAIL_SENT, org_id, ids, 1, change.at))
    if after in _MAIL_RETURNED and after is not before:
        version = _MAIL_VERSIONS[after]
        events.append(Event(EventType.EMAIL_BOUNCED, org_id, ids, version, change.at))
    return events


def _mail_status(item: Item) -> MailStatus:
    return MailStatus(item["mail_status"]["S"]) if item else MailStatus.PENDING


_MAIL_VERSIONS = {MailStatus.SENT: 1, MailStatus.BOUNCED: 2, MailStatus.COMPLAINED: 3}
"""The states of a mail that was sent, and the versions that they are."""
_MAIL_RETURNED = {MailStatus.BOUNCED, MailStatus.COMPLAINED}


def _fiscal_record(change: Change) -> list[Event]:
    """Return what the tax agency made of a record, which its position in the chain tells apart."""
    state = _fiscal_state(change.after)
    if state not in _VERDICTS or state == _fiscal_state(change.before):
        return []
    org_id = change.pk[1]
    kept = to_kept_record(org_id, change.after)
    ids = _document_ids(kept.key.account_id, str(kept.key.ordinal))
    issued = frozenset(event_id(each, org_id, ids, 1) for each in _ISSUED.values())
    version = kept.record.position
    return [Event(_VERDICTS[state], org_id, ids, version, change.at, follows=issued)]


def _fiscal_state(item: Item) -> RecordState | None:
    return RecordState(item["fiscal_state"]["S"]) if "fiscal_state" in item else None


_VERDICTS: Mapping[RecordState | None, EventType] = {
    RecordState.ACCEPTED: EventType.VERIFACTU_ACCEPTED,
    RecordState.ACCEPTED_WITH_ERRORS: EventType.VERIFACTU_ACCEPTED,
    RecordState.REJECTED: EventType.VERIFACTU_REJECTED,
}
_ISSUED = {
    InvoiceKind.INVOICE: EventType.INVOICE_ISSUED,
    InvoiceKind.CREDIT_NOTE: EventType.CREDIT_NOTE_ISSUED,
}


def _document_ids(account_id: str, ordinal: str) -> dict[str, str]:
    return {"account_id": account_id, "invoice_id": str(int(ordinal))}


# ---------------------------------------------------------------- movements and refunds


def _movement(change: Change) -> list[Event]:
    if not change.is_new and not change.is_gone:
        return []  # so much of it was refunded
    record = orjson.loads((change.after or change.before)["record"]["S"])
    type_ = EventType.MOVEMENT_DELETED if change.is_gone else EventType.MOVEMENT_CREATED
    ids = {
        "account_id": record["account_id"],
        "subscription_id": record["subscription_id"],
        "movement_id": record["id"],
    }
    return [Event(type_, change.pk[1], ids, 1, change.at)]


def _refund(change: Change) -> list[Event]:
    refund = to_refund(change.after or change.before)
    if change.before and change.after and refund.version == to_refund(change.before).version:
        return []  # its texts were erased
    if change.is_gone:
        type_ = EventType.REFUND_WITHDRAWN
    else:
        type_ = EventType.REFUND_CREATED if change.is_new else EventType.REFUND_CHANGED
    return [_refund_event(type_, change.pk[1], refund, change.at)]


def _refund_event(type_: EventType, org_id: str, refund: Refund, at: datetime) -> Event:
    movement = refund.key.movement
    ids = {
        "account_id": refund.account_id,
        "subscription_id": movement.subscription_id,
        "movement_id": movement.id,
        "refund_id": refund.key.id,
    }
    before: set[str] = set()
    if type_ is EventType.REFUND_BILLED and at - refund.updated_at < _RECENT:
        last = EventType.REFUND_CREATED if refund.version == 1 else EventType.REFUND_CHANGED
        before.add(event_id(last, org_id, ids, refund.version))
    return Event(type_, org_id, ids, refund.version, at, follows=frozenset(before))


# ---------------------------------------------------------------- accounts, runs and endpoints


def _profile(change: Change) -> list[Event]:
    if change.is_gone:
        return []
    _, org_id, account_id = change.pk
    version = int(change.after["version"]["N"])
    ids = {"account_id": account_id}
    return [Event(EventType.ACCOUNT_CHANGED, org_id, ids, version, change.at)]


def _cycle(change: Change) -> Meaning:
    if "documents" not in change.after or "documents" in change.before:
        return []
    _, org_id, account_id = change.pk
    return BilledCycle(org_id, account_id, date.fromisoformat(change.sk[1]), change.at)


def _failure(change: Change) -> list[Event]:
    if change.is_gone:
        return []  # it is deleted after its time
    _, org_id, run_id = change.pk
    ids = {"account_id": change.sk[1], "billing_run_id": run_id}
    return [Event(EventType.ACCOUNT_BILLING_FAILED, org_id, ids, 1, change.at)]


def _run(change: Change) -> list[Event]:
    _, org_id, run_id = change.pk
    if not (_is_done(org_id, run_id, change.after) > _is_done(org_id, run_id, change.before)):
        return []
    return [Event(EventType.BILLING_RUN_FINISHED, org_id, {"billing_run_id": run_id}, 1, change.at)]


def _endpoint(change: Change) -> list[Event]:
    if "disabled_at" not in change.after or "disabled_at" in change.before:
        return []
    ids = {"webhook_endpoint_id": change.sk[1]}
    return [Event(EventType.WEBHOOK_ENDPOINT_DISABLED, change.pk[1], ids, 1, change.at)]


def _is_done(org_id: str, run_id: str, item: Item) -> bool:
    return bool(item) and to_run(org_id, run_id, item).status is RunStatus.COMPLETED


_MEANINGS: Mapping[tuple[str, str], Callable[[Change], Meaning]] = {
    ("account", "cycle"): _cycle,
    ("account", "invoice"): _head,
    ("account", "profile"): _profile,
    ("invoice", "mail"): _mail,
    ("invoice", "payment"): _payment,
    ("invoice", "pdf"): _pdf,
    ("movement", "refund"): _refund,
    ("org", "endpoint"): _endpoint,
    ("run", "failure"): _failure,
    ("run", "run"): _run,
    ("subscription", "movement"): _movement,
}
"""How items are read, by the first parts of their keys; no two tables have the same."""
_OF_PARTITIONS: Mapping[str, Callable[[Change], Meaning]] = {
    "fiscal": _fiscal_record,
    "number": _fiscal_record,
}
"""How items are read whose sort key is a number."""
