"""
Tokens, known by their hash only. DynamoDB deletes them a month after they expired.

    pk             sk            what
    token#<hash>   grant         what the token reaches
    org#<org>      token#<id>    the same grant, to be listed and revoked; ids sort by time
                   kind          whether the org is a sandbox, for ever
"""

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any

import orjson

from billing import config
from billing.domain.errors import NotFoundError
from billing.domain.records import instant, to_instant, to_json
from billing.domain.tokens import EVERY_ACCOUNT, Grant, Reach, Role
from billing.persistence.dynamodb import (
    Item,
    Key,
    delete,
    expiring,
    get_item,
    get_items_of,
    joined,
    list_after,
    put,
    query_beginning,
    transact,
)

KEPT_EXPIRED = timedelta(days=30)
"""How long a token that has expired is listed."""


class TokenRepository:
    """Grants of tokens."""

    def __init__(self) -> None:
        self._table = config.tokens_table()

    def find_all(self, token_hashes: Collection[str]) -> dict[str, Grant]:
        """Return the grants of tokens, by their hashes; those that were revoked are left out."""
        items = get_items_of(self._table, *map(_hash_key, token_hashes))
        grants = map(_to_grant, items.values())
        return {grant.token_hash: grant for grant in grants}

    def find_sandbox(self, org_id: str) -> bool | None:
        """Return whether an org is a sandbox; None where it has never had a token."""
        item = get_item(self._table, _kind_key(org_id))
        return item["sandbox"]["BOOL"] if item else None

    def add(self, grant: Grant, *, is_first: bool = False) -> None:
        """
        Write a new grant; the first one of an org decides whether that is a sandbox.

        Raise ContentionError where another was the first meanwhile.
        """
        record = {"grant": {"S": _to_json(grant)}}
        if grant.expires_at:
            record |= expiring(grant.expires_at + KEPT_EXPIRED)
        writes = [
            put(self._table, _hash_key(grant.token_hash), record),
            put(self._table, _id_key(grant.org_id, grant.id), record),
        ]
        if is_first:
            kind = {"sandbox": {"BOOL": grant.sandbox}}
            writes.append(put(self._table, _kind_key(grant.org_id), kind))
        transact(writes)

    def list_page(self, org_id: str, after: str | None, limit: int) -> list[Grant]:
        """Return at most `limit` grants of an org, newest first, from the one before `after` on."""
        items = list_after(self._table, _id_key(org_id, ""), after, limit)
        return [_to_grant(item) for item in items]

    def list_grants(self, org_id: str) -> Iterator[Grant]:
        """Return all grants of an org, oldest first."""
        return map(_to_grant, query_beginning(self._table, _id_key(org_id, "")))

    def revoke(self, org_id: str, token_id: str, reach: Reach = EVERY_ACCOUNT) -> None:
        """
        Delete a token, which also ends those that come from it.

        Raise NotFoundError where the org has no such token, or one that goes beyond the reach.
        """
        item = get_item(self._table, _id_key(org_id, token_id))
        grant = _to_grant(item) if item else None
        if grant is None or not reach.includes_all(grant.reach):
            raise NotFoundError
        transact(
            [
                delete(self._table, _id_key(org_id, token_id)),
                delete(self._table, _hash_key(grant.token_hash)),
            ]
        )


def _hash_key(token_hash: str) -> Key:
    return joined("token", token_hash), "grant"


def _id_key(org_id: str, token_id: str) -> Key:
    return joined("org", org_id), joined("token", token_id)


def _kind_key(org_id: str) -> Key:
    return joined("org", org_id), "kind"


def _to_json(grant: Grant) -> str:
    return to_json(
        {
            "id": grant.id,
            "org_id": grant.org_id,
            "name": grant.name,
            "role": grant.role.value,
            "accounts": grant.reach.written,
            "token_hash": grant.token_hash,
            "last_four": grant.last_four,
            "created_at": instant(grant.created_at),
            "expires_at": grant.expires_at and instant(grant.expires_at),
            "ancestors": grant.ancestors,
            "sandbox": grant.sandbox,
        }
    )


def _to_grant(item: Item) -> Grant:
    record: dict[str, Any] = orjson.loads(item["grant"]["S"])
    return Grant(
        id=record["id"],
        org_id=record["org_id"],
        name=record["name"],
        role=Role(record["role"]),
        reach=Reach.read(record["accounts"]),
        token_hash=record["token_hash"],
        last_four=record["last_four"],
        created_at=to_instant(record["created_at"]),
        expires_at=to_instant(record["expires_at"]) if record["expires_at"] else None,
        ancestors=tuple(record["ancestors"]),
        sandbox=record.get("sandbox", False),
    )
