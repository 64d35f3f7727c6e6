"""Open cycles: where one ends is fixed when it begins, and the next one begins there."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.cycles import BillableAccount, CycleDocuments, OpenCycle, Part
from billing.domain.parties import Account
from billing.domain.periods import BillingPeriod, local_date, midnight
from tests.sample_invoices import BUYER

ZONES = [
    "Etc/GMT+12", "Pacific/Honolulu", "America/Sao_Paulo", "UTC", "Atlantic/Canary",
    "Europe/Madrid", "Asia/Kathmandu", "Pacific/Kiritimati",
]  # fmt: skip
"""From the last zone in which a day begins to the first."""


def _account(billing_day: int = 1, time_zone: str = "Europe/Madrid") -> Account:
    return replace(BUYER, billing_day=billing_day, time_zone=time_zone)


def _open(ends_on: date, start: datetime, account: Account) -> OpenCycle:
    return OpenCycle(
        ends_on, BillingPeriod(start, midnight(ends_on, account.time_zone)), account.time_zone
    )


@pytest.mark.parametrize(
    ("billing_day", "ends_on", "following"),
    [
        pytest.param(31, date(2026, 1, 31), date(2026, 2, 28), id="a short month"),
        pytest.param(31, date(2026, 2, 28), date(2026, 3, 31), id="the anchor stays"),
        pytest.param(15, date(2026, 2, 28), date(2026, 3, 15), id="another anchor since then"),
    ],
)
def test_a_cycle_begins_where_the_one_before_it_ends(
    billing_day: int, ends_on: date, following: date
) -> None:
    account = _account(billing_day)
    cycle = _open(ends_on, datetime(2025, 12, 30, 23, tzinfo=UTC), account)

    closing = BillableAccount(account, 1, cycle, None).close()

    assert closing.following.ends_on == following
    assert closing.period == cycle.period
    assert closing.period.end == closing.following.period.start


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        pytest.param(
            datetime(2026, 3, 10, tzinfo=UTC),
            ("2026-02-28T23:00", "2026-03-31T22:00"),
            ("2026-03-31T22:00", "2026-04-30T23:00"),
            id="summer time begins in the open cycle",
        ),
        pytest.param(
            datetime(2026, 10, 10, tzinfo=UTC),
            ("2026-09-30T22:00", "2026-10-31T23:00"),
            ("2026-10-31T23:00", "2026-12-01T00:00"),
            id="summer time ends in the open cycle",
        ),
        pytest.param(
            datetime(2026, 11, 10, tzinfo=UTC),
            ("2026-10-31T23:00", "2026-11-30T23:00"),
            ("2026-11-30T23:00", "2027-01-01T00:00"),
            id="in winter",
        ),
    ],
)
def test_another_zone_takes_effect_with_the_next_cycle(
    now: datetime, before: tuple[str, str], after: tuple[str, str]
) -> None:
    cycle = OpenCycle.first(_account(), now)
    moved = _account(time_zone="Atlantic/Canary")

    closing = BillableAccount(moved, 1, cycle, None).close()

    assert closing.ends_on == cycle.ends_on
    assert closing.period == _period(*before)
    assert closing.following.period == _period(*after)


def test_another_billing_day_takes_effect_with_the_next_cycle() -> None:
    cycle = OpenCycle.first(_account(31), datetime(2026, 2, 10, tzinfo=UTC))

    closing = BillableAccount(_account(15), 1, cycle, None).close()

    assert closing.ends_on == date(2026, 2, 28)
    assert closing.following.ends_on == date(2026, 3, 15)
    assert closing.following.period == _period("2026-02-27T23:00", "2026-03-14T23:00")


def test_a_zone_that_has_the_next_day_already_opens_no_cycle_that_ends_before_it_begins() -> None:
    cycle = OpenCycle.first(_account(1, "Etc/GMT+12"), datetime(2026, 11, 10, tzinfo=UTC))

    following = cycle.following(_account(2, "Pacific/Kiritimati"))

    assert following.ends_on == date(2027, 1, 2)
    assert following.period == _period("2026-12-01T12:00", "2027-01-01T10:00")


@given(
    now=st.datetimes(
        datetime.fromisoformat("2020-01-01"),
        datetime.fromisoformat("2040-01-01"),
        timezones=st.just(UTC),
    ),
    changes=st.lists(st.tuples(st.integers(1, 31), st.sampled_from(ZONES)), min_size=2, max_size=6),
)
def test_cycles_follow_each_other_whatever_the_profile_becomes(
    now: datetime, changes: list[tuple[int, str]]
) -> None:
    cycle = OpenCycle.first(_account(*changes[0]), now)
    assert cycle.period.start <= now < cycle.period.end

    for billing_day, time_zone in changes[1:]:
        account = _account(billing_day, time_zone)
        closing = BillableAccount(account, 1, cycle, None).close()
        following = closing.following
        assert closing.period == cycle.period
        assert following.period.start == cycle.period.end < following.period.end
        assert following.period.end - following.period.start <= timedelta(days=33)
        assert following.ends_on > cycle.ends_on
        assert following.ends_on == local_date(following.period.end, time_zone)
        cycle = following


def _period(start: str, end: str) -> BillingPeriod:
    return BillingPeriod(
        *(datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (start, end))
    )


def test_what_version_1_0_planned_is_found_by_its_currency_alone() -> None:
    undivided = CycleDocuments((Part("EUR", "600#00#a", 1), Part("EUR", "600#00#m", 2)))

    found = [undivided.part_of("EUR", f"{document}600#00#z") for document in ("", "|ES:|")]

    assert found == [undivided.parts[1]] * 2


def test_a_part_has_the_lines_of_its_document_only() -> None:
    divided = CycleDocuments((Part("EUR", "600#00#a", 1), Part("EUR", "|DE:|600#00#a", 2)))

    assert divided.part_of("EUR", "600#00#b") == divided.parts[0]
    assert divided.part_of("EUR", "|DE:|600#00#b") == divided.parts[1]
    assert divided.part_of("EUR", "|ES:|600#00#b") is None
    assert divided.part_of("EUR", "|DE:O|600#00#b") is None
