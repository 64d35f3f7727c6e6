"""
The rates that orgs have set themselves, in the accounts' table.

    pk          sk      what
    org#<org>   taxes   all rates of an org, with their history, and how often they were changed

They are one item, so that whatever reads the profiles reads them in the same request.
"""

from datetime import date
from typing import Any

import orjson

from billing import config
from billing.domain.records import tax_record, to_json, to_tax
from billing.domain.regimes.es import province_code
from billing.domain.regimes.regime import Rate
from billing.domain.tax_rates import OwnRates
from billing.persistence.dynamodb import (
    Item,
    Key,
    get_item,
    joined,
    put,
    transact,
)


class OwnRatesRepository:
    """The own rates of all orgs."""

    def __init__(self) -> None:
        self._table = config.accounts_table()

    def get(self, org_id: str) -> OwnRates:
        return to_own_rates(get_item(self._table, own_rates_key(org_id)))

    def replace(self, org_id: str, known: OwnRates, changed: OwnRates) -> None:
        """Save what has changed. Raise ContentionError where they were changed meanwhile."""
        item = put(
            self._table,
            own_rates_key(org_id),
            {
                "version": {"N": str(changed.version)},
                "rates": {"S": to_json(_record(changed))},
            },
            expected={"version": known.version} if known.version else None,
        )
        transact([item])


def own_rates_key(org_id: str) -> Key:
    return joined("org", org_id), "taxes"


def to_own_rates(item: Item | None) -> OwnRates:
    """Read an org's own rates; most have none."""
    if item is None:
        return OwnRates()
    record: dict[str, list[Any]] = orjson.loads(item["rates"]["S"])
    return OwnRates(
        version=int(item["version"]["N"]),
        by_place={
            _name(name): tuple(
                Rate(date.fromisoformat(rate["valid_from"]), to_tax(rate["tax"])) for rate in rates
            )
            for name, rates in record.items()
        },
    )


def _name(name: str) -> str:
    """Return the code of a place; provinces of Spain are kept by number, as version 1.0 does."""
    return province_code(int(name)) if name.isdigit() else name


_NUMBERS = {province_code(number): str(number) for number in range(1, 53)}


def _record(own: OwnRates) -> dict[str, list[Any]]:
    return {
        _NUMBERS.get(name, name): [
            {"valid_from": rate.valid_from.isoformat(), "tax": tax_record(rate.tax)}
            for rate in rates
        ]
        for name, rates in own.by_place.items()
    }
