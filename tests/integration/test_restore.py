"""A rehearsal of docs/runbooks/restore.md: backups of all tables come back in a new stack."""

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from billing import aws
from billing.persistence.chains import ChainRepository
from billing.services.audit import audit_invoices
from local.stack import ROOT
from tests import resources, template
from tests.integration.conftest import Invoker
from tests.integration.story import Story, in_order, method, parameters
from tools.copy_table import copy

type Json = dict[str, Any]

TABLES = [
    name
    for name, resource in template.resources().items()
    if resource["Type"] == "AWS::DynamoDB::Table"
]

SWITCHED_OFF = "it has no fiscal record, and documents before it that year have"
"""The one fault of every story: it switches VERIFACTU off within a year, which no org can."""


@pytest.fixture
def told(aws: None, org_id: str) -> Story:
    """Have an org with everything in it that there is."""
    story = Story(Invoker(org_id))
    for name in in_order():
        assert story.tell(name).status < 300
    return story


@pytest.fixture
def new_stack(aws: None) -> Iterator[dict[str, str]]:
    """Make empty tables; name them by the settings that functions read."""
    name = f"restored-{uuid4().hex[:8]}"
    yield resources.settings(resources.create(name))
    resources.delete(name)


def test_backups_come_back_in_a_new_stack_where_the_audit_passes(
    told: Story, new_stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = list(resources.settings(dict.fromkeys(TABLES, "")))
    before, audited = _answers(told), _audited(told.invoke.org_id)
    backups = {setting: _back_up(os.environ[setting]) for setting in settings}
    assert told.invoke("invoices_create", {"external_invoice_unique_id": "late"}).status == 201

    for setting, backup in backups.items():
        aside = f"{os.environ[setting]}-{uuid4().hex[:8]}"
        _client().restore_table_from_backup(TargetTableName=aside, BackupArn=backup)
        _client().get_waiter("table_exists").wait(TableName=aside)
        assert copy(aside, new_stack[setting]) == _count(aside)
        _client().delete_table(TableName=aside)
        monkeypatch.setenv(setting, new_stack[setting])

    assert len(audited) > 1
    assert _audited(told.invoke.org_id) == audited
    assert {fault for _, faults in audited for fault in faults} == {SWITCHED_OFF}
    assert _answers(told) == before
    # What came after the backup is lost, and its number is given to the next document.
    assert told.invoke("invoices_create", {"external_invoice_unique_id": "next"}).status == 201
    after = _audited(told.invoke.org_id)
    assert len(after) == len(audited) + 1
    assert {fault for _, faults in after for fault in faults} == {SWITCHED_OFF}


def test_a_lost_item_is_noticed_after_a_restore(
    told: Story, new_stack: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = os.environ["INVOICES_TABLE"]
    copy(table, new_stack["INVOICES_TABLE"])

    monkeypatch.setenv("INVOICES_TABLE", new_stack["INVOICES_TABLE"])
    assert {fault for _, faults in _audited(told.invoke.org_id) for fault in faults} == {
        SWITCHED_OFF
    }

    pages = (
        _client()
        .get_paginator("scan")
        .paginate(
            TableName=new_stack["INVOICES_TABLE"],
            FilterExpression="sk = :document AND contains(pk, :org)",
            ExpressionAttributeValues={
                ":document": {"S": "document"},
                ":org": {"S": told.invoke.org_id},
            },
        )
    )
    document = next(item for page in pages for item in page["Items"])
    key = {name: document[name] for name in ("pk", "sk")}
    _client().delete_item(TableName=new_stack["INVOICES_TABLE"], Key=key)

    assert any({*faults} - {SWITCHED_OFF} for _, faults in _audited(told.invoke.org_id))


def test_the_page_names_the_tables_and_the_tool() -> None:
    page = (ROOT / "docs" / "runbooks" / "restore.md").read_text()

    assert all(f"{name}" in page for name in TABLES)
    assert "python -m tools.copy_table" in page


OF_THE_MOMENT = {"invoices_get_pdf", "invoices_public_link", "webhooks_list_events"}
"""What is answered otherwise a second later."""


def _answers(story: Story) -> Json:
    answers = {}
    for name in in_order():
        if method(name) == "GET" and name not in OF_THE_MOMENT:
            path: Any = {each: story.known[each] for each in parameters(name) & story.known.keys()}
            answer = story.invoke(name, **path)
            answers[name] = (answer.status, answer.text)
    return answers


def _audited(org_id: str) -> list[tuple[str, list[str]]]:
    audited = audit_invoices(org_id, chains=ChainRepository())
    return [(each.number, each.faults) for each in audited]


def _back_up(table: str) -> str:
    backup = _client().create_backup(TableName=table, BackupName="rehearsal")
    return str(backup["BackupDetails"]["BackupArn"])


def _count(table: str) -> int:
    pages = _client().get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(page["Count"] for page in pages)


def _client() -> Any:
    return aws.dynamodb()
