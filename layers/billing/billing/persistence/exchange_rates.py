"""
Exchange rates, in the accounts' table.

    pk                sk                                what
    org#<org>         exchange-rate#<currency>#<date>   a rate that the org has set itself
    exchange-rates    <date>                            the ECB's reference rates of a day, stored
                                                        once for all orgs

The rate of a day is the last one up to it, so that each is found by one query for one item.
"""

from datetime import date
from decimal import Decimal

import orjson

from billing import config
from billing.domain.errors import NotFoundError
from billing.domain.exchange_rates import MAX_AGE, DailyRates, ExchangeRate
from billing.domain.records import to_json
from billing.persistence.dynamodb import Item, Key, delete_item, get_item, joined, put_item, query

_OF_ALL = "exchange-rates"


class ExchangeRateRepository:
    """The ECB's rates, and those of all orgs."""

    def __init__(self) -> None:
        self._table = config.accounts_table()

    def get_own(self, org_id: str, currency: str, day: date) -> ExchangeRate:
        """Read the rate that an org has set for a day. Raise NotFoundError where it has none."""
        item = get_item(self._table, _own_key(org_id, currency, day))
        if item is None:
            raise NotFoundError("The org has set no exchange rate for this currency and day.")
        return ExchangeRate(currency, day, Decimal(item["per_euro"]["S"]))

    def put_own(self, org_id: str, rate: ExchangeRate) -> None:
        """Write an org's rate of a day, in the place of an earlier one."""
        key = _own_key(org_id, rate.currency, rate.day)
        put_item(self._table, key, {"per_euro": {"S": str(rate.per_euro)}})

    def delete_own(self, org_id: str, currency: str, day: date) -> None:
        """Delete an org's rate of a day, if it has one."""
        delete_item(self._table, _own_key(org_id, currency, day))

    def find(self, org_id: str, currency: str, day: date) -> ExchangeRate | None:
        """
        Find the rate for a day: the org's own, or else the ECB's; None if both are too old.

        A rate of its own is worth a query, the ECB's one more.
        """
        own = self._last(_own_key(org_id, currency, day), day)
        if own:
            return ExchangeRate(currency, _day_of(own), Decimal(own["per_euro"]["S"]))
        item = self._last((_OF_ALL, day.isoformat()), day)
        rates = orjson.loads(item["rates"]["S"]) if item else {}
        if item is None or currency not in rates:
            return None
        return ExchangeRate(currency, _day_of(item), Decimal(rates[currency]))

    def newest_day(self) -> date | None:
        """Return the newest day whose reference rates are stored."""
        found = query(
            self._table, "pk = :pk", {":pk": {"S": _OF_ALL}}, ScanIndexForward=False, Limit=1
        )
        item = next(found, None)
        return _day_of(item) if item else None

    def put_daily(self, day: date, rates: DailyRates) -> None:
        """Write the ECB's reference rates of a day."""
        texts = {currency: str(rate) for currency, rate in rates.items()}
        put_item(self._table, (_OF_ALL, day.isoformat()), {"rates": {"S": to_json(texts)}})

    def _last(self, key: Key, day: date) -> Item | None:
        """Read the item of a day, or the last one before it that is not too old."""
        pk, last = key
        first = last.replace(day.isoformat(), (day - MAX_AGE).isoformat())
        found = query(
            self._table,
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
            ScanIndexForward=False,
            Limit=1,
        )
        return next(found, None)


def _own_key(org_id: str, currency: str, day: date) -> Key:
    return joined("org", org_id), joined("exchange-rate", currency, day.isoformat())


def _day_of(item: Item) -> date:
    return date.fromisoformat(item["sk"]["S"].rsplit("#", 1)[-1])
