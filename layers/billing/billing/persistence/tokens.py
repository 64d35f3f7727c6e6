"""
Tokens, known by their hash only.

    pk             sk            what
    token#<hash>   grant         what the token reaches
    org#<org>      token#<id>    the same grant, to be listed and revoked, and its hash
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from billing import config
from billing.domain.errors import NotFoundError
from billing.domain.records import instant, to_instant, to_json
from billing.domain.tokens import Grant, Role
from billing.persistence.dynamodb import (
    Key,
    delete,
    get_item,
    joined,
    put,
    query,
    transact,
)


class TokenRepository:
    """Grants of tokens."""

    def __init__(self) -> None:
        self._table = config.tokens_table()

    def find(self, token_hash: str) -> Grant | None:
        item = get_item(self._table, _hash_key(token_hash))
        return _to_grant(item["grant"]["S"]) if item else None

    def add(self, grant: Grant, token_hash: str) -> None:
        record = {"S": _to_json(grant)}
        transact(
            [
                put(self._table, _hash_key(token_hash), {"grant": record}),
                put(
                    self._table,
                    _id_key(grant.org_id, grant.id),
                    {"grant": record, "token_hash": {"S": token_hash}},
                ),
            ]
        )

    def list_grants(self, org_id: str) -> Iterator[Grant]:
        pk, _ = _id_key(org_id, "")
        for item in query(self._table, "pk = :pk", {":pk": {"S": pk}}):
            yield _to_grant(item["grant"]["S"])

    def revoke(
        self,
        org_id: str,
        token_id: str,
        *,
        reaches: Callable[[frozenset[str] | None], bool] = lambda _: True,
    ) -> None:
        """
        Forget a token.

        Raises NotFoundError where the org has no such token, or one of accounts beyond reach.
        """
        item = get_item(self._table, _id_key(org_id, token_id))
        if item is None or not reaches(_to_grant(item["grant"]["S"]).accounts):
            raise NotFoundError
        transact(
            [
                delete(self._table, _id_key(org_id, token_id)),
                delete(self._table, _hash_key(item["token_hash"]["S"])),
            ]
        )


def _hash_key(token_hash: str) -> Key:
    return joined("token", token_hash), "grant"


def _id_key(org_id: str, token_id: str) -> Key:
    return joined("org", org_id), joined("token", token_id)


def _to_json(grant: Grant) -> str:
    return to_json(
        {
            "id": grant.id,
            "org_id": grant.org_id,
            "name": grant.name,
            "role": grant.role.value,
            "accounts": grant.accounts and sorted(grant.accounts),
            "last_four": grant.last_four,
            "created_at": instant(grant.created_at),
            "expires_at": grant.expires_at and instant(grant.expires_at),
        }
    )


def _to_grant(text: str) -> Grant:
    record: dict[str, Any] = json.loads(text)
    accounts = record["accounts"]
    return Grant(
        id=record["id"],
        org_id=record["org_id"],
        name=record["name"],
        role=Role(record["role"]),
        accounts=frozenset(accounts) if accounts is not None else None,
        last_four=record["last_four"],
        created_at=to_instant(record["created_at"]),
        expires_at=to_instant(record["expires_at"]) if record["expires_at"] else None,
    )
