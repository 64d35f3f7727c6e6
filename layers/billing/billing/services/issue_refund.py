"""Issue a refund."""

from dataclasses import replace
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.credit_notes import Creditable
from billing.domain.cycles import ClosedCycle, OpenCycle
from billing.domain.errors import (
    ContentionError,
    CycleMovedError,
    NotFoundError,
    RefundWithdrawnError,
)
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.movements import Movement, MovementKey
from billing.domain.refunds import NewRefund, Refund, RefundKey
from billing.domain.tokens import Reach
from billing.services.refund_originals import Invoices, original_of, reserved


class Refunds(Protocol):
    def get_for_issue(
        self, key: MovementKey, external: ExternalId | None
    ) -> tuple[Movement, IdempotencyRecord | None]: ...

    def add(
        self,
        refund: Refund,
        movement: Movement,
        original: Creditable | None,
        external: ExternalId | None,
    ) -> None: ...

    def find(self, key: RefundKey) -> Refund | None: ...


class Cycles(Protocol):
    def get_open(
        self, org_id: str, account_id: str, closed: date
    ) -> tuple[OpenCycle, ClosedCycle | None]: ...


def issue_refund(
    movement_key: MovementKey,
    request: NewRefund,
    external: ExternalId | None,
    *,
    now: datetime,
    org_time: datetime,
    reach: Reach,
    refunds: Refunds,
    cycles: Cycles,
    invoices: Invoices,
) -> Created:
    """
    Create a refund of a movement, up to what is left of it and of its invoice.

    While the movement's cycle is likely to be open, the refund goes into it at once: where the
    guess is wrong, the write fails, and the cycles are read. Raise RefundWithdrawnError where
    the same refund was issued and withdrawn before.
    """
    key, is_open = RefundKey(movement_key, new_id(now)), True

    def issue() -> Created:
        nonlocal is_open
        movement, record = refunds.get_for_issue(movement_key, external)
        if not reach.includes(movement.account_id):
            raise NotFoundError
        if external and record:
            first = refunds.find(_refund_of(record, movement_key))
            known = external.replay(replace(record, withdrawn=first is None))
            if known and first:
                return replace(known, version=first.version)
            raise RefundWithdrawnError
        cycle, original = movement.cycle, None
        if not is_open or movement.likely_cycle(org_time) != movement.cycle:
            opened, closed = cycles.get_open(
                movement_key.org_id, movement.account_id, movement.cycle
            )
            cycle = opened.ends_on
            if closed is None and cycle != movement.cycle:
                raise ContentionError  # the two were read on either side of a billing run
            original = original_of(movement, closed, invoices) if request.billable else None
        refund = Refund.pending(key, request, movement, cycle, now)
        reservation, original = reserved(movement, refund, original)
        refund = replace(refund, reservation=reservation)
        try:
            refunds.add(refund, movement, original, external)
        except CycleMovedError as moved:
            is_open = False
            raise ContentionError from moved
        return Created(key.id, version=refund.version)

    return deadline.retry(issue)


def _refund_of(record: IdempotencyRecord, movement: MovementKey) -> RefundKey:
    """Return the key of the refund that has an external id; version 1.0 kept its own id alone."""
    if record.name:
        subscription_id, movement_id, _ = record.name.ids
        movement = MovementKey(movement.org_id, subscription_id, movement_id)
    return RefundKey(movement, record.id)
