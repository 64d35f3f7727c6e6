"""Two years of billing, played by the clock of a sandbox: each cycle is billed once, on its day."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.billing import Runs, Subscriber, audited, issued, subscribers
from tests.integration.conftest import Invoker
from tests.integration.test_sandbox_clock import _set, sandbox  # noqa: F401 - a fixture

MADRID, NEW_YORK = "Europe/Madrid", "America/New_York"
ANCHORS = {MADRID: 31, NEW_YORK: 29}
"""Days that short months do not have: 2027 has no 29 February, 2028 has."""
MONTHS = [(year, month) for year in (2027, 2028) for month in range(1, 13)]
PAYMENT_TERM = timedelta(days=15)
SECOND = timedelta(seconds=1)
CLOSE = {2, 3, 10, 11}
"""Months that are short or in which clocks change: their last second is looked at too."""

pytestmark = pytest.mark.faults

type Json = dict[str, Any]


def _ends(zone: str) -> Iterator[date]:
    """Return the days on which cycles end: the anchor, or the last day of a shorter month."""
    for year, month in MONTHS:
        yield date(year, month, min(ANCHORS[zone], monthrange(year, month)[1]))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def _run(runs: Runs) -> int:
    run = runs.run()
    assert (run["status"], run["failures"]) == ("completed", [])
    return int(run["invoices_issued"])


def _status(invoke: Invoker, account: Subscriber) -> str:
    """Return how v2 shows the account's newest invoice."""
    query = {"start_date": "2027-01-01", "end_date": "2029-01-31"}
    path: Any = {"accountId": account.account_id, "caller": {"accounts": account.account_id}}
    newest, *_ = invoke("invoices_list_of_period", query=query, **path).json["invoices"]
    return str(newest["status"]["value"])


def test_two_years_bill_each_cycle_once_and_on_its_day(sandbox: Runs) -> None:  # noqa: F811
    invoke = sandbox.invoke
    accounts = dict(zip(ANCHORS, subscribers(invoke, 2), strict=True))
    begin = _midnight(date(2027, 1, 1), MADRID)
    assert _set(invoke, begin).status == 204
    for zone, account in accounts.items():
        profile: Any = {"billing_day": ANCHORS[zone], "time_zone": zone}
        path: Any = {"accountId": account.account_id, "caller": {"accounts": "*"}}
        assert invoke("billing_info_put_account", profile, **path).status == 204

    turns = sorted((_midnight(end, zone), end, zone) for zone in ANCHORS for end in _ends(zone))
    for account in accounts.values():
        account.charge()
    for at, end, zone in turns:
        account = accounts[zone]
        path = {"accountId": account.account_id, "caller": {"accounts": account.account_id}}
        told = invoke("billing_info_get_account", **path).json
        assert told["next_billing_date"] == end.isoformat()
        if end.month in CLOSE:
            assert _set(invoke, at - SECOND).status == 204
            assert _run(sandbox) == 0
        assert _set(invoke, at).status == 204
        assert _run(sandbox) == 1
        account.charge()

    for zone, account in accounts.items():
        documents = list(issued(invoke.org_id, account.account_id))
        ends = list(_ends(zone))
        assert [each.issue_date for each in documents] == ends
        assert {each.due_date - each.issue_date for each in documents} == {PAYMENT_TERM}
        assert [each.cycle.end for each in documents] == [_midnight(end, zone) for end in ends]
        starts = [each.cycle.start for each in documents]
        assert starts[1:] == [each.cycle.end for each in documents[:-1]]
        assert {each.number[:5] for each in documents} == {"F2027", "F2028"}
        # Days around a change of the clocks have 23 or 25 hours, and cycles have them too.
        hours = {(each.cycle.end - each.cycle.start) % timedelta(days=1) for each in documents[1:]}
        assert hours == {timedelta(0), timedelta(hours=1), timedelta(hours=23)}
    assert audited(invoke.org_id) == len(turns) == 48


@pytest.mark.parametrize("zone", [MADRID])
def test_an_invoice_of_the_leap_day_is_overdue_from_the_day_behind_its_due_date(
    sandbox: Runs,  # noqa: F811
    zone: str,
) -> None:
    invoke, [account] = sandbox.invoke, subscribers(sandbox.invoke, 1)
    leap_day = date(2028, 2, 29)
    assert _set(invoke, _midnight(leap_day, zone)).status == 204
    profile: Any = {"billing_day": 29, "time_zone": zone}
    path: Any = {"accountId": account.account_id, "caller": {"accounts": "*"}}
    assert invoke("billing_info_put_account", profile, **path).status == 204
    account.charge()
    assert _set(invoke, _midnight(date(2028, 3, 29), zone)).status == 204
    assert _run(sandbox) == 1

    due = date(2028, 3, 29) + PAYMENT_TERM
    assert _set(invoke, _midnight(due + timedelta(days=1), zone) - SECOND).status == 204
    in_time = _status(invoke, account)
    late_payment: Json = {"amount": 1, "paid_datetime": "2028-04-16T00:00:00Z"}
    path = {"accountId": account.account_id, "caller": {"accounts": account.account_id}}
    ahead = invoke("invoices_pay", late_payment, invoiceId=1, **path)
    assert _set(invoke, _midnight(due + timedelta(days=1), zone)).status == 204
    overdue = _status(invoke, account)

    assert (in_time, ahead.status, overdue) == ("PENDIENTE", 400, "IMPAGADO")
