"""Consumptions: what was used of a subscription, record by record, and what it comes to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.domain.cycles import OpenCycle
from billing.domain.errors import (
    AccountClosedError,
    ExternalIdReusedError,
    FieldError,
    InvalidRequestError,
)
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.money import Money
from billing.domain.movements import Surroundings
from billing.domain.periods import Moment
from billing.domain.tax import AskedAmount, Tax, TaxedAmount, tax_totals


class ConsumptionType(StrEnum):
    """A kind of usage that is measured and billed."""

    DATA = "data"
    SMS = "sms"
    VOICE = "voice"


class Unit(StrEnum):
    """The unit of usage; quantities of different units are never added up."""

    BYTES = "bytes"
    MESSAGES = "messages"
    SECONDS = "seconds"


UNITS = {
    ConsumptionType.DATA: Unit.BYTES,
    ConsumptionType.SMS: Unit.MESSAGES,
    ConsumptionType.VOICE: Unit.SECONDS,
}
"""What each type is measured in."""


@dataclass(frozen=True, slots=True)
class NewConsumption:
    """A usage record as it is sent; `field` is where it stands in its request."""

    field: str
    external: ExternalId
    type: ConsumptionType
    at: Moment
    units: int
    unit: Unit
    amount: AskedAmount
    destination: str | None


@dataclass(frozen=True, slots=True)
class Consumption:
    """A usage record; it never changes. `cycle` is the day on which its cycle ends."""

    id: str
    external_id: str
    type: ConsumptionType
    at: Moment
    units: int
    unit: Unit
    amount: TaxedAmount
    destination: str | None
    cycle: date

    @classmethod
    def used(
        cls, consumption_id: str, record: NewConsumption, amount: TaxedAmount, cycle: OpenCycle
    ) -> "Consumption":
        """Create a usage record in the open cycle."""
        return cls(
            id=consumption_id,
            external_id=record.external.value,
            type=record.type,
            at=record.at,
            units=record.units,
            unit=record.unit,
            amount=amount,
            destination=record.destination,
            cycle=cycle.ends_on,
        )


@dataclass(frozen=True, slots=True)
class ConsumptionTotal:
    """The total of a subscription's records of one type, unit, tax and currency in a cycle."""

    subscription_id: str
    type: ConsumptionType
    unit: Unit
    tax: Tax
    units: int
    net: Money


@dataclass(frozen=True, slots=True)
class TypeTotal:
    """The total of the records of one type, unit and currency, with and without tax."""

    type: ConsumptionType
    unit: Unit
    units: int
    net: Money
    gross: Money


def untaken(
    records: Iterable[NewConsumption], taken: Mapping[str, IdempotencyRecord]
) -> list[NewConsumption]:
    """
    Return the records that are not stored yet, each of them once.

    Raise ExternalIdReusedError naming every record whose external id belongs to a different one,
    in a table or earlier in the same request.
    """
    fingerprints = {value: each.fingerprint for value, each in taken.items()}
    new, reused = [], []
    for record in records:
        value, fingerprint = record.external.value, record.external.fingerprint
        if value not in fingerprints:
            fingerprints[value] = fingerprint
            new.append(record)
        elif fingerprints[value] != fingerprint:
            reused.append(record)
    if reused:
        first = reused[0].external.value
        raise ExternalIdReusedError(
            first,
            taken[first].existing if first in taken else None,
            *(
                FieldError(
                    f"{record.field}.external_consumption_unique_id",
                    f"{record.external.value!r} was used with a different record",
                )
                for record in reused
            ),
        )
    return new


def taxed_amounts(records: Iterable[NewConsumption], to: Surroundings) -> list[TaxedAmount]:
    """
    Return the exact amounts of new records.

    Raise AccountClosedError, and InvalidRequestError naming every amount that cannot be right.
    """
    if to.account.closed:
        raise AccountClosedError
    amounts, wrong = list[TaxedAmount](), list[FieldError]()
    for record in records:
        try:
            amounts.append(to.taxed(record.amount, record.at))
        except InvalidRequestError as error:
            wrong += error.within(record.field).details
    if wrong:
        raise InvalidRequestError("Some amounts are not valid.", *wrong)
    return amounts


def totals_of(
    subscription_id: str, consumptions: Iterable[Consumption]
) -> Sequence[ConsumptionTotal]:
    """Return the totals of records."""
    sums: dict[tuple[ConsumptionType, Unit, Tax, str], tuple[int, Money]] = {}
    for each in consumptions:
        net = each.amount.net
        key = each.type, each.unit, each.amount.tax, net.currency
        units, sum_of_nets = sums.get(key, (0, Money.zero(net.currency)))
        sums[key] = units + each.units, sum_of_nets + net
    return [
        ConsumptionTotal(subscription_id, type_, unit, tax, units, net)
        for (type_, unit, tax, _), (units, net) in sums.items()
    ]


def totals_by_type(totals: Iterable[ConsumptionTotal]) -> list[TypeTotal]:
    """Return totals without a distinction by tax; each rate is charged on its sum."""
    groups: dict[tuple[ConsumptionType, Unit, str], list[ConsumptionTotal]] = {}
    for total in totals:
        groups.setdefault((total.type, total.unit, total.net.currency), []).append(total)
    by_type = []
    for (type_, unit, currency), group in sorted(groups.items()):
        taxes = tax_totals((total.tax, total.net) for total in group)
        net = sum((each.net for each in taxes), Money.zero(currency))
        gross = sum((each.amount for each in taxes), net)
        by_type.append(TypeTotal(type_, unit, sum(total.units for total in group), net, gross))
    return by_type
