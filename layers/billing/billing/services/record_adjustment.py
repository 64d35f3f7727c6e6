"""Record an adjustment of an account."""

from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.adjustments import Adjustment, AdjustmentKey, NewAdjustment
from billing.domain.cycles import OpenCycle
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.idempotency import Created, ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.movements import Surroundings
from billing.services.convert_tax import check_rates


class Adjustments(Protocol):
    def surroundings(
        self, org_id: str, account_id: str, external: ExternalId
    ) -> tuple[Surroundings, IdempotencyRecord | None]: ...

    def add(
        self, adjustment: Adjustment, to: Surroundings, cycle: OpenCycle, external: ExternalId
    ) -> None: ...


class Rates(Protocol):
    def find(self, org_id: str, currency: str, day: date) -> ExchangeRate | None: ...


def record_adjustment(
    org_id: str,
    account_id: str,
    request: NewAdjustment,
    external: ExternalId,
    *,
    now: datetime,
    org_time: datetime,
    adjustments: Adjustments,
    rates: Rates,
) -> Created:
    """
    Create an adjustment in the account's open cycle.

    A billing run may close the cycle meanwhile: then the adjustment falls into the next one. Raise
    RateMissingError where it is in a currency that could not be billed.
    """
    key = AdjustmentKey(org_id, account_id, new_id(now))

    def record() -> Created:
        to, taken = adjustments.surroundings(org_id, account_id, external)
        if known := external.replay(taken):
            return known
        cycle = to.cycle or OpenCycle.first(to.account, org_time)
        adjustment = Adjustment.charged(key, request, to, cycle, now)
        last_day = to.check_period(request.period, org_time)
        check_rates([adjustment.amount], to.org, org_time, rates.find, last_day)
        adjustments.add(adjustment, to, cycle, external)
        return Created(key.id)

    return deadline.retry(record)
