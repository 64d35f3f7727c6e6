"""Fetch the ECB's reference rates."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Protocol

from billing.domain.errors import UpstreamFailedError
from billing.domain.exchange_rates import DailyRates

STALE = timedelta(days=6)
"""The longest that the ECB publishes nothing is five days, at Easter."""


class Source(Protocol):
    def fetch(self) -> Mapping[date, DailyRates]: ...


class Rates(Protocol):
    def newest_day(self) -> date | None: ...

    def put_daily(self, day: date, rates: DailyRates) -> None: ...


def fetch_exchange_rates(today: date, *, source: Source, rates: Rates) -> date:
    """
    Store the reference rates of all days behind the newest one that is stored; return the last.

    Days are stored in their order, so that one that was cut short goes on where it was. Raise
    UpstreamFailedError where the source has nothing fresh.
    """
    newest = rates.newest_day()
    published = source.fetch()
    for day, of_day in sorted(published.items()):
        if newest is None or day > newest:
            rates.put_daily(day, of_day)
    last = max(published)
    if last < today - STALE:
        raise UpstreamFailedError(f"The ECB's newest reference rates are those of {last}.")
    return last
