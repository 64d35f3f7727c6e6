"""Record a charge or an allowance."""

from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.cycles import OpenCycle
from billing.domain.errors import MovementDeletedError
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.movements import Movement, MovementKey, NewMovement, Surroundings
from billing.domain.tokens import Reach
from billing.services.convert_tax import check_rates


class Movements(Protocol):
    def surroundings(
        self, key: MovementKey, account_id: str, external: ExternalId
    ) -> tuple[Surroundings, IdempotencyRecord | None]: ...

    def add(
        self, movement: Movement, to: Surroundings, cycle: OpenCycle, external: ExternalId
    ) -> None: ...


class Rates(Protocol):
    def find(self, org_id: str, currency: str, day: date) -> ExchangeRate | None: ...


def record_movement(
    org_id: str,
    subscription_id: str,
    request: NewMovement,
    external: ExternalId,
    *,
    now: datetime,
    reach: Reach,
    org_time: datetime,
    movements: Movements,
    rates: Rates,
) -> Created:
    """
    Create a movement in the account's open cycle.

    A billing run may close the cycle meanwhile: then the movement falls into the next one. Raise
    NotFoundError where the subscription is not registered to an account within `reach`, and
    MovementDeletedError where the same movement was created and deleted before, and
    RateMissingError where it is in a currency that could not be billed. If `reach` is all accounts,
    a new subscription is registered with its first movement.
    """
    key = MovementKey(org_id, subscription_id, new_id(now))

    def record() -> Created:
        to, taken = movements.surroundings(key, request.account_id, external)
        to.check_reach(reach)
        if known := external.replay(taken):
            if taken and taken.withdrawn:
                raise MovementDeletedError
            return known
        cycle = to.cycle or OpenCycle.first(to.account, org_time)
        movement = Movement.charged(key, request, to, cycle, now)
        last_day = to.check_period(request.period, org_time)
        check_rates([movement.amount], to.org, org_time, rates.find, last_day)
        movements.add(movement, to, cycle, external)
        return Created(key.id)

    return deadline.retry(record)
