"""
Consumptions and their totals.

    pk                                 sk                             what
    subscription#<org>#<sub>           <type>#<time>#<id>             a usage record
    external#<org>#consumption#<id>    external                       the one with that external id
    in the movements' table
    cycle#<org>#<account>#<date>       total#<sub>#<type>#<unit>#     what the records of a cycle
                                       <tax>#<percentage>#            come to: units, net in minor
                                       <currency>#<treatment>         units, and the treatment

Times are UTC with nine fraction digits, so that a subscription's records of a type sort by when
they were consumed. A total moves in the transaction that stores its records, so it is their sum at
any time. Version 1.0 kept totals without a treatment, under keys that end with the currency.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from heapq import merge
from itertools import batched, islice
from typing import Any

import orjson

from billing import config
from billing.domain.consumptions import (
    Consumption,
    ConsumptionTotal,
    ConsumptionType,
    NewConsumption,
    Unit,
    totals_of,
)
from billing.domain.cycles import OpenCycle
from billing.domain.idempotency import ExternalId, IdempotencyRecord
from billing.domain.money import Money
from billing.domain.movements import Surroundings
from billing.domain.periods import Moment
from billing.domain.records import tax_record, to_json, to_tax
from billing.domain.tax import TaxedAmount
from billing.persistence.cycles import (
    list_members,
    members,
)
from billing.persistence.dynamodb import (
    SEPARATOR,
    Item,
    Key,
    at_once,
    existing,
    get_items,
    joined,
    key_of,
    put,
    query,
    transact,
    update,
)
from billing.persistence.idempotency import external_key, put_external, to_idempotency_record
from billing.persistence.subscriptions import owner_key, subscription
from billing.persistence.surroundings import (
    depend_on_cycle,
    surroundings_keys,
    to_surroundings,
)

_READ_AT_ONCE = 100
_WRITTEN_AT_ONCE = 100
"""What one request to DynamoDB takes."""

type Stored = tuple[Consumption, ExternalId]
"""A usage record, and the name that it takes for ever."""


class ConsumptionRepository:
    """The usage records of all subscriptions, and their totals."""

    def __init__(self) -> None:
        self._accounts = config.accounts_table()
        self._movements = config.movements_table()
        self._table = config.consumptions_table()

    def surroundings(
        self, org_id: str, subscription_id: str, records: Sequence[NewConsumption]
    ) -> tuple[Surroundings, dict[str, IdempotencyRecord]]:
        """
        Return the context of new records, and the external ids that are already used.

        Raise NotFoundError where the subscription belongs to no account yet.
        """
        owner = owner_key(org_id, subscription_id)
        external_ids = {
            external_key(org_id, "consumption", each.external.value): each.external.value
            for each in records
        }
        keys = [(self._movements, owner), *((self._table, key) for key in external_ids)]
        found: dict[tuple[str, str, str], Item] = {}
        for batch in batched(keys, _READ_AT_ONCE, strict=False):
            by_table: dict[str, list[Key]] = {}
            for table, key in batch:
                by_table.setdefault(table, []).append(key)
            found |= get_items(by_table)
        owned = existing(found.get((self._movements, *owner)))
        account_id = owned["account_id"]["S"]
        taken = {
            value: known
            for key, value in external_ids.items()
            if (known := to_idempotency_record(found.get((self._table, *key))))
        }
        around = get_items({self._accounts: surroundings_keys(org_id, account_id)})
        return to_surroundings(around, self._accounts, org_id, account_id, owned), taken

    def add(
        self,
        org_id: str,
        subscription_id: str,
        consumptions: Sequence[Stored],
        to: Surroundings,
        cycle: OpenCycle,
    ) -> None:
        """
        Write records into the open cycle, in one transaction after the other.

        Raise ContentionError where the surroundings have changed: another cycle is open, or an
        external id was taken. What was stored before that stays.
        """
        for some in _transactions(subscription_id, consumptions):
            writes = [
                depend_on_cycle(self._accounts, to, cycle),
                *(
                    update(
                        self._movements,
                        _total_key(members(org_id, to.account.id, cycle.ends_on), total),
                        "SET tax = :tax ADD units :units, net :net",
                        {
                            ":tax": {"S": to_json(tax_record(total.tax))},
                            ":units": {"N": str(total.units)},
                            ":net": {"N": str(total.net.minor)},
                        },
                    )
                    for total in totals_of(subscription_id, [each for each, _ in some])
                ),
            ]
            for each, external in some:
                key = external_key(org_id, "consumption", external.value)
                writes += [
                    put_external(self._table, key, each.id, external, to.account.id),
                    put(self._table, _consumption_key(org_id, subscription_id, each), _item(each)),
                ]
            transact(writes)

    def list_page(
        self,
        org_id: str,
        subscription_id: str,
        kind: ConsumptionType | None,
        start: datetime,
        end: datetime,
        after: tuple[int, str] | None,
        limit: int,
    ) -> list[Consumption]:
        """
        List what was consumed from `start` until before `end`, newest first: a kind of it, or all.

        `after` names the last record of the page before: its nanoseconds and its id.
        """
        pk = subscription(org_id, subscription_id)

        def read(kind: ConsumptionType) -> list[Item]:
            options: dict[str, Any] = {}
            if after:
                key = pk, joined(kind.value, _time(after[0]), after[1])
                options["ExclusiveStartKey"] = key_of(key)
            items = query(
                self._table,
                "pk = :pk AND sk BETWEEN :start AND :end",
                {
                    ":pk": {"S": pk},
                    ":start": {"S": joined(kind.value, _time(_nanoseconds(start)))},
                    ":end": {"S": joined(kind.value, _time(_nanoseconds(end)))},
                },
                ScanIndexForward=False,
                Limit=limit,
                **options,
            )
            return list(islice(items, limit))

        kinds = at_once(read, list(ConsumptionType)) if kind is None else [read(kind)]
        newest_first = merge(*kinds, key=_place, reverse=True)
        return [_to_consumption(item) for item in islice(newest_first, limit)]

    def totals(
        self, org_id: str, account_id: str, ends_on: date, subscription_id: str | None = None
    ) -> list[ConsumptionTotal]:
        """Return the usage totals of a cycle, of the whole account or of one subscription."""
        kind = joined("total", subscription_id) if subscription_id else "total"
        items = list_members(self._movements, org_id, account_id, ends_on, kind)
        return [to_total(item) for item in items]


def _transactions(
    subscription_id: str, consumptions: Sequence[Stored]
) -> Iterator[Sequence[Stored]]:
    """Divide records so that each part fits into one transaction, with its totals and its cycle."""
    start, totals = 0, set[Key]()
    for place, (consumption, _) in enumerate(consumptions):
        [total] = totals_of(subscription_id, [consumption])
        key = _total_key("", total)
        more = totals | {key}
        if 1 + len(more) + 2 * (place + 1 - start) > _WRITTEN_AT_ONCE:
            yield consumptions[start:place]
            start, more = place, {key}
        totals = more
    yield consumptions[start:]


def _consumption_key(org_id: str, subscription_id: str, consumption: Consumption) -> Key:
    time = _time(consumption.at.nanoseconds)
    return subscription(org_id, subscription_id), joined(consumption.type, time, consumption.id)


def _total_key(pk: str, total: ConsumptionTotal) -> Key:
    return pk, joined(
        "total",
        total.subscription_id,
        total.type,
        total.unit,
        total.tax.type,
        f"{total.tax.percentage:f}",
        total.net.currency,
        total.tax.treatment_id,
    )


def _nanoseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * 10**9


def _time(nanoseconds: int) -> str:
    """Write an instant so that texts sort as instants do."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09}Z"


