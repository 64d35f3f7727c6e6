"""
Idempotency records: each external id belongs to one thing of an org and kind, for ever.

    pk                              sk         what
    external#<org>#<kind>#<value>   external   the id of the thing, its account and the ids of its
                                               parents, and the request's fingerprint; `withdrawn`
                                               once a movement was deleted

The item stands in the table of the thing, and is put in the transaction that creates it.
"""

from typing import Any

from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.ids import ResourceName
from billing.persistence.dynamodb import SEPARATOR, Item, Key, joined, put, update


def external_key(org_id: str, kind: str, value: str) -> Key:
    return joined("external", org_id, kind, value), "external"


def put_external(
    table: str, key: Key, thing_id: str, external: ExternalId, account_id: str | None = None
) -> dict[str, Any]:
    """
    Write the idempotency record of an external id within a transaction.

    `account_id` is the account that the thing belongs to; without one it is the org's.
    """
    attributes: dict[str, Any] = {
        "id": {"S": thing_id},
        "parents": {"L": [{"S": each} for each in external.parents]},
        "fingerprint": {"S": external.fingerprint},
    }
    if account_id is not None:
        attributes["account_id"] = {"S": account_id}
    return put(table, key, attributes)


def withdraw_external(table: str, key: Key, thing_id: str) -> dict[str, Any]:
    """Mark the thing of an external id as gone, within the transaction that deletes it."""
    return update(
        table, key, "SET withdrawn = :yes", {":yes": {"BOOL": True}}, expected={"id": thing_id}
    )


def to_idempotency_record(item: Item | None) -> IdempotencyRecord | None:
    if item is None:
        return None
    return IdempotencyRecord(
        item["id"]["S"], item["fingerprint"]["S"], _name(item), "withdrawn" in item
    )


def _name(item: Item) -> ResourceName | None:
    """Read the whole name of a thing; version 1.0 kept its own id alone."""
    if "parents" not in item:
        return None
    _, org_id, kind, _ = item["pk"]["S"].split(SEPARATOR, 3)
    account_id = item["account_id"]["S"] if "account_id" in item else None
    parents = (each["S"] for each in item["parents"]["L"])
    return ResourceName(org_id, account_id, kind, (*parents, item["id"]["S"]))
