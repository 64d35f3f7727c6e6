"""Change a refund, or withdraw it, while its cycle is open."""

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.cycles import ClosedCycles
from billing.domain.errors import (
    ContentionError,
    NotFoundError,
    PreconditionFailedError,
    RefundNotPendingError,
)
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.movements import Movement
from billing.domain.refunds import NewRefund, Refund, RefundKey


class Refunds(Protocol):
    def get_for_change(
        self, key: RefundKey, external: ExternalId | None = None
    ) -> tuple[Refund, Movement, IdempotencyRecord | None]: ...

    def replace(
        self, refund: Refund, replaced: Refund, movement: Movement, external: ExternalId
    ) -> None: ...

    def remove(self, refund: Refund, movement: Movement) -> None: ...


class Cycles(Protocol):
    def find_closed(self, org_id: str, account_id: str, dates: Iterable[date]) -> ClosedCycles: ...


def replace_refund(
    key: RefundKey,
    request: NewRefund,
    external: ExternalId,
    *,
    versions: Collection[int] | None,
    now: datetime,
    reaches: Callable[[str], bool],
    refunds: Refunds,
    cycles: Cycles,
) -> int:
    """
    Say something else of a refund that is pending; tell its version then.

    `versions` are those that the caller knows, None where any will do. What is said already is
    not written again, also where the caller knows only the version before: that is how a request
    looks whose first answer was lost.
    """
    for _ in deadline.attempts():
        refund, movement, taken = refunds.get_for_change(key, external)
        if not reaches(refund.account_id):
            raise NotFoundError
        is_said = refund.says(request)
        if versions is not None and not (
            refund.version in versions or (is_said and refund.version - 1 in versions)
        ):
            raise PreconditionFailedError
        if is_said:
            if cycles.find_closed(key.movement.org_id, refund.account_id, [refund.cycle]):
                raise RefundNotPendingError
            return refund.version
        if refund.request.external_id is None:
            external.replayed(taken)
        replaced = refund.replaced(request, movement, now)
        try:
            refunds.replace(refund, replaced, movement, external)
        except ContentionError:
            continue
        return replaced.version
    raise ContentionError


def withdraw_refund(
    key: RefundKey,
    *,
    versions: Collection[int] | None,
    reaches: Callable[[str], bool],
    refunds: Refunds,
) -> None:
    """
    Take a refund back, so that what it took of its movement can be refunded again.

    Where it was there at first and then is not, it is withdrawn as asked, whoever did it.
    """
    for attempt in deadline.attempts():
        try:
            refund, movement, _ = refunds.get_for_change(key)
        except NotFoundError:
            if attempt:
                return
            raise
        if not reaches(refund.account_id):
            raise NotFoundError
        if versions is not None and refund.version not in versions:
            raise PreconditionFailedError
        try:
            refunds.remove(refund, movement)
        except ContentionError:
            continue
        return
    raise ContentionError
