"""Billing periods: anchored, clamped, half-open, from local midnight to local midnight."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.periods import (
    BillingPeriod,
    local_date,
    next_billing_date,
    period_at,
    years_before,
)

ZONES = ["Europe/Madrid", "America/Sao_Paulo", "Pacific/Kiritimati", "Asia/Kolkata", "UTC"]
ZONES += ["America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia"]


@pytest.mark.parametrize(
    ("anchor_day", "today", "expected"),
    [
        pytest.param(15, date(2026, 3, 15), date(2026, 4, 15), id="billed today, so next month"),
        pytest.param(15, date(2026, 3, 14), date(2026, 3, 15), id="tomorrow"),
        pytest.param(31, date(2026, 1, 31), date(2026, 2, 28), id="clamped to a short month"),
        pytest.param(31, date(2026, 2, 28), date(2026, 3, 31), id="anchor survives it"),
        pytest.param(31, date(2026, 3, 31), date(2026, 4, 30), id="and the next"),
        pytest.param(29, date(2028, 2, 28), date(2028, 2, 29), id="leap year"),
        pytest.param(1, date(2026, 12, 31), date(2027, 1, 1), id="next year"),
    ],
)
def test_next_billing_date(anchor_day: int, today: date, expected: date) -> None:
    assert next_billing_date(anchor_day, today) == expected


def test_march_in_madrid_crosses_the_change_of_the_clock() -> None:
    period = period_at(1, "Europe/Madrid", datetime(2026, 3, 10, tzinfo=UTC))

    assert period == BillingPeriod(
        datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)
    )


@given(
    anchor_day=st.integers(1, 31),
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - UTC is added
)
def test_ten_years_of_periods_have_no_gap_and_no_overlap(
    anchor_day: int, zone: str, start: datetime
) -> None:
    period = period_at(anchor_day, zone, start.replace(tzinfo=UTC))
    assert period.start <= start.replace(tzinfo=UTC) < period.end

    for _ in range(120):
        following = period_at(anchor_day, zone, period.end)
        just_before = period_at(anchor_day, zone, period.end - timedelta(microseconds=1))

        assert just_before == period
        assert following.start == period.end
        assert timedelta(days=27) < following.end - following.start < timedelta(days=33)
        period = following


@given(anchor_day=st.integers(1, 31), today=st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_the_next_billing_date_is_after_today_and_within_a_month(
    anchor_day: int, today: date
) -> None:
    following = next_billing_date(anchor_day, today)

    assert today < following <= today + timedelta(days=31)


def test_a_period_touches_its_last_day() -> None:
    april = BillingPeriod(
        datetime(2026, 3, 31, 22, tzinfo=UTC), datetime(2026, 4, 30, 22, tzinfo=UTC)
    )

    assert april.last_day("Europe/Madrid") == date(2026, 4, 30)
    assert april.last_day("Atlantic/Canary") == date(2026, 4, 30)  # until 23:00 there


def test_local_dates() -> None:
    assert local_date(datetime(2026, 7, 1, 22, tzinfo=UTC), "Europe/Madrid") == date(2026, 7, 2)
    assert years_before(date(2028, 2, 29), 1) == date(2027, 2, 28)
    assert years_before(date(2026, 11, 21), 5) == date(2021, 11, 21)
