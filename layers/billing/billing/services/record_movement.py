"""Record a charge or an allowance."""

from datetime import datetime
from typing import Protocol

from billing import deadline
from billing.domain.cycles import OpenCycle
from billing.domain.errors import ContentionError
from billing.domain.idempotency import ExternalId
from billing.domain.ids import new_id
from billing.domain.movements import Movement, MovementKey, NewMovement, Surroundings


class Movements(Protocol):
    def surroundings(
        self, key: MovementKey, account_id: str, external: ExternalId
    ) -> Surroundings | str: ...

    def add(
        self, movement: Movement, to: Surroundings, cycle: OpenCycle, external: ExternalId
    ) -> None: ...


def record_movement(
    org_id: str,
    subscription_id: str,
    request: NewMovement,
    external: ExternalId,
    *,
    now: datetime,
    movements: Movements,
) -> tuple[str, bool]:
    """
    Charge a movement to the account's open cycle; tell its id, and whether it was there before.

    A billing run may close the cycle meanwhile: then the movement falls into the next one.
    """
    key = MovementKey(org_id, subscription_id, new_id(now))
    for _ in deadline.attempts():
        to = movements.surroundings(key, request.account_id, external)
        if isinstance(to, str):
            return to, True
        cycle = to.cycle or OpenCycle.first(to.account, now)
        movement = Movement.charged(key, request, to, cycle, now)
        try:
            movements.add(movement, to, cycle, external)
        except ContentionError:
            continue
        return key.id, False
    raise ContentionError
