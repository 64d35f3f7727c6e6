"""
Idempotency records: each external id belongs to one thing of an org and kind, for ever.

    pk                              sk         what
    external#<org>#<kind>#<value>   external   the id of the thing, and the request's fingerprint;
                                               `withdrawn` once a movement was deleted

The item stands in the table of the thing, and is put in the transaction that creates it.
"""

from typing import Any

from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.persistence.dynamodb import Item, Key, joined, put, update


def external_key(org_id: str, kind: str, value: str) -> Key:
    return joined("external", org_id, kind, value), "external"


def put_external(table: str, key: Key, thing_id: str, external: ExternalId) -> dict[str, Any]:
    """Write the idempotency record of an external id within a transaction."""
    return put(table, key, {"id": {"S": thing_id}, "fingerprint": {"S": external.fingerprint}})


def withdraw_external(table: str, key: Key, thing_id: str) -> dict[str, Any]:
    """Mark the thing of an external id as gone, within the transaction that deletes it."""
    return update(
        table, key, "SET withdrawn = :yes", {":yes": {"BOOL": True}}, expected={"id": thing_id}
    )


def to_idempotency_record(item: Item | None) -> IdempotencyRecord | None:
    if item is None:
        return None
    return IdempotencyRecord(item["id"]["S"], item["fingerprint"]["S"], "withdrawn" in item)
