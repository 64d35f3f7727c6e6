"""Billing periods: half-open, between local midnights, anchored on a day of the month."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant to the nanosecond, finer than datetime has it, and the text that named it."""

    text: str
    nanoseconds: int

    @classmethod
    def of(cls, text: str) -> "Moment":
        """Read an instant that is written as RFC 3339 asks."""
        whole = datetime.fromisoformat(text).replace(microsecond=0)
        fraction = re.search(r"\.([0-9]+)", text)
        return cls(
            text,
            int(whole.timestamp()) * 10**9 + int(fraction[1].ljust(9, "0") if fraction else 0),
        )

    def __le__(self, other: "Moment") -> bool:
        return self.nanoseconds <= other.nanoseconds

    def local_date(self, time_zone: str) -> date:
        """Return the local day in a time zone."""
        return local_date(datetime.fromisoformat(self.text), time_zone)


@dataclass(frozen=True, slots=True)
class MomentPeriod:
    """From `start` to `end`, as the caller names them; an end of …:59.999999999Z is included."""

    start: Moment
    end: Moment

    def contains(self, other: "MomentPeriod") -> bool:
        return self.start <= other.start and other.end <= self.end

    def last_day(self, time_zone: str) -> date:
        """Return the last local day of it; an end at midnight does not touch the next day."""
        just_before = datetime.fromtimestamp((self.end.nanoseconds - 1) // 10**9, UTC)
        return max(self.start.local_date(time_zone), local_date(just_before, time_zone))


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """From `start`, included, to `end`, excluded; both UTC."""

    start: datetime
    end: datetime

    def last_day(self, time_zone: str) -> date:
        """Return the last local day of it."""
        return local_date(self.end - timedelta.resolution, time_zone)


def midnight(day: date, time_zone: str) -> datetime:
    """Return the instant at which a local day begins, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)


def local_date(instant: datetime, time_zone: str) -> date:
    """Return the local day in a time zone."""
    return instant.astimezone(ZoneInfo(time_zone)).date()


def years_before(day: date, years: int) -> date:
    """Find the same day of an earlier year; 28 February stands in for a missing 29th."""
    return _billing_day(day.year - years, day.month, day.day)


def next_billing_date(anchor_day: int, today: date) -> date:
    """
    Find the first billing day after today.

    Months too short for the anchor bill on their last day; the anchor itself stays, so an
    account anchored on the 31st is back on the 31st in March.
    """
    this_month = _billing_day(today.year, today.month, anchor_day)
    if this_month > today:
        return this_month
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return _billing_day(year, month, anchor_day)


def period_at(anchor_day: int, time_zone: str, instant: datetime) -> BillingPeriod:
    """Find the billing period that an instant falls into."""
    today = local_date(instant, time_zone)
    start = _billing_day(today.year, today.month, anchor_day)
    if start > today:
        last_month = today.replace(day=1) - timedelta(days=1)
        start = _billing_day(last_month.year, last_month.month, anchor_day)
    end = next_billing_date(anchor_day, today)
    return BillingPeriod(midnight(start, time_zone), midnight(end, time_zone))


def _billing_day(year: int, month: int, anchor_day: int) -> date:
    return date(year, month, min(anchor_day, monthrange(year, month)[1]))