def _item(consumption: Consumption) -> dict[str, Any]:
    amount = consumption.amount
    record = {
        "external_id": consumption.external_id,
        "at": consumption.at.text,
        "units": consumption.units,
        "unit": consumption.unit.value,
        "net": amount.net.minor,
        "gross": amount.gross.minor,
        "currency": amount.net.currency,
        "tax": tax_record(amount.tax),
        "destination": consumption.destination,
        "cycle": consumption.cycle.isoformat(),
    }
    return {"record": {"S": to_json(record)}}


def _place(item: Item) -> str:
    """Return the place of a record among those of all kinds: its time and its id."""
    return str(item["sk"]["S"]).partition(SEPARATOR)[2]


def _to_consumption(item: Item) -> Consumption:
    kind, _, consumption_id = item["sk"]["S"].split(SEPARATOR)
    record = orjson.loads(item["record"]["S"])
    currency = record["currency"]
    return Consumption(
        id=consumption_id,
        external_id=record["external_id"],
        type=ConsumptionType(kind),
        at=Moment.of(record["at"]),
        units=record["units"],
        unit=Unit(record["unit"]),
        amount=TaxedAmount(
            net=Money(record["net"], currency),
            gross=Money(record["gross"], currency),
            tax=to_tax(record["tax"]),
        ),
        destination=record["destination"],
        cycle=date.fromisoformat(record["cycle"]),
    )


def to_total(item: Item) -> ConsumptionTotal:
    _, subscription_id, kind, unit, tax, percentage, currency, *_ = item["sk"]["S"].split(SEPARATOR)
    return ConsumptionTotal(
        subscription_id=subscription_id,
        type=ConsumptionType(kind),
        unit=Unit(unit),
        tax=to_tax(
            orjson.loads(item["tax"]["S"])
            if "tax" in item
            else {"type": tax, "percentage": percentage}
        ),
        units=int(item["units"]["N"]),
        net=Money(int(item["net"]["N"]), currency),
    )
