"""
Refunds.

    pk                              sk                                    what
    movement#<org>#<sub>#<mov>      refund#<id>                           a refund, and its version
    external#<org>#refund#<id>      external                              the one with that
                                                                          external id; it stays
                                                                          when the refund goes
    in the movements' table
    cycle#<org>#<account>#<date>    refund#<subscription>#<mov>#<id>      a copy of each billable
                                                                          refund of a cycle, to be
                                                                          billed together

The refunded amount is kept with the movement, and the amount reserved on its invoice with the
invoice: both change in the same transaction as the refund.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from typing import Any

import orjson

from billing import config
from billing.domain.credit_notes import Creditable
from billing.domain.errors import (
    CycleMovedError,
    RefundNotPendingError,
)
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.movements import Movement, MovementKey
from billing.domain.periods import Moment
from billing.domain.records import (
    Record,
    asked_record,
    instant,
    known,
    moments_record,
    tax_record,
    to_asked,
    to_instant,
    to_json,
    to_moments,
    to_tax,
)
from billing.domain.refunds import NewRefund, Refund, RefundKey, Reservation
from billing.domain.tax import TaxedAmount
from billing.persistence.cycles import (
    check_open_cycle,
    list_members,
    members,
    open_cycle_key,
)
from billing.persistence.dynamodb import (
    ConditionFailedError,
    Item,
    Key,
    delete,
    existing,
    get_item,
    get_items,
    joined,
    list_after,
    put,
    transact,
    update,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.invoice_items import put_credits
from billing.persistence.movements import movement_key, to_movement

_CYCLE, _REFUND = 0, 1
"""The places, in every transaction, of the check of the open cycle and of the refund itself."""


class RefundRepository:
    """The refunds of all movements."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._movements = config.movements_table()
        self._invoices = config.invoices_table()
        self._table = config.refunds_table()

    # ---------------------------------------------------------------- read

    def get(self, key: RefundKey) -> Refund:
        return to_refund(existing(get_item(self._table, _refund_key(key))))

    def find(self, key: RefundKey) -> Refund | None:
        item = get_item(self._table, _refund_key(key))
        return to_refund(item) if item else None

    def list_page(self, key: MovementKey, after: str | None, limit: int) -> list[Refund]:
        """List a movement's refunds, newest first, from the one after `after` on."""
        items = list_after(self._table, _refund_key(RefundKey(key, "")), after, limit)
        return [to_refund(item) for item in items]

    def list_of_cycle(self, org_id: str, account_id: str, ends_on: date) -> Iterator[Refund]:
        """List the billable refunds that fall into a cycle."""
        items = list_members(self._movements, org_id, account_id, ends_on, "refund")
        return map(to_refund, items)

    def get_for_issue(
        self, key: MovementKey, external: ExternalId | None
    ) -> tuple[Movement, IdempotencyRecord | None]:
        """Read the movement of a new refund, and what has its external id already."""
        movement, taken = movement_key(key), _external_key(key.org_id, external)
        found = get_items(
            {self._movements: [movement], **({self._table: [taken]} if taken else {})}
        )
        return (
            to_movement(existing(found.get((self._movements, *movement)))),
            to_idempotency_record(found.get((self._table, *taken))) if taken else None,
        )

    def get_for_change(self, key: RefundKey) -> tuple[Refund, Movement]:
        """Read a refund and its movement."""
        movement, refund = movement_key(key.movement), _refund_key(key)
        found = get_items({self._movements: [movement], self._table: [refund]})
        return (
            to_refund(existing(found.get((self._table, *refund)))),
            to_movement(found[self._movements, *movement]),
        )

    # ---------------------------------------------------------------- write

    def add(
        self,
        refund: Refund,
        movement: Movement,
        original: Creditable | None,
        external: ExternalId | None,
    ) -> None:
        """
        Write a refund, all or nothing, if that much of the movement can still be refunded.

        `original` is the invoice that the refund reserves its amount on, with the reservation.
        Raise CycleMovedError where another cycle is open, and ContentionError where less is left,
        the invoice has changed, or the external id was taken meanwhile.
        """
        writes = [
            self._check_cycle(refund),
            put(self._table, _refund_key(refund.key), _item(refund)),
            self._move_cap(movement, refund.amount),
            *self._reserve(original),
            *self._take(refund, external),
            *self._copy(refund),
        ]
        try:
            transact(writes)
        except ConditionFailedError as error:
            if _REFUND in error.failed:
                return  # nobody else makes this id: an earlier try went through
            if _CYCLE in error.failed:
                open_cycle = date.fromisoformat(error.failed[_CYCLE]["ends_on"]["S"])
                raise CycleMovedError(open_cycle) from error
            raise

    def replace(
        self,
        refund: Refund,
        replaced: Refund,
        movement: Movement,
        original: Creditable | None,
    ) -> None:
        """
        Replace a refund and its reservation, all or nothing.

        Raise RefundNotPendingError where its cycle is closed, and ContentionError where it is not
        what `refund` says any more, the invoice has changed, or less is left of the movement.
        """
        writes = [
            self._check_cycle(refund),
            put(
                self._table,
                _refund_key(refund.key),
                _item(replaced),
                expected={"version": refund.version},
            ),
            self._move_cap(movement, replaced.amount, freed=refund.amount),
            *self._reserve(original),
            *(self._copy(replaced) if replaced.request.billable else self._forget_copy(refund)),
        ]
        self._transact(writes)

    def remove(self, refund: Refund, movement: Movement, original: Creditable | None) -> None:
        """
        Delete a refund and release its amount on the movement and its invoice, all or nothing.

        Raise what replace() does.
        """
        writes = [
            self._check_cycle(refund),
            delete(self._table, _refund_key(refund.key), expected={"version": refund.version}),
            self._move_cap(movement, freed=refund.amount),
            *self._reserve(original),
            *self._forget_copy(refund),
        ]
        self._transact(writes)

    # ---------------------------------------------------------------- inside

    def _transact(self, writes: list[Any]) -> None:
        try:
            transact(writes)
        except ConditionFailedError as error:
            if error.failed.keys() == {_CYCLE}:
                raise RefundNotPendingError from error
            raise

    def _check_cycle(self, refund: Refund) -> Any:
        key = open_cycle_key(refund.key.movement.org_id, refund.account_id)
        return check_open_cycle(self._accounts, key, refund.cycle)

    def _move_cap(
        self,
        movement: Movement,
        amount: TaxedAmount | None = None,
        freed: TaxedAmount | None = None,
    ) -> Any:
        """Add an amount to what is refunded, less a freed one; never exceed the movement."""
        gross = (amount.gross.minor if amount else 0) - (freed.gross.minor if freed else 0)
        net = (amount.net.minor if amount else 0) - (freed.net.minor if freed else 0)
        return update(
            self._movements,
            movement_key(movement.key),
            "SET refunded = refunded + :gross, refunded_net = refunded_net + :net",
            {":gross": {"N": str(gross)}, ":net": {"N": str(net)}},
            at_most={
                "refunded": movement.amount.gross.minor - gross,
                "refunded_net": movement.amount.net.minor - net,
            },
        )

    def _reserve(self, original: Creditable | None) -> list[Any]:
        if original is None:
            return []
        return [put_credits(self._invoices, original)]

    def _take(self, refund: Refund, external: ExternalId | None) -> list[Any]:
        key = _external_key(refund.key.movement.org_id, external)
        if key is None or external is None:
            return []
        return [put_external(self._table, key, refund.key.id, external, refund.account_id)]

    def _copy(self, refund: Refund) -> list[Any]:
        if not refund.request.billable:
            return []
        return [put(self._movements, refund_copy_key(refund), _item(refund), new=False)]

    def _forget_copy(self, refund: Refund) -> list[Any]:
        return [delete(self._movements, refund_copy_key(refund))] if refund.request.billable else []


