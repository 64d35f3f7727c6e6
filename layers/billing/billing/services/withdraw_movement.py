"""Withdraw a movement, while its cycle is open."""

from typing import Protocol

from billing import deadline
from billing.domain.errors import MovementRefundedError, NotFoundError
from billing.domain.movements import Movement, MovementKey
from billing.domain.tokens import Reach


class Movements(Protocol):
    def find(self, key: MovementKey) -> Movement | None: ...

    def remove(self, movement: Movement) -> None: ...


def withdraw_movement(key: MovementKey, *, reach: Reach, movements: Movements) -> None:
    """
    Delete a movement of which nothing is refunded, so that it is never billed.

    If it disappears in between, another request has deleted it, which is as good. Raise
    MovementNotPendingError where its cycle is closed, and MovementRefundedError where some of it is
    refunded.
    """
    was_there = False

    def withdraw() -> None:
        nonlocal was_there
        movement = movements.find(key)
        if movement is None and was_there:
            return
        if movement is None or not reach.includes(movement.account_id):
            raise NotFoundError
        was_there = True
        if movement.refunded:
            raise MovementRefundedError(str(movement.refunded))
        movements.remove(movement)

    deadline.retry(withdraw)
