"""What the next run would issue: drafted by its own code, and never written."""

import json
import time
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest

from billing.persistence.billing import BillingRepository
from tests.integration.billing import (
    Runs,
    charge,
    documents,
    give_back,
    multiply,
    subscribers,
    untaxed,
)
from tests.integration.conftest import Invoker

SECONDS = 2.0
BYTES = 256 * 2**20

type Json = dict[str, Any]


def _upcoming(invoke: Invoker, account_id: str = "100001") -> list[Json]:
    caller = {"accounts": account_id}
    answer = invoke("invoices_get_upcoming", accountId=account_id, caller=caller)
    assert answer.status == 200, answer
    return list(json.loads(answer.text, parse_float=Decimal)["documents"])


def _issued(invoke: Invoker, ordinals: range) -> list[Json]:
    """Read issued documents as the upcoming ones are shown."""
    shown = []
    for ordinal in ordinals:
        text = invoke("invoices_get_whole", invoiceId=ordinal).text
        whole = json.loads(text, parse_float=Decimal)
        fields = ("kind", "currency", "lines", "taxes", "net", "tax", "gross", "corrects")
        shown.append({name: whole[name] for name in fields if whole.get(name) is not None})
    return shown


def test_is_what_the_run_then_issues(runs: Runs) -> None:
    invoke = runs.invoke
    first = charge(invoke)
    assert invoke("consumptions_create").status == 201
    assert runs.run(until="2026-12-01")["invoices_issued"] == 1
    give_back(invoke, first, 12.1, 10)
    second = charge(invoke, amount={**untaxed(5000), "currency": "JPY"}, description="円")
    charge(invoke)
    give_back(invoke, second, amount={**untaxed(1000), "currency": "JPY"})
    assert invoke("movements_adjust").status == 201

    upcoming = _upcoming(invoke)
    again = _upcoming(invoke)
    assert runs.run(until="2027-01-01")["invoices_issued"] == len(upcoming)

    assert len(upcoming) == 3
    assert upcoming == again == _issued(invoke, range(2, 5))
    assert [("corrects" in each, each["kind"]) for each in upcoming] == [
        (True, "CREDIT_NOTE"),
        (False, "INVOICE"),
        (False, "INVOICE"),
    ]
    assert _upcoming(invoke) == []


def test_nothing_is_written(billed: Invoker, aws_calls: Any) -> None:
    charge(billed)
    aws_calls()

    assert len(_upcoming(billed)) == 1

    assert aws_calls() == ["BatchGetItem", "Query"]
    assert documents(billed) == []


def test_there_is_nothing_to_come_before_the_first_charge(billed: Invoker) -> None:
    assert _upcoming(billed) == []
    stranger = billed("invoices_get_upcoming", accountId=9, caller={"accounts": "9"})
    assert stranger.status == 404


def test_a_cycle_that_is_being_billed_comes_first(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke = runs.invoke
    earlier = charge(invoke)
    assert runs.run(until="2026-12-01")["invoices_issued"] == 1
    give_back(invoke, earlier, 12.1, 10)
    charge(invoke, amount=untaxed(100), description="closing")

    def stop(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(BillingRepository, "write", stop)
        with pytest.raises(SystemExit):
            runs.run(until="2027-01-01")
    give_back(invoke, earlier, 24.2, 20)
    charge(invoke, amount=untaxed(200), description="open")

    upcoming = _upcoming(invoke)

    assert [each["gross"] for each in upcoming] == [
        Decimal("-12.1"), 1, Decimal("-24.2"), 2,
    ]  # fmt: skip
    assert [each["lines"][0]["description"] for each in upcoming[1::2]] == ["closing", "open"]


def test_documents_that_are_divided_are_shown_divided(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.domain.cycle_invoices.MAX_LINES", 3)
    monkeypatch.setattr("billing.domain.cycle_invoices._LINE_BYTES", 200_000)
    invoke = runs.invoke
    for number in range(40):
        charge(invoke, amount=untaxed(100 + number))

    upcoming = _upcoming(invoke)
    assert runs.run(until="2026-12-01")["invoices_issued"] == len(upcoming) == 14

    assert upcoming == _issued(invoke, range(1, 15))


def test_what_is_too_large_for_an_answer_is_refused(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(billed)
    monkeypatch.setattr("functions.invoices.app.BODY_LIMIT", 100)

    answer = billed("invoices_get_upcoming")

    assert (answer.status, answer.json["code"]) == (413, "TOO_LARGE")


def test_a_thousand_movements_take_two_seconds_and_256_megabytes(billed: Invoker) -> None:
    [subscriber] = subscribers(billed, 1)
    subscriber.charge(101)
    multiply(billed.org_id, subscriber.account_id, 1000)
    _upcoming(billed, subscriber.account_id)

    began = time.process_time()
    [document] = _upcoming(billed, subscriber.account_id)
    took = time.process_time() - began
    tracemalloc.start()
    _upcoming(billed, subscriber.account_id)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (len(document["lines"]), document["gross"]) == (1000, 1010)
    assert took < SECONDS
    assert peak < BYTES
