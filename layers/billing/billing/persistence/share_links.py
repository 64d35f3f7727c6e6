"""
Share links, in the links' table: known by the hash of their secret only.

    pk                            sk           what
    link#<hash>                   link         a link, and how often its page was opened
    invoice#<org>#<account>#<n>   link#<id>    the hash of a link of a document, to list and revoke
                                               it; ids sort by time

A link that was revoked or has expired stays for another year, to say so; then DynamoDB deletes it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import orjson
from botocore.exceptions import ClientError

from billing import config
from billing.aws import call, dynamodb
from billing.domain.errors import NotFoundError
from billing.domain.invoices import InvoiceKey
from billing.domain.records import instant, to_instant, to_json
from billing.domain.share_links import ShareLink
from billing.persistence.dynamodb import (
    Item,
    Key,
    delete,
    existing,
    expiring,
    get_item,
    get_items_of,
    int_of,
    joined,
    key_of,
    list_after,
    put,
    transact,
)

_STAYS = timedelta(days=365)
_NEVER = datetime(9000, 1, 1, tzinfo=UTC)


class ShareLinkRepository:
    """The links of all orgs."""

    def __init__(self) -> None:
        self._table = config.links_table()

    def add(self, link: ShareLink) -> None:
        """Write a new link, and its entry in the list of its document."""
        gone = expiring(min(link.expires_at, _NEVER) + _STAYS)
        entry = {"hash": {"S": link.secret_hash}}
        transact(
            [
                put(self._table, _key(link.secret_hash), {"link": {"S": _to_json(link)}, **gone}),
                put(self._table, _entry_key(link.invoice, link.id), {**entry, **gone}),
            ]
        )

    def get(self, secret_hash: str) -> ShareLink:
        """Read the link with a secret. Raise NotFoundError where there is none."""
        return _to_link(existing(get_item(self._table, _key(secret_hash))))

    def list_page(self, invoice: InvoiceKey, after: str | None, limit: int) -> list[ShareLink]:
        """Return at most `limit` links of a document, newest first, from the one behind `after`."""
        entries = list_after(self._table, _entry_key(invoice, ""), after, limit)
        return list(self._links(entries))

    def revoke(self, invoice: InvoiceKey, link_id: str) -> None:
        """Let a link work no more. Raise NotFoundError where the document has no such link."""
        entry = existing(get_item(self._table, _entry_key(invoice, link_id)))
        if not self._update(entry["hash"]["S"], "SET revoked = :yes", {":yes": {"BOOL": True}}):
            raise NotFoundError

    def delete(self, link: ShareLink) -> None:
        """Delete a link that nobody was told."""
        transact(
            [
                delete(self._table, _key(link.secret_hash)),
                delete(self._table, _entry_key(link.invoice, link.id)),
            ]
        )

    def count_opening(self, link: ShareLink) -> None:
        """Count that the page was sent; a request that is tried again can count twice."""
        self._update(link.secret_hash, "ADD opened :one", {":one": {"N": "1"}})

    def _links(self, entries: list[Item]) -> Iterator[ShareLink]:
        for some in batched(entries, 100, strict=False):
            keys = [_key(entry["hash"]["S"]) for entry in some]
            found = get_items_of(self._table, *keys)
            yield from (_to_link(found[key]) for key in keys if key in found)

    def _update(self, secret_hash: str, expression: str, values: Item) -> bool:
        """Update a link alone, and not in a transaction, so that no other write can get in its way.

        Return whether the link is there.
        """
        try:
            call(
                dynamodb().update_item,
                TableName=self._table,
                Key=key_of(_key(secret_hash)),
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
                ConditionExpression="attribute_exists(pk)",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


def _key(secret_hash: str) -> Key:
    return joined("link", secret_hash), "link"


def _entry_key(key: InvoiceKey, link_id: str) -> Key:
    pk = joined("invoice", key.org_id, key.account_id, key.ordinal)
    return pk, joined("link", link_id)


def _to_json(link: ShareLink) -> str:
    key = link.invoice
    return to_json(
        {
            "id": link.id,
            "invoice": [key.org_id, key.account_id, key.ordinal],
            "hash": link.secret_hash,
            "language": link.language,
            "expires_at": instant(link.expires_at),
        }
    )


def _to_link(item: Item) -> ShareLink:
    record: dict[str, Any] = orjson.loads(item["link"]["S"])
    return ShareLink(
        id=record["id"],
        invoice=InvoiceKey(*record["invoice"]),
        secret_hash=record["hash"],
        language=record["language"],
        expires_at=to_instant(record["expires_at"]),
        revoked="revoked" in item,
        opened=int_of(item, "opened"),
    )
