"""docs/data-model.md has every item that the functions write."""

import re
from typing import Any

from billing import aws, config
from tests.integration.billing import Runs
from tests.integration.story import Story, in_order
from tools import data_model

DOCUMENTED = {
    (item.table, item.pk, item.sk) for module in data_model.modules() for item in module.items
}


def test_every_item_is_documented(runs: Runs) -> None:
    story = Story(runs.invoke)
    answers = {name: story.tell(name).status for name in in_order()}
    runs.invoke("movements_create", {"external_movement_unique_id": "billed"})
    runs.run(until="2027-01-01")

    kinds = {
        (table, *_kind(table, pk, sk))
        for table in (
            "accounts",
            "billing_runs",
            "consumptions",
            "invoices",
            "movements",
            "refunds",
        )
        for pk, sk in _keys(table, runs.invoke.org_id)
    }

    assert max(answers.values()) < 300
    assert kinds <= DOCUMENTED
    assert len(kinds) > 25


def _keys(table: str, org_id: str) -> list[tuple[str, str]]:
    """Read the keys of all items of an org."""
    pages = (
        aws.dynamodb()
        .get_paginator("scan")
        .paginate(
            TableName=getattr(config, f"{table}_table")(),
            FilterExpression="contains(pk, :org)",
            ExpressionAttributeValues={":org": {"S": org_id}},
            ProjectionExpression="pk, sk",
        )
    )
    return [(item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"]]


def _kind(table: str, pk: str, sk: str) -> tuple[str, str]:
    """Find the documented keys that these are, else return them as they are."""
    for documented in sorted(DOCUMENTED):
        if documented[0] == table and _fits(documented[1], pk) and _fits(documented[2], sk):
            return documented[1:]
    return pk, sk


def _fits(documented: str, key: str) -> Any:
    return re.fullmatch(re.sub(r"<\w+>", "[^#]+", re.escape(documented)), key)