def _refund_key(key: RefundKey) -> Key:
    return refunds_pk(key.movement), joined("refund", key.id)


def refunds_pk(key: MovementKey) -> str:
    return joined("movement", key.org_id, key.subscription_id, key.id)


def refund_copy_key(refund: Refund) -> Key:
    movement = refund.key.movement
    return (
        members(movement.org_id, refund.account_id, refund.cycle),
        joined("refund", movement.subscription_id, movement.id, refund.key.id),
    )


def _external_key(org_id: str, external: ExternalId | None) -> Key | None:
    return external_key(org_id, "refund", external.value) if external else None


def _item(refund: Refund) -> dict[str, Any]:
    movement, request = refund.key.movement, refund.request
    record: Record = {
        "org_id": movement.org_id,
        "subscription_id": movement.subscription_id,
        "movement_id": movement.id,
        "id": refund.key.id,
        "account_id": refund.account_id,
        "at": request.at.text,
        "period": moments_record(request.period),
        "amount": asked_record(request.amount),
        "billable": request.billable,
        "external_id": request.external_id,
        "external_invoice_id": request.external_invoice_id,
        "transaction_type_id": request.transaction_type_id,
        "description": request.description,
        "currency": refund.currency,
        "tax": tax_record(refund.tax),
        "cycle": refund.cycle.isoformat(),
        "line_key": refund.line_key,
        "reservation": refund.reservation and asdict(refund.reservation),
        "created_at": instant(refund.created_at),
        "updated_at": instant(refund.updated_at),
    }
    return {"record": {"S": to_json(record)}, "version": {"N": str(refund.version)}}


def to_refund(item: Item) -> Refund:
    record: Record = orjson.loads(item["record"]["S"])
    movement = MovementKey(record["org_id"], record["subscription_id"], record["movement_id"])
    return Refund(
        key=RefundKey(movement, record["id"]),
        request=NewRefund(
            at=Moment.of(record["at"]),
            period=to_moments(record["period"]),
            amount=to_asked(record["amount"]),
            billable=record["billable"],
            external_id=record["external_id"],
            external_invoice_id=record["external_invoice_id"],
            transaction_type_id=record["transaction_type_id"],
            description=record["description"],
        ),
        account_id=record["account_id"],
        currency=record["currency"],
        tax=to_tax(record["tax"]),
        cycle=date.fromisoformat(record["cycle"]),
        line_key=record["line_key"],
        reservation=Reservation(**known(Reservation, record["reservation"]))
        if record["reservation"]
        else None,
        version=int(item["version"]["N"]),
        created_at=to_instant(record["created_at"]),
        updated_at=to_instant(record["updated_at"]),
    )
