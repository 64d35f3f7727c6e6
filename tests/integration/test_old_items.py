"""
Items that released versions wrote are read as they were, and gone on with.

tests/integration/items/ has, by version, all items of an org to which every event of events/ was
sent, the bodies that made what clients name, and what was answered then. RECORD=1 pytest
tests/integration/test_old_items.py writes those of the next release, unreleased.json, which gets
the release's name and is then never written again.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from billing import aws, clock
from billing.persistence.chains import ChainRepository
from billing.services.audit import audit_invoices
from tests.integration.conftest import Invoker
from tests.integration.story import REQUESTS, Story, in_order, method, parameters

ITEMS = Path(__file__).with_name("items")
RECORD = bool(os.environ.get("RECORD"))
UNRELEASED = ITEMS / "unreleased.json"

MADE = {"invoiceId": "invoices_create", "movementId": "movements_create"}
"""What is named in later requests, and the request that made it."""

type Json = dict[str, Any]


def _read_requests() -> Iterator[str]:
    """Name the requests that change nothing, and are answered from the tables alone."""
    for name in REQUESTS:
        if method(name) == "GET" and name not in ("invoices_get_pdf", "invoices_public_link"):
            yield name


@pytest.mark.skipif(not RECORD, reason="RECORD=1 writes the items")
def test_record(aws: None) -> None:
    org_id = "old-items"
    _empty(org_id)
    story = Story(Invoker(org_id))
    refused = [name for name in in_order() if story.tell(name).status >= 300]
    items = {
        setting: [item for item in _items(table) if org_id in json.dumps(item)]
        for setting, table in _tables().items()
    }
    answers = {name: _answer(story.invoke, name, story.known) for name in _read_requests()}
    whole = {
        "org_id": org_id,
        "now": clock.now().isoformat(),
        "known": story.known,
        "requests": {name: story.invoke.event(name)["body"] for name in MADE.values()},
        "items": items,
        "answers": answers,
    }
    UNRELEASED.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")

    assert refused == []


@pytest.fixture(params=sorted(ITEMS.glob("*.json")), ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, aws: None, monkeypatch: pytest.MonkeyPatch) -> Json:
    """Put the items of a version into the tables, a minute after they were recorded."""
    old: Json = json.loads(request.param.read_text())
    later = datetime.fromisoformat(old["now"]) + timedelta(minutes=1)
    monkeypatch.setattr("billing.clock.now", lambda: later)
    _empty(old["org_id"])
    for setting, items in old["items"].items():
        for item in items:
            _client().put_item(TableName=os.environ[setting], Item=item)
    return old


def test_what_was_answered_then_is_answered_now(old: Json) -> None:
    invoke = Invoker(old["org_id"])
    answers = {name: _answer(invoke, name, old["known"]) for name in old["answers"]}

    assert {
        name: (answer, answers[name])
        for name, answer in old["answers"].items()
        if not _contains(answers[name], answer)
    } == {}


def test_what_was_done_then_is_not_done_again(old: Json) -> None:
    invoke = Invoker(old["org_id"])

    for parameter, name in MADE.items():
        known = {key: old["known"][key] for key in parameters(name) & old["known"].keys()}
        again = invoke(name, old["requests"][name], **known)
        assert (again.status, again.json["id"]) == (201, old["known"][parameter])


def test_what_was_issued_then_passes_the_audit_and_is_gone_on_with(old: Json) -> None:
    invoke = Invoker(old["org_id"])
    before = _audited(old["org_id"])

    issued = invoke("invoices_create", {"external_invoice_unique_id": "one more"})
    paid = invoke(
        "invoices_pay",
        {"external_payment_unique_id": "it", "amount": 1},
        invoiceId=issued.json["id"],
    )
    charged = invoke("movements_create", {"external_movement_unique_id": "one more"})

    assert (issued.status, paid.status, charged.status) == (201, 201, 201)
    after = _audited(old["org_id"])
    assert len(before) > 1
    assert len(after) == len(before) + 1
    assert [faults for faults in after if faults] == []


def _audited(org_id: str) -> list[list[str]]:
    return [each.faults for each in audit_invoices(org_id, chains=ChainRepository())]


def _answer(invoke: Invoker, name: str, known: Json) -> Json:
    path: Any = {each: known[each] for each in parameters(name) & known.keys()}
    answer = invoke(name, **path)
    body = answer.json if "json" in answer.headers.get("content-type", "") else answer.text
    return {"status": answer.status, "body": body}


def _contains(now: Any, then: Any) -> bool:
    """Compare what is answered, to which fields may have been added."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(
            name in now and _contains(now[name], value) for name, value in then.items()
        )
    if isinstance(then, list):
        return len(now) == len(then) and all(map(_contains, now, then))
    return bool(now == then)


def _tables() -> dict[str, str]:
    return {name: table for name, table in os.environ.items() if name.endswith("_TABLE")}


def _items(table: str) -> Iterator[Json]:
    for page in _client().get_paginator("scan").paginate(TableName=table):
        yield from page["Items"]


def _empty(org_id: str) -> None:
    for table in _tables().values():
        for item in _items(table):
            if org_id in json.dumps(item):
                key = {name: item[name] for name in ("pk", "sk")}
                _client().delete_item(TableName=table, Key=key)


def _client() -> Any:
    return aws.dynamodb()
