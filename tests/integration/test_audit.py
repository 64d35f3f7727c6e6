"""The audit notices whatever is changed in the tables after the fact."""

import importlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from billing import clock, config, deadline
from billing.aws import dynamodb, sqs
from billing.persistence.accounts import AccountRepository
from billing.persistence.chains import ChainRepository
from billing.persistence.dynamodb import key_of
from billing.services.audit import audit_invoices, audit_stretch, stretches
from billing_cli.__main__ import cli
from tests import template
from tests.integration.conftest import EVENTS, Context, Invoker


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


@pytest.mark.parametrize("rate", [10, 21])
def test_a_rate_that_one_line_names_and_another_takes_by_default_is_one_rate(
    billed: Invoker, rate: int
) -> None:
    own = {"tax": {"type": "IVA", "percentage": rate}}
    assert billed("location_tax_put", own, stateId=28).status == 204
    named, default = {"description": "Named", **own}, {"description": "Default"}
    lines = [{**line, "quantity": 1, "unit_price": 10} for line in (named, default)]
    assert billed("invoices_create", {"lines": lines}).status == 201

    assert {line["tax"]["percentage"] for line in _record(billed, 1)["lines"]} == {str(rate)}
    assert _faults(billed) == [[]]


def test_an_older_record_that_spells_one_rate_in_two_ways_is_right(three: Invoker) -> None:
    def spelled(record: dict[str, Any]) -> None:
        record["taxes"][0]["tax"]["percentage"] = "2.1E+1"

    _rewrite(three, 3, spelled)

    assert _faults(three) == [[], [], ["its record was changed after it was issued"]]


def test_finds_a_changed_name(three: Invoker) -> None:
    def renamed(record: dict[str, Any]) -> None:
        record["buyer"]["name"] = "Somebody Else"

    _rewrite(three, 3, renamed, part="personal")

    assert _faults(three) == [[], [], ["its personal part was changed after it was issued"]]


def test_finds_a_lost_personal_part(three: Invoker) -> None:
    _rewrite(three, 2, dict.clear, part="personal")

    assert _faults(three) == [[], ["its personal part is missing"], []]


def test_finds_a_series_that_numbers_two_kinds(three: Invoker) -> None:
    [series] = ChainRepository().list_series(three.org_id)
    dynamodb().update_item(
        TableName=config.invoices_table(),
        Key=key_of((f"series#{three.org_id}", series)),
        UpdateExpression="SET kind = :kind",
        ExpressionAttributeValues={":kind": {"S": "CREDIT_NOTE"}},
    )

    said = "it is a document of the kind INVOICE in a series of the kind CREDIT_NOTE"
    assert _faults(three) == [[said]] * 3


def test_walks_invoices_and_credit_notes_in_the_order_of_the_chain(three: Invoker) -> None:
    credit = {"external_credit_note_unique_id": "c1"}
    assert three("invoices_credit", credit, invoiceId=2).status == 201
    assert three("invoices_create", {"external_invoice_unique_id": "e4"}).status == 201

    found = list(audit_invoices(three.org_id, chains=ChainRepository()))

    year = clock.now().year
    order = ["F-000001", "F-000002", "F-000003", "R-000001", "F-000004"]
    assert [each.number.replace(str(year), "") for each in found] == order
    assert [each.faults for each in found] == [[]] * 5


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

    assert _faults(three)[-1] == ["the lane counts 3 documents, 2 were found"]


def test_the_command_says_what_it_found(three: Invoker) -> None:
    runner = CliRunner()
    fine = runner.invoke(cli, ["audit", "--org", three.org_id])
    _delete(_number_pk(three), f"{3:010}")
    not_fine = runner.invoke(cli, ["audit", "--org", three.org_id])

    assert (fine.exit_code, fine.stdout) == (0, "3 documents, 0 movements, 0 faults\n")
    assert not_fine.exit_code == 1
    assert "the lane counts 3 documents, 2 were found" in not_fine.output


def test_what_is_issued_meanwhile_is_no_fault(three: Invoker) -> None:
    [stretch] = stretches(three.org_id, ChainRepository())

    assert three("invoices_create", {"external_invoice_unique_id": "e3"}).status == 201

    audited = list(audit_stretch(stretch, chains=ChainRepository()))
    assert [(each.left.position, each.faults) for each in audited] == [(1, []), (2, []), (3, [])]


# ---------------------------------------------------------------- every week, by itself


def test_the_week_s_message_has_all_series_of_all_orgs_verified(
    three: Invoker, audits: "Audits", logged: list[str]
) -> None:
    audits.deliver(_message("audit_weekly"))

    [line] = map(json.loads, logged)
    assert (line["message"], line["numbers"]) == ("audited", 3)
    assert (line["org_id"], line["lane"]) == (three.org_id, "A")


def test_each_fault_is_logged_as_the_alarm_counts_it(
    three: Invoker, audits: "Audits", logged: list[str]
) -> None:
    _delete(f"invoice#{three.org_id}#100001#1", "document")
    _delete(_number_pk(three), f"{3:010}")

    audits.deliver(_message("audit_weekly"))

    counted = [line for line in map(json.loads, logged) if _counts("BreachesFilter", line)]
    assert [(line["number"][-6:], line["fault"]) for line in counted] == [
        ("000001", "its record is missing"),
        ("lane A", "the lane counts 3 documents, 2 were found"),
    ]
    assert not [line for line in map(json.loads, logged) if _counts("FailuresFilter", line)]


