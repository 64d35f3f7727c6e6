"""Have a document mailed to its customer once more."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.invoices import InvoiceKey
from billing.domain.mails import Mail, check_mailable
from billing.domain.parties import Account, Org


class Mails(Protocol):
    def get_for_request(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[Org, Account, IdempotencyRecord | None]: ...

    def add(self, mail: Mail, external: ExternalId) -> None: ...


class Queue(Protocol):
    def send(self, key: InvoiceKey, mail_id: str) -> None: ...


def request_delivery(
    key: InvoiceKey,
    external: ExternalId,
    *,
    now: datetime,
    domains: Collection[str],
    mails: Mails,
    queue: Queue,
) -> Created:
    """
    Have a document mailed once more, and return the mail.

    The same request again queues the same mail again, which is sent once all the same. Raise
    NoSenderError or NotByEmailError where the account cannot be sent mails.
    """
    mail_id = new_id(now)

    def request() -> Created:
        org, account, record = mails.get_for_request(key, external)
        if known := external.replay(record):
            return known
        check_mailable(org, account, domains)
        mails.add(Mail(key, mail_id, now), external)
        return Created(mail_id)

    requested = deadline.retry(request)
    queue.send(key, requested.id)
    return requested
