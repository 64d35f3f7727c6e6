"""The demo data: seeded again on any later day, it fails nowhere and changes nothing."""

import io
import json
import re
import urllib.request
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import Message
from typing import Any
from urllib.error import HTTPError

import pytest

from billing import clock
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing_cli import demo
from tests.integration.conftest import Invoker, Json, function_of

ORG = r"/v1/orgs/(?P<orgId>\w+)"
SUBSCRIPTION = ORG + r"/subscription/(?P<subscriptionId>\w+)"
ACCOUNT = ORG + r"/accounts/(?P<accountId>\w+)"
EVENTS = {
    f"PUT {ORG}/billing_info": "billing_info_put_org",
    f"PUT {ORG}/sandbox_clock": "sandbox_clock_put",
    f"PUT {ACCOUNT}/billing_details": "billing_info_put_account",
    f"POST {ACCOUNT}/invoices": "invoices_create",
    rf"POST {ACCOUNT}/invoices/(?P<invoiceId>\w+)/payments": "invoices_pay",
    rf"POST {ACCOUNT}/invoices/(?P<invoiceId>\w+)/credit_note": "invoices_credit",
    rf"GET {ACCOUNT}/invoices/(?P<invoiceId>\w+)": "invoices_get_whole",
    rf"POST {SUBSCRIPTION}/movement": "movements_create",
    rf"POST {SUBSCRIPTION}/consumptions": "consumptions_create",
}
"""The events of what the seed sends."""


def send(request: urllib.request.Request, timeout: float) -> io.BytesIO:
    """Answer a request by the function that has its route."""
    wanted = f"{request.method} {request.selector}"
    [(name, path)] = [
        (name, found.groupdict())
        for pattern, name in EVENTS.items()
        if (found := re.fullmatch(pattern, wanted))
    ]
    event = Invoker(path.get("orgId", "demo")).event(name, **path)
    event["headers"]["private-token"] = request.headers["Private-token"]
    event["body"] = request.data.decode() if isinstance(request.data, bytes) else None
    answer = Invoker("").call(function_of(name), event)
    content = io.BytesIO(answer.content)
    if answer.status >= 400:
        raise HTTPError(request.full_url, answer.status, "", Message(), content)
    return content


def seed(monkeypatch: pytest.MonkeyPatch, day: str, known: Json | None = None) -> Json:
    """Seed on a day, as `billing seed` does, with the tokens of an earlier time where known."""
    now = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    monkeypatch.setattr(urllib.request, "urlopen", send)
    facts = {**(known or demo.make_tokens()), "base_url": "http://localhost"}
    demo.fill(facts)
    return facts


def documents(facts: Json) -> dict[str, list[Any]]:
    """Return what lists show of the first page of each account."""
    found = {}
    for account, token in facts["accounts"].items():
        event = Invoker("demo").event("invoices_list")
        event["headers"] = {"private-token": token, "ranged-data": "start=0,results=100"}
        found[account] = Invoker("").call("invoices", event).json
    return found


def invoices(documents: dict[str, list[Any]]) -> dict[str, int]:
    """Count the invoices of each account, without credit notes."""
    return {
        account: sum(not each["isCredit"] for each in issued)
        for account, issued in documents.items()
    }


def test_is_seeded_again_on_any_later_day(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = seed(monkeypatch, "2026-11-26")
    first = documents(facts)
    assert invoices(first) == {each.id: each.months for each in demo.DEMO_CUSTOMERS}
    shown = [each for issued in first.values() for each in issued]
    assert {each["paymentStatus"] for each in shown} == {0, 1, 2}
    assert sum(each["isCredit"] for each in shown) == 10
    oldest = min(each["creationDate"] for each in shown)
    assert datetime.fromtimestamp(oldest, UTC).date() == date(2024, 12, 1)

    seed(monkeypatch, "2026-11-26", facts)
    assert documents(facts) == first
    assert [
        (kept.record.declaration.number, kept.record.declaration.type.value)
        for kept in FiscalRecordRepository().pending("verifactu", 10)
    ] == [
        ("V2026-000001", "F1"),
        ("V2026-000002", "F1"),
        ("V2026-000003", "F2"),
        ("V2026-000004", "F1"),
        ("A2026-000001", "R1"),
    ]

    seed(monkeypatch, "2026-12-01", facts)
    december = documents(facts)
    assert invoices(december) == {each.id: each.months + 1 for each in demo.DEMO_CUSTOMERS}

    others = tuple(replace(each, lines=(("Other", 1, "1.00"),)) for each in demo.DEMO_CUSTOMERS)
    monkeypatch.setattr(demo, "DEMO_CUSTOMERS", others)  # a later release sells something else
    seed(monkeypatch, "2027-03-05")  # by who does not know the tokens any more
    march = documents(facts)
    for account, issued in march.items():
        assert len({each["description"] for each in issued}) == len(issued)
        for before in (first, december):
            there = {each["id"]: each["invoiceHash"] for each in before[account]}
            assert there.items() <= {each["id"]: each["invoiceHash"] for each in issued}.items()
    assert json.dumps(march).count("2027-02") == len(demo.DEMO_CUSTOMERS)
