"""The audit notices whatever is changed in the tables after the fact."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from billing import config
from billing.persistence.aws import dynamodb
from billing.persistence.dynamodb import key_of
from billing.persistence.invoices import InvoiceRepository
from billing.services.audit import audit_invoices
from cli.__main__ import cli
from tests.integration.conftest import Invoker


@pytest.fixture
def three(billed: Invoker) -> Invoker:
    for number in range(3):
        assert billed("invoices_create", {"external_invoice_unique_id": f"e{number}"}).status == 201
    return billed


def test_finds_nothing_wrong_with_what_was_issued(three: Invoker) -> None:
    assert _faults(three) == [[], [], []]


def test_finds_a_changed_amount(three: Invoker) -> None:
    def cheaper(record: dict[str, Any]) -> None:
        record["lines"][0]["net"] -= 1

    _rewrite(three, 2, cheaper)

    assert _faults(three) == [
        [],
        [
            "its record was changed after it was issued",
            "its totals are not those of its lines",
        ],
        [],
    ]


def test_finds_a_changed_name(three: Invoker) -> None:
    def renamed(record: dict[str, Any]) -> None:
        record["buyer"]["name"] = "Somebody Else"

    _rewrite(three, 3, renamed)

    assert _faults(three) == [[], [], ["its record was changed after it was issued"]]


def test_finds_a_missing_record(three: Invoker) -> None:
    _delete(f"invoice#{three.org_id}#100001#1", "document")

    assert _faults(three)[0] == ["its record is missing"]


def test_finds_a_gap(three: Invoker) -> None:
    pk = _number_pk(three)
    _delete(pk, f"{2:010}")

    assert _faults(three) == [
        [],
        [f"{pk.split('#')[2]}-000002 is missing", "it does not follow the hash before it"],
    ]


def test_finds_a_missing_end(three: Invoker) -> None:
    _delete(_number_pk(three), f"{3:010}")

    assert _faults(three)[-1] == ["the series counts 3 numbers, 2 found"]


def test_the_command_says_what_it_found(three: Invoker) -> None:
    runner = CliRunner()
    fine = runner.invoke(cli, ["audit", "--org", three.org_id])
    _delete(_number_pk(three), f"{3:010}")
    not_fine = runner.invoke(cli, ["audit", "--org", three.org_id])

    assert (fine.exit_code, fine.stdout) == (0, "3 documents, 0 movements, 0 faults\n")
    assert not_fine.exit_code == 1
    assert "the series counts 3 numbers, 2 found" in not_fine.output


def _faults(invoke: Invoker) -> list[list[str]]:
    return [faults for _, faults in audit_invoices(invoke.org_id, invoices=InvoiceRepository())]


def _rewrite(invoke: Invoker, ordinal: int, change: Callable[[dict[str, Any]], None]) -> None:
    key = key_of((f"invoice#{invoke.org_id}#100001#{ordinal}", "document"))
    item = dynamodb().get_item(TableName=config.invoices_table(), Key=key)["Item"]
    record = json.loads(zlib.decompress(item["record"]["B"]))
    change(record)
    item["record"]["B"] = zlib.compress(json.dumps(record).encode())
    dynamodb().put_item(TableName=config.invoices_table(), Item=item)


def _number_pk(invoke: Invoker) -> str:
    [(series, _)] = InvoiceRepository().list_series(invoke.org_id)
    return f"number#{invoke.org_id}#{series}"


def _delete(pk: str, sk: str) -> None:
    dynamodb().delete_item(TableName=config.invoices_table(), Key=key_of((pk, sk)))
