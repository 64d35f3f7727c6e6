"""
Movements, and how much of each was refunded.

    pk                                sk                              what
    subscription#<org>#<sub>          movement#<id>                   a movement; `refunded` and
                                                                      `refunded_net` in minor units
    cycle#<org>#<account>#<date>      movement#<subscription>#<id>    a copy of each movement of a
                                                                      cycle, to be billed together
    external#<org>#movement#<id>      external                        the one with that external id

Ids sort by time, and so do a subscription's movements. Only the refunded amounts of a movement ever
change; the copy in the cycle does not get these changes. While its cycle is open and nothing of it
is refunded, both can be deleted; the external id stays.
"""

from datetime import date

import orjson

from billing import config
from billing.domain.cycles import OpenCycle
from billing.domain.errors import MovementNotPendingError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.money import Money
from billing.domain.movements import (
    Movement,
    MovementKey,
    MovementKind,
    NewMovement,
    OperationType,
    Surroundings,
)
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
from billing.persistence.cycles import (
    check_open_cycle,
    members,
    open_cycle_key,
)
from billing.persistence.dynamodb import (
    ConditionFailedError,
    Item,
    Key,
    create,
    delete,
    existing,
    get_item,
    get_items,
    joined,
    list_after,
    put,
    transact,
)
from billing.persistence.idempotency import (
    external_key,
    put_external,
    to_idempotency_record,
    withdraw_external,
)
from billing.persistence.subscriptions import owner_key, put_subscription, subscription
from billing.persistence.surroundings import (
    depend_on_cycle,
    surroundings_keys,
    to_surroundings,
)

_CYCLE = 0
"""The place of the check of the open cycle in the transaction that deletes a movement."""


class MovementRepository:
    """The movements of all subscriptions."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._table = config.movements_table()

    def surroundings(
        self, key: MovementKey, account_id: str, external: ExternalId
    ) -> tuple[Surroundings, IdempotencyRecord | None]:
        """
        Read the surroundings of a new movement, and what has its external id already.

        Raise NotFoundError where the org or the account has no profile.
        """
        owner = owner_key(key.org_id, key.subscription_id)
        taken = external_key(key.org_id, "movement", external.value)
        around = surroundings_keys(key.org_id, account_id)
        found = get_items({self._accounts: around, self._table: [owner, taken]})
        owned = found.get((self._table, *owner))
        return (
            to_surroundings(found, self._accounts, key.org_id, account_id, owned),
            to_idempotency_record(found.get((self._table, *taken))),
        )

    def add(
        self, movement: Movement, to: Surroundings, cycle: OpenCycle, external: ExternalId
    ) -> None:
        """
        Write a movement into the open cycle, all or nothing.

        Raise ContentionError where the surroundings have changed: another cycle is open, the
        subscription has an owner, or the external id was taken.
        """
        key, table = movement.key, self._table
        item = {
            "record": {"S": to_json(_record(movement))},
            "refunded": {"N": "0"},
            "refunded_net": {"N": "0"},
        }
        taken = external_key(key.org_id, "movement", external.value)
        writes = [
            put(table, movement_key(key), item),
            put(table, _copy_key(movement), item),
            put_external(table, taken, key.id, external, movement.account_id),
            depend_on_cycle(self._accounts, to, cycle),
        ]
        if to.owner_id is None:
            writes += put_subscription(
                self._accounts, table, key.org_id, movement.account_id, key.subscription_id
            )
        create(writes)

    def remove(self, movement: Movement) -> None:
        """
        Delete a movement and its copy in the open cycle, all or nothing.

        Raise MovementNotPendingError where its cycle is closed, and ContentionError where
        something of it is refunded, or it is gone.
        """
        key = movement.key
        cycle_key = open_cycle_key(key.org_id, movement.account_id)
        writes = [
            check_open_cycle(self._accounts, cycle_key, movement.cycle),
            delete(self._table, movement_key(key), expected={"refunded": 0, "refunded_net": 0}),
            delete(self._table, _copy_key(movement)),
            withdraw_external(
                self._table,
                external_key(key.org_id, "movement", movement.request.external_id),
                key.id,
            ),
        ]
        try:
            transact(writes)
        except ConditionFailedError as error:
            if error.failed.keys() == {_CYCLE}:
                raise MovementNotPendingError from error
            raise

    def get(self, key: MovementKey) -> Movement:
        return to_movement(existing(get_item(self._table, movement_key(key))))

    def find(self, key: MovementKey) -> Movement | None:
        item = get_item(self._table, movement_key(key))
        return to_movement(item) if item else None

    def list_page(
        self, org_id: str, subscription_id: str, after: str | None, limit: int
    ) -> list[Movement]:
        """List a subscription's movements, newest first, from the one after `after` on."""
        beginning = movement_key(MovementKey(org_id, subscription_id, ""))
        items = list_after(self._table, beginning, after, limit)
        return [to_movement(item) for item in items]


def _copy_key(movement: Movement) -> Key:
    key = movement.key
    return (
        members(key.org_id, movement.account_id, movement.cycle),
        joined("movement", key.subscription_id, key.id),
    )


def movement_key(key: MovementKey) -> Key:
    return subscription(key.org_id, key.subscription_id), joined("movement", key.id)


def to_movement(item: Item) -> Movement:
    record: Record = orjson.loads(item["record"]["S"])
    currency = record["currency"]
    return Movement(
        key=MovementKey(record["org_id"], record["subscription_id"], record["id"]),
        request=NewMovement(
            account_id=record["account_id"],
            at=Moment.of(record["at"]),
            period=to_moments(record["period"]),
            amount=to_asked(record["amount"]),
            operation_type=OperationType(record["operation_type"]),
            kind=MovementKind(record["kind"]),
            external_id=record["external_id"],
            description=record["description"],
            transaction_type_id=record.get("transaction_type_id"),
        ),
        currency=currency,
        tax=to_tax(record["tax"]),
        cycle=date.fromisoformat(record["cycle"]),
        billing_day=record["billing_day"],
        time_zone=record["time_zone"],
        created_at=to_instant(record["created_at"]),
        refunded=Money(int(item["refunded"]["N"]), currency),
        refunded_net=Money(int(item["refunded_net"]["N"]), currency),
    )


def _record(movement: Movement) -> Record:
    key, request = movement.key, movement.request
    return {
        "org_id": key.org_id,
        "subscription_id": key.subscription_id,
        "id": key.id,
        "account_id": request.account_id,
        "at": request.at.text,
        "period": moments_record(request.period),
        "amount": asked_record(request.amount),
        "operation_type": request.operation_type.value,
        "kind": request.kind.value,
        "external_id": request.external_id,
        "description": request.description,
        "transaction_type_id": request.transaction_type_id,
        "currency": movement.currency,
        "tax": tax_record(movement.tax),
        "cycle": movement.cycle.isoformat(),
        "billing_day": movement.billing_day,
        "time_zone": movement.time_zone,
        "created_at": instant(movement.created_at),
    }