def test_what_nobody_foresaw_is_logged_as_the_alarm_counts_it(
    three: Invoker, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INVOICES_TABLE")
    assert three("invoices_get").status == 500

    assert [
        line["message"] for line in map(json.loads, logged) if _counts("FailuresFilter", line)
    ] == ["unforeseen"]


@pytest.mark.parametrize(
    ("status", "counts"),
    [("success", False), ("error", True), ("failure", True), ("timeout", True)],
)
def test_what_lambda_ends_is_counted(status: str, counts: bool) -> None:
    line = {"type": "platform.report", "record": {"requestId": "1", "status": status}}

    assert _counts("FailuresFilter", line) == counts


def test_where_time_gets_short_the_rest_is_verified_by_the_next_message(
    three: Invoker, audits: "Audits", logged: list[str]
) -> None:
    event = _message("audit_lane")
    [whole] = stretches(three.org_id, ChainRepository())
    event["Records"][0]["body"] = json.dumps(asdict(whole))

    assert audits.deliver(event, seconds=deadline.STEP_SECONDS) == 3
    assert [
        line["numbers"] for line in map(json.loads, logged) if line["message"] == "audited"
    ] == [1, 1, 1]


def test_a_stretch_that_begins_behind_a_changed_document_notices_it(three: Invoker) -> None:
    [whole] = stretches(three.org_id, ChainRepository())
    [first, *_] = [each.left for each in audit_stretch(whole, chains=ChainRepository())]

    rest = audit_stretch(replace(first, hash="another"), chains=ChainRepository())

    assert [each.faults for each in rest] == [["it does not follow the hash before it"], []]


@pytest.mark.parametrize("body", ["no JSON", "{}", '{"lane": "A"}', "[]"])
def test_a_message_that_cannot_be_read_is_given_back(
    aws: None, body: str, logged: list[str]
) -> None:
    event = _message("audit_lane")
    event["Records"][0]["body"] = body

    answer = call("audit", event)

    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert [line["message"] for line in map(json.loads, logged)] == ["not audited"]


@dataclass
class Audits:
    """Delivers the messages of a queue of its own to the function."""

    queue: str

    def deliver(self, event: dict[str, Any], seconds: float = 60) -> int:
        """Deliver an event and all messages that come of it; tell how many that were."""
        for delivered in count(1):
            assert call("audit", event, seconds) == {"batchItemFailures": []}
            messages = sqs().receive_message(QueueUrl=self.queue).get("Messages", [])
            if not messages:
                return delivered
            [message] = messages
            sqs().delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            event["Records"][0]["body"] = message["Body"]
        raise AssertionError


@pytest.fixture
def audits(three: Invoker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Audits]:
    """Audit as if there were one org only."""
    queue = sqs().create_queue(QueueName=f"audits-{uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("AUDITS_QUEUE", queue)
    monkeypatch.setattr(AccountRepository, "list_orgs", lambda *_: [three.org_id])
    yield Audits(queue)
    sqs().delete_queue(QueueUrl=queue)


def call(function: str, event: dict[str, Any], seconds: float = 60) -> Any:
    module = importlib.import_module(f"functions.{function}.app")
    return module.lambda_handler(event, Context(int(seconds * 1000)))


def _message(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def _counts(name: str, line: dict[str, Any]) -> bool:
    """Tell whether a metric filter of the template counts a line."""
    pattern = template.resources()[name]["Properties"]["FilterPattern"]
    terms = re.findall(r'\$\.([\w.]+) = "(\w+)"', pattern)
    assert len(terms) == pattern.count("$"), pattern
    return any(_field(line, field.split(".")) == value for field, value in terms)


def _field(line: Any, names: list[str]) -> Any:
    for name in names:
        line = line.get(name) if isinstance(line, dict) else None
    return line


def _faults(invoke: Invoker) -> list[list[str]]:
    return [each.faults for each in audit_invoices(invoke.org_id, chains=ChainRepository())]


def _rewrite(
    invoke: Invoker,
    ordinal: int,
    change: Callable[[dict[str, Any]], None],
    part: str = "record",
) -> None:
    key = key_of((f"invoice#{invoke.org_id}#100001#{ordinal}", "document"))
    item = dynamodb().get_item(TableName=config.invoices_table(), Key=key)["Item"]
    record, personal = zlib.decompress(item["record"]["B"]).split(b"\n")
    lines = {"record": record, "personal": personal}
    changed = json.loads(lines[part])
    change(changed)
    lines[part] = json.dumps(changed).encode() if changed else b""
    item["record"]["B"] = zlib.compress(b"\n".join(lines.values()))
    dynamodb().put_item(TableName=config.invoices_table(), Item=item)


def _record(invoke: Invoker, ordinal: int) -> dict[str, Any]:
    key = key_of((f"invoice#{invoke.org_id}#100001#{ordinal}", "document"))
    item = dynamodb().get_item(TableName=config.invoices_table(), Key=key)["Item"]
    record: dict[str, Any] = json.loads(zlib.decompress(item["record"]["B"]).split(b"\n")[0])
    return record


def _number_pk(invoke: Invoker) -> str:
    [(series, end)] = ChainRepository().list_series(invoke.org_id).items()
    return f"number#{invoke.org_id}#{series}{end.year}"


def _delete(pk: str, sk: str) -> None:
    dynamodb().delete_item(TableName=config.invoices_table(), Key=key_of((pk, sk)))
