"""Record what was used of a subscription."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from billing import deadline
from billing.domain.consumptions import Consumption, NewConsumption, taxed_amounts, untaken
from billing.domain.cycles import OpenCycle
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.ids import new_id
from billing.domain.movements import Surroundings
from billing.domain.tokens import Reach
from billing.services.convert_tax import check_rates


class Consumptions(Protocol):
    def surroundings(
        self, org_id: str, subscription_id: str, records: Sequence[NewConsumption]
    ) -> tuple[Surroundings, dict[str, IdempotencyRecord]]: ...

    def add(
        self,
        org_id: str,
        subscription_id: str,
        consumptions: Sequence[tuple[Consumption, ExternalId]],
        to: Surroundings,
        cycle: OpenCycle,
    ) -> None: ...


class Rates(Protocol):
    def find(self, org_id: str, currency: str, day: date) -> ExchangeRate | None: ...


def record_consumptions(
    org_id: str,
    subscription_id: str,
    records: Sequence[NewConsumption],
    *,
    now: datetime,
    org_time: datetime,
    reach: Reach,
    consumptions: Consumptions,
    rates: Rates,
) -> int:
    """
    Write usage records into the account's open cycle, each of them once; return how many were new.

    They may be more than one transaction holds: where the request breaks off, some are stored and
    some are not, and the same request again stores the rest. A billing run may close the cycle
    meanwhile: then what is left falls into the next one. An external id of a different
    record is refused before anything is stored, unless another request takes it that very moment.
    Raise RateMissingError where a currency could not be billed.
    """
    ids = {record.external.value: new_id(now) for record in records}

    def record_new() -> int:
        to, taken = consumptions.surroundings(org_id, subscription_id, records)
        to.check_reach(reach)
        new = untaken(records, taken)
        stored = sum(known.id == ids[value] for value, known in taken.items())
        if new:
            cycle = to.cycle or OpenCycle.first(to.account, org_time)
            amounts = taxed_amounts(new, to)
            check_rates(amounts, to.org, org_time, rates.find)
            used = [
                (
                    Consumption.used(ids[record.external.value], record, amount, cycle),
                    record.external,
                )
                for record, amount in zip(new, amounts, strict=True)
            ]
            consumptions.add(org_id, subscription_id, used, to, cycle)
        return stored + len(new)

    return deadline.retry(record_new)
