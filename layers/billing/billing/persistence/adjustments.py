"""
Adjustments, in the movements' table.

    pk                                sk                 what
    adjustment#<org>#<account>        adjustment#<id>    an adjustment
    cycle#<org>#<account>#<date>      adjustment#<id>    a copy of each adjustment of a cycle, to be
                                                         billed together
    external#<org>#adjustment#<id>    external           the one with that external id

Ids sort by time, and so do the adjustments of an account. They never change.
"""

from datetime import date

import orjson

from billing import config
from billing.domain.adjustments import Adjustment, AdjustmentKey, NewAdjustment
from billing.domain.cycles import OpenCycle
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.movements import OperationType, Surroundings
from billing.domain.periods import Moment
from billing.domain.records import (
    Record,
    asked_record,
    instant,
    moments_record,
    tax_record,
    to_asked,
    to_instant,
    to_json,
    to_moments,
    to_tax,
)
from billing.persistence.cycles import members
from billing.persistence.dynamodb import (
    Item,
    Key,
    create,
    existing,
    get_item,
    get_items,
    joined,
    list_after,
    put,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.surroundings import (
    depend_on_cycle,
    surroundings_keys,
    to_surroundings,
)


class AdjustmentRepository:
    """The adjustments of all accounts."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._table = config.movements_table()

    def surroundings(
        self, org_id: str, account_id: str, external: ExternalId
    ) -> tuple[Surroundings, IdempotencyRecord | None]:
        """
        Read the surroundings of a new adjustment, and what has its external id already.

        Raise NotFoundError where the org or the account has no profile.
        """
        taken = external_key(org_id, "adjustment", external.value)
        around = surroundings_keys(org_id, account_id)
        found = get_items({self._accounts: around, self._table: [taken]})
        return (
            to_surroundings(found, self._accounts, org_id, account_id, owner=None),
            to_idempotency_record(found.get((self._table, *taken))),
        )

    def add(
        self, adjustment: Adjustment, to: Surroundings, cycle: OpenCycle, external: ExternalId
    ) -> None:
        """
        Write an adjustment into the open cycle, all or nothing.

        Raise ContentionError where another cycle is open, or the external id was taken.
        """
        key, table = adjustment.key, self._table
        item = {"record": {"S": to_json(_record(adjustment))}}
        partition = members(key.org_id, key.account_id, adjustment.cycle)
        taken = external_key(key.org_id, "adjustment", external.value)
        writes = [
            put(table, adjustment_key(key), item),
            put(table, (partition, joined("adjustment", key.id)), item),
            put_external(table, taken, key.id, external, key.account_id),
            depend_on_cycle(self._accounts, to, cycle),
        ]
        create(writes)

    def get(self, key: AdjustmentKey) -> Adjustment:
        return to_adjustment(existing(get_item(self._table, adjustment_key(key))))

    def list_page(
        self, org_id: str, account_id: str, after: str | None, limit: int
    ) -> list[Adjustment]:
        """List an account's adjustments, newest first, from the one after `after` on."""
        beginning = adjustment_key(AdjustmentKey(org_id, account_id, ""))
        items = list_after(self._table, beginning, after, limit)
        return [to_adjustment(item) for item in items]


def adjustment_key(key: AdjustmentKey) -> Key:
    return joined("adjustment", key.org_id, key.account_id), joined("adjustment", key.id)


def to_adjustment(item: Item) -> Adjustment:
    record: Record = orjson.loads(item["record"]["S"])
    return Adjustment(
        key=AdjustmentKey(record["org_id"], record["account_id"], record["id"]),
        request=NewAdjustment(
            at=Moment.of(record["at"]),
            period=to_moments(record["period"]),
            amount=to_asked(record["amount"]),
            operation_type=OperationType(record["operation_type"]),
            external_id=record["external_id"],
            description=record["description"],
            transaction_type_id=record["transaction_type_id"],
        ),
        currency=record["currency"],
        tax=to_tax(record["tax"]),
        cycle=date.fromisoformat(record["cycle"]),
        created_at=to_instant(record["created_at"]),
    )


def _record(adjustment: Adjustment) -> Record:
    key, request = adjustment.key, adjustment.request
    return {
        "org_id": key.org_id,
        "account_id": key.account_id,
        "id": key.id,
        "at": request.at.text,
        "period": moments_record(request.period),
        "amount": asked_record(request.amount),
        "operation_type": request.operation_type.value,
        "external_id": request.external_id,
        "description": request.description,
        "transaction_type_id": request.transaction_type_id,
        "currency": adjustment.currency,
        "tax": tax_record(adjustment.tax),
        "cycle": adjustment.cycle.isoformat(),
        "created_at": instant(adjustment.created_at),
    }
