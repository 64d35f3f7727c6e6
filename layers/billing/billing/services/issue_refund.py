"""Give money back."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.errors import ContentionError, CycleMovedError, NotFoundError
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.movements import Movement, MovementKey
from billing.domain.refunds import NewRefund, Refund, RefundKey


class Refunds(Protocol):
    def get_for_issue(
        self, key: MovementKey, external: ExternalId | None
    ) -> tuple[Movement, IdempotencyRecord | None]: ...

    def add(self, refund: Refund, movement: Movement, external: ExternalId | None) -> None: ...

    def find(self, key: RefundKey) -> Refund | None: ...


def issue_refund(
    movement_key: MovementKey,
    request: NewRefund,
    external: ExternalId | None,
    *,
    now: datetime,
    reaches: Callable[[str], bool],
    refunds: Refunds,
) -> tuple[RefundKey, int | None, bool]:
    """
    Give money back against a movement, up to what is left of it.

    Answers the refund, its version (None where it was withdrawn since), and whether it had been
    issued before. The open cycle is guessed, as only the movement tells whose it is: where the
    guess is wrong, the table says so, and the refund goes into the right one.
    """
    key, open_cycle = RefundKey(movement_key, new_id(now)), None
    for _ in deadline.attempts():
        movement, taken = refunds.get_for_issue(movement_key, external)
        if not reaches(movement.account_id):
            raise NotFoundError
        known_id = external.replayed(taken) if external else None
        if known_id:
            known = RefundKey(movement_key, known_id)
            refund = refunds.find(known)
            return known, refund.version if refund else None, True
        cycle = open_cycle or movement.likely_cycle(now)
        refund = Refund.pending(key, request, movement, cycle, now)
        try:
            refunds.add(refund, movement, external)
        except CycleMovedError as moved:
            open_cycle = moved.open_cycle
        except ContentionError:
            continue
        else:
            return key, refund.version, False
    raise ContentionError
