"""`billing erase` takes the texts of charges with the documents that billed them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from billing import aws, clock, config
from billing.persistence import charge_texts, dynamodb
from billing.persistence.item_events import Change, meaning_of
from billing_cli.__main__ import cli
from tests.integration.billing import Runs, charge, give_back
from tests.integration.conftest import Invoker
from tests.integration.test_erase import Kill, Killed

NOW = datetime(2033, 3, 1, 12, tzinfo=UTC)
"""More than six years after the first documents, and less than that after the last."""
NOVEMBER, DECEMBER, OPEN = "November-Ana", "December-Ana", "Open-Ana"
BEFORE = "2027-01-01"
READS = {
    "movements_list": "description",
    "movements_list_refunds": "description",
    "movements_list_adjustments": "description",
    "consumptions_list": "destination",
}
"""What lists charges, and its field with a text."""

type Json = dict[str, Any]


def _charge_all(invoke: Invoker, text: str, movement_id: str | None = None) -> str:
    """Charge, use and give back something of each kind; return the movement."""
    external, _, _ = text.partition("-")
    own = charge(invoke, description=text, external_movement_unique_id=external)
    movement_id = movement_id or own
    for billable in (True, False):
        give_back(invoke, movement_id, description=text, billable=billable)
    adjusted = {"external_adjustment_unique_id": external, "description": text}
    assert invoke("movements_adjust", adjusted).status == 201
    record = json.loads(invoke.event("consumptions_create")["body"])["records"][0]
    used = {**record, "external_consumption_unique_id": external, "destination": text}
    assert invoke("consumptions_create", {"records": [used]}).json["accepted"] == 1
    return own


@pytest.fixture
def old(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> Invoker:
    """Bill November and December of 2026, and leave a cycle open; years later it is `NOW`."""
    first = _charge_all(runs.invoke, NOVEMBER)
    assert runs.run(until="2026-12-01")["failures"] == []
    _charge_all(runs.invoke, DECEMBER, first)
    assert runs.run(until="2027-01-01")["failures"] == []
    _charge_all(runs.invoke, OPEN, first)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return runs.invoke


def _run(*command: str) -> Result:
    return CliRunner().invoke(cli, command, catch_exceptions=False)


def _erase(invoke: Invoker, before: str = BEFORE) -> Result:
    return _run("erase", "--org", invoke.org_id, "--account", "100001", "--before", before, "--yes")


def _traces(invoke: Invoker) -> set[str]:
    """Return which texts the tables of charges have, each named by what has it."""
    found = set()
    for table in (config.movements_table(), config.refunds_table(), config.consumptions_table()):
        for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                if f"#{invoke.org_id}#" in item["pk"]["S"] and "record" in item:
                    record: Json = json.loads(item["record"]["S"])
                    text = record.get("description") or record.get("destination")
                    found.add(f"{text} of {item['pk']['S'].partition('#')[0]}")
    return {each for each in found if not each.startswith("None ")}


def _of(*texts: str) -> set[str]:
    """Name a text of each kind of item: originals, and the copies in cycles."""
    return {f"{text} of {kind}" for text in texts for kind in KINDS}


KINDS = ("subscription", "movement", "adjustment", "cycle")
"""How the keys of movements and usage, refunds, adjustments and copies begin."""


def test_texts_go_with_the_documents_that_billed_them(old: Invoker) -> None:
    assert _traces(old) == _of(NOVEMBER, DECEMBER, OPEN)

    erased = _erase(old)

    assert erased.output == ("F2026-000001\n5 movements, adjustments, refunds and usage records\n")
    assert _traces(old) == _of(DECEMBER, OPEN)


def test_the_day_of_issue_itself_is_left_out(old: Invoker) -> None:
    assert _erase(old, "2026-12-01").output == ""
    assert _traces(old) == _of(NOVEMBER, DECEMBER, OPEN)
    assert _erase(old, "2026-12-02").output.startswith("F2026-000001\n5 ")


def test_a_cycle_that_is_not_billed_keeps_its_texts(old: Invoker) -> None:
    """However old it is: its documents are still to come."""
    clock_in_ten_years = datetime(2043, 1, 1, tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "now", lambda: clock_in_ten_years)
        _erase(old, "2036-01-01")

    assert _traces(old) == _of(OPEN)


def test_reads_have_empty_texts_and_all_else(old: Invoker) -> None:
    def read() -> dict[str, Any]:
        query = {"fromDate": "2026-11-01", "toDate": "2027-01-31"}
        movement_id = old("movements_list").json["movements"][-1]["id"]
        answers = {name: old(name, movementId=movement_id, query=query) for name in READS}
        assert {each.status for each in answers.values()} == {200}
        return {name: each.json for name, each in answers.items()}

    before = json.dumps(read())
    _erase(old)
    after = json.dumps(read())

    assert NOVEMBER not in after
    before = before.replace(f'"destination": "{NOVEMBER}"', '"destination": null')
    before = before.replace(NOVEMBER, "")
    # No credit note can name what is erased.
    assert after == before.replace('"refundable": 48.4', '"refundable": 0')


def test_external_ids_stay_used(old: Invoker) -> None:
    _erase(old)

    again = old(
        "movements_create",
        {"external_movement_unique_id": "November", "description": NOVEMBER},
        caller={"accounts": "*"},
    )

    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json["id"] == old("movements_list").json["movements"][-1]["id"]


def test_twice_is_once_and_the_audit_says_what_was_erased(old: Invoker) -> None:
    _erase(old)
    assert _erase(old).output == ""

    audited = _run("audit", "--org", old.org_id, "--quick", "--list-erased")

    movement_id = old("movements_list").json["movements"][-1]["id"]
    documents = len(old("invoices_list").json)
    assert audited.stdout == (
        "F2026-000001: its personal data was erased\n"
        f"movement {movement_id}: its texts were erased\n"
        f"{documents} documents, 1 erased, 3 movements, 1 erased, 0 faults\n"
    )


def test_a_refund_at_that_moment_is_kept(old: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    movement_id = old("movements_list").json["movements"][-1]["id"]
    read, refunded = dynamodb.get_item, list[str]()

    def read_and_refund(*key: Any) -> Any:
        item = read(*key)
        if not refunded:
            refunded.append(give_back(old, movement_id, billable=False))
        return item

    monkeypatch.setattr(charge_texts, "get_item", read_and_refund)
    before = old("movements_get", movementId=movement_id).json

    _erase(old)

    after = old("movements_get", movementId=movement_id).json
    assert (before["refunded"], before["description"]) == (72.6, NOVEMBER)
    assert (after["refunded"], after["description"]) == (84.7, "")
    assert _run("audit", "--org", old.org_id, "--quick").exit_code == 0


@pytest.mark.faults
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_what_was_interrupted_is_done_by_the_next_run(old: Invoker, sent: bool) -> None:
    """Kill it at every call to AWS, one after the other, until one run gets to its end."""
    kills = 0
    while True:
        try:
            with Kill(kills + 1, sent):
                _erase(old)
        except Killed:
            kills += 1
            assert _run("audit", "--org", old.org_id, "--quick").exit_code == 0
            continue
        break

    assert kills >= 10
    assert _traces(old) == _of(DECEMBER, OPEN)


def test_nobody_is_told_of_a_change(old: Invoker) -> None:
    def refunds() -> dict[tuple[str, str], Any]:
        pages = aws.dynamodb().get_paginator("scan").paginate(TableName=config.refunds_table())
        return {
            (item["pk"]["S"], item["sk"]["S"]): item
            for page in pages
            for item in page["Items"]
            if item["pk"]["S"].startswith(f"movement#{old.org_id}#")
        }

    before = refunds()
    _erase(old)
    after = refunds()

    changed = [key for key in before if before[key] != after[key]]
    assert len(changed) == 2
    for pk, sk in changed:
        key = tuple(pk.split("#")), tuple(sk.split("#"))
        assert meaning_of(Change(*key, NOW, before[pk, sk], after[pk, sk])) == []
