"""
Mails with documents, in the invoices' table; what came back from an address, accounts.py keeps.

    pk                             sk          what
    invoice#<org>#<account>#<n>    mail#<id>   a mail with the document, and how far it is; ids sort
                                               by time
    external#<org>#delivery#<id>   external    the one mail that was asked for with that external id

A sender takes the mail first: until `leased_until`, nobody else sends it.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from billing import config
from billing.domain.errors import NotFoundError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.invoice_record import read_record
from billing.domain.invoices import InvoiceKey
from billing.domain.mails import AddressState, Mail, Mailing, MailStatus
from billing.domain.parties import Account, Org
from billing.domain.records import instant, to_instant
from billing.persistence.accounts import (
    account_key,
    account_of,
    address_key,
    org_key,
    org_of,
    put_address_state,
    to_address_state,
)
from billing.persistence.dynamodb import (
    Item,
    Key,
    get_items,
    int_of,
    joined,
    list_after,
    put,
    transact,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.invoice_items import (
    document_key,
    invoice_pk,
    pdf_key,
    summary_key,
    to_pdf,
    to_record,
    to_summary,
)


class MailRepository:
    """The mails of all documents."""

    def __init__(self) -> None:
        self._table = config.invoices_table()
        self._accounts = config.accounts_table()

    # ---------------------------------------------------------------- read

    def get_mailing(self, key: InvoiceKey, mail_id: str) -> Mailing:
        """Read all that a mail is made of, in one request."""
        of_invoice = {
            name: (self._table, *each)
            for name, each in {
                "document": document_key(key),
                "summary": summary_key(key),
                "pdf": pdf_key(key),
                "mail": _mail_key(key, mail_id),
            }.items()
        }
        org, account = org_key(key.org_id), account_key(key.org_id, key.account_id)
        found = get_items(
            {
                self._table: [(pk, sk) for _, pk, sk in of_invoice.values()],
                self._accounts: [org, account],
            }
        )
        document = found.get(of_invoice["document"])
        if document is None:
            raise NotFoundError
        item = found.get(of_invoice["mail"])
        return Mailing(
            invoice=read_record(to_record(document)),
            summary=to_summary(key, found[of_invoice["summary"]]),
            pdf=to_pdf(found.get(of_invoice["pdf"])),
            org=org_of(found.get((self._accounts, *org))),
            account=account_of(found.get((self._accounts, *account))),
            mail=to_mail(key, item) if item else None,
        )

    def get_for_request(
        self, key: InvoiceKey, external: ExternalId
    ) -> tuple[Org, Account, IdempotencyRecord | None]:
        """Read who would be mailed by whom, and what has the external id of the mail already."""
        org, account = org_key(key.org_id), account_key(key.org_id, key.account_id)
        taken = external_key(key.org_id, "delivery", external.value)
        found = get_items({self._table: [taken], self._accounts: [org, account]})
        return (
            org_of(found.get((self._accounts, *org))),
            account_of(found.get((self._accounts, *account))),
            to_idempotency_record(found.get((self._table, *taken))),
        )

    def list_page(self, key: InvoiceKey, after: str | None, limit: int) -> list[Mail]:
        """List the mails with a document, newest first, from the one after `after` on."""
        items = list_after(self._table, _mail_key(key, ""), after, limit)
        return [to_mail(key, item) for item in items]

    def get_for_feedback(self, key: InvoiceKey, mail_id: str) -> tuple[Mail, Account, AddressState]:
        """Read a mail, its account, and what is known of the account's address."""
        mail, account = _mail_key(key, mail_id), account_key(key.org_id, key.account_id)
        address = address_key(key.org_id, key.account_id)
        found = get_items({self._table: [mail], self._accounts: [account, address]})
        if (self._table, *mail) not in found:
            raise NotFoundError
        return (
            to_mail(key, found[self._table, *mail]),
            account_of(found.get((self._accounts, *account))),
            to_address_state(found.get((self._accounts, *address))),
        )

    # ---------------------------------------------------------------- write

    def add(self, mail: Mail, external: ExternalId) -> None:
        """Write a mail that is asked for. Raise ContentionError if its external id is taken."""
        taken = external_key(mail.key.org_id, "delivery", external.value)
        account_id = mail.key.account_id
        transact([self._put(mail), put_external(self._table, taken, mail.id, external, account_id)])

    def replace(self, mail: Mail) -> Mail:
        """
        Write a mail in the place of what was read, or a new one; return it as it is written.

        Raise ContentionError if it changed meanwhile.
        """
        transact([self._put(mail)])
        return _written(mail)

    def note(self, mail: Mail, state: AddressState | None) -> None:
        """Write what came back of a mail, with what that says of its address; all or nothing."""
        writes = [self._put(mail)]
        if state:
            key = mail.key
            writes.append(put_address_state(self._accounts, key.org_id, key.account_id, state))
        transact(writes)

    def _put(self, mail: Mail) -> dict[str, Any]:
        return put(
            self._table,
            _mail_key(mail.key, mail.id),
            _item(_written(mail)),
            expected={"version": mail.version} if mail.version else None,
        )


def _written(mail: Mail) -> Mail:
    return replace(mail, version=mail.version + 1)


def _mail_key(key: InvoiceKey, mail_id: str) -> Key:
    return invoice_pk(key), joined("mail", mail_id)


def _item(mail: Mail) -> dict[str, Any]:
    times = {
        "created_at": mail.created_at,
        "sent_at": mail.sent_at,
        "leased_until": mail.leased_until,
    }
    return {
        "mail_status": {"S": mail.status.value},
        "version": {"N": str(mail.version)},
        **{name: {"S": instant(at)} for name, at in times.items() if at},
    }


def to_mail(key: InvoiceKey, item: Item) -> Mail:
    def at(name: str) -> datetime | None:
        return to_instant(item[name]["S"]) if name in item else None

    return Mail(
        key=key,
        id=item["sk"]["S"].removeprefix(joined("mail", "")),
        created_at=to_instant(item["created_at"]["S"]),
        status=MailStatus(item["mail_status"]["S"]),
        sent_at=at("sent_at"),
        leased_until=at("leased_until"),
        version=int_of(item, "version"),
    )
