"""Change a refund, or withdraw it, while its cycle is open."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.credit_notes import Creditable
from billing.domain.cycles import ClosedCycles
from billing.domain.errors import NotFoundError, RefundNotPendingError
from billing.domain.movements import Movement
from billing.domain.refunds import NewRefund, Refund, RefundKey
from billing.domain.tokens import Reach
from billing.domain.versions import check_version
from billing.services.refund_originals import (
    Invoices,
    original_of,
    original_reserved,
    reserved,
)


class Refunds(Protocol):
    def get_for_change(self, key: RefundKey) -> tuple[Refund, Movement]: ...

    def replace(
        self,
        refund: Refund,
        replaced: Refund,
        movement: Movement,
        original: Creditable | None,
    ) -> None: ...

    def remove(self, refund: Refund, movement: Movement, original: Creditable | None) -> None: ...


class Cycles(Protocol):
    def find_closed(self, org_id: str, account_id: str, dates: Iterable[date]) -> ClosedCycles: ...


def replace_refund(
    key: RefundKey,
    request: NewRefund,
    *,
    versions: Collection[int] | None,
    now: datetime,
    reach: Reach,
    refunds: Refunds,
    cycles: Cycles,
    invoices: Invoices,
) -> int:
    """
    Replace a pending refund and return its new version.

    `versions` are those that the caller knows, None for any. A replacement that changes nothing
    is not written.
    """
    org_id = key.movement.org_id

    def change() -> int:
        refund, movement = refunds.get_for_change(key)
        if not reach.includes(refund.account_id):
            raise NotFoundError
        is_said = refund.says(request)
        check_version(refund.version, versions, is_said=is_said)
        if is_said:
            if cycles.find_closed(org_id, refund.account_id, [refund.cycle]):
                raise RefundNotPendingError
            return refund.version
        replaced = refund.replaced(request, movement, now)
        original = original_reserved(refund, invoices)
        if original is None and request.billable and refund.cycle != movement.cycle:
            closed = cycles.find_closed(org_id, refund.account_id, [movement.cycle])
            original = original_of(movement, closed.get(movement.cycle), invoices)
        freed = refund.amount.net if refund.reservation else None
        reservation, original = reserved(movement, replaced, original, freed)
        replaced = replace(replaced, reservation=reservation)
        refunds.replace(refund, replaced, movement, original)
        return replaced.version

    return deadline.retry(change)


def withdraw_refund(
    key: RefundKey,
    *,
    versions: Collection[int] | None,
    reach: Reach,
    refunds: Refunds,
    invoices: Invoices,
) -> None:
    """
    Delete a pending refund, so that its amount of the movement can be refunded again.

    If it disappears in between, another request has withdrawn it, which is as good.
    """
    was_there = False

    def withdraw() -> None:
        nonlocal was_there
        try:
            refund, movement = refunds.get_for_change(key)
        except NotFoundError:
            if was_there:
                return
            raise
        if not reach.includes(refund.account_id):
            raise NotFoundError
        check_version(refund.version, versions)
        was_there = True
        refunds.remove(refund, movement, original_reserved(refund, invoices))

    deadline.retry(withdraw)
