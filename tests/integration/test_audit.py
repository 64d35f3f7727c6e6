"""The audit notices whatever is changed in the tables after the fact."""

import importlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from billing import clock, config, deadline
from billing.aws import dynamodb, sqs
from billing.domain.chains import Correction
from billing.domain.fiscal_sending import Sending
from billing.domain.invoices import InvoiceKey
from billing.domain.issuing import Journal
from billing.domain.parties import FiscalRegime
from billing.persistence.accounts import AccountRepository
from billing.persistence.chains import ChainRepository
from billing.persistence.dynamodb import bytes_of, key_of
from billing.persistence.fiscal_senders import SenderRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.orgs import OrgRepository
from billing.services.audit import audit_invoices, audit_stretch, stretches
from billing.services.replace_profile import replace_org
from billing_cli.__main__ import cli
from tests import template
from tests.integration.conftest import EVENTS, Context, Invoker
from tests.integration.test_fiscal_records import put_org, refuse, switch_on


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


# ---------------------------------------------------------------- fiscal records


@pytest.fixture
def declared(billed: Invoker) -> Invoker:
    """
    Issue four documents that are declared, and correct the second and the third.

    Their fiscal records are 1, 2, 3 and 5, those of the corrections 4 and 6.
    """
    switch_on(billed)
    _issue(billed, 1, 2, 3)
    refuse(billed)
    _correct(billed, 2)
    _issue(billed, 4)
    _correct(billed, 3)
    return billed


def test_finds_nothing_wrong_with_what_was_declared_and_corrected(declared: Invoker) -> None:
    audited = list(audit_invoices(declared.org_id, chains=ChainRepository()))

    assert [(each.number[-1], each.is_document) for each in audited] == [
        ("1", True),
        ("2", True),
        ("3", True),
        ("2", False),
        ("4", True),
        ("3", False),
    ]
    assert _said(declared) == []


def test_finds_nothing_wrong_where_declaring_began_or_ended_with_a_year(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_org(billed)
    _issue(billed, 1)
    switch_on(billed)
    _issue(billed, 2)
    refuse(billed)
    orgs, next_year = OrgRepository(), clock.now() + timedelta(days=366)
    monkeypatch.setattr(clock, "now", lambda: next_year)
    org, version = orgs.get(billed.org_id)
    off = replace(org, fiscal_regime=FiscalRegime.NONE)
    replace_org(off, now=next_year, versions={version}, orgs=orgs, system=None)
    _issue(billed, 3)

    assert _said(billed) == []


def test_what_was_erased_is_still_one_chain(declared: Invoker) -> None:
    refuse(declared)
    InvoiceRepository().erase(InvoiceKey(declared.org_id, "100001", 2), clock.now())

    assert _said(declared) == []


def test_finds_a_missing_fiscal_record(declared: Invoker) -> None:
    _set(declared, 2, fiscal=None)

    assert _said(declared) == [
        "2: its fiscal record is missing",
        "3: fiscal record 2 is missing",
    ]


def test_finds_a_document_that_was_not_declared(
    declared: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "_declared", lambda _, invoice, *__: (invoice, None))
    _issue(declared, 5)

    assert _said(declared) == ["5: it has no fiscal record, and documents before it that year have"]


def test_finds_a_fiscal_record_of_a_document_that_was_not_declared(billed: Invoker) -> None:
    put_org(billed)
    _issue(billed, 1)
    switch_on(billed)
    _issue(billed, 2)
    _set(billed, 1, fiscal=_get(billed, 2)["fiscal"]["S"], fiscal_state="pending")

    assert _said(billed) == [
        "1: its fiscal record is not what the document says of it",
        "1: its fiscal record is not the first one of the document",
        "1: its fiscal record is in no list, and nothing takes its place",
        "2: its fiscal record is number 1 of the chain, and follows 1",
    ]


def test_finds_a_changed_fiscal_record(declared: Invoker) -> None:
    def cheaper(record: dict[str, Any]) -> None:
        record["rows"][0][4] = "1.00"

    _rewrite_fiscal(declared, 2, cheaper)

    assert _said(declared) == [
        "2: its fiscal record was changed after it was made",
        "2: its fiscal record is not what the document says of it",
    ]


def test_finds_a_changed_correction(declared: Invoker) -> None:
    def later(record: dict[str, Any]) -> None:
        record["generated_at"] = "2030-01-01T00:00:00+01:00"

    _rewrite_fiscal(declared, "4", later)

    assert _said(declared) == ["2: its correction, fiscal record 4, was changed after it was made"]


@pytest.mark.parametrize(("which", "said"), [(2, "2"), (4, "4")])
def test_finds_a_fork_of_the_chain(declared: Invoker, which: int, said: str) -> None:
    def first(record: dict[str, Any]) -> None:
        record["previous"][0] = "F2026-000009"

    _rewrite_fiscal(declared, which, first)

    assert _said(declared) == [f"{said}: its fiscal record does not follow the one before it"]


def test_finds_a_place_that_two_fiscal_records_have(declared: Invoker) -> None:
    def second(record: dict[str, Any]) -> None:
        record["position"] = 2

    _rewrite_fiscal(declared, 3, second)

    assert _said(declared) == [
        "3: its fiscal record is number 2 of the chain, and follows 2",
        "2: fiscal record 3 is missing",
    ]


def test_finds_a_fiscal_record_of_another_document(declared: Invoker) -> None:
    first, second = _get(declared, 1)["fiscal"]["S"], _get(declared, 2)["fiscal"]["S"]
    _set(declared, 1, fiscal=second)
    _set(declared, 2, fiscal=first)

    assert _said(declared)[:2] == [
        "1: fiscal record 1 is missing",
        "1: its fiscal record is not the first one of the document",
    ]


def test_finds_a_fiscal_record_that_is_declared_twice(declared: Invoker) -> None:
    def first(record: dict[str, Any]) -> None:
        record["amendment"] = None

    _rewrite_fiscal(declared, "4", first)

    assert _said(declared) == ["2: its correction, fiscal record 4, takes the place of no other"]


def test_finds_a_missing_correction(declared: Invoker) -> None:
    _delete(f"fiscal#{declared.org_id}", f"{4:010}")

    assert _said(declared) == [
        "2: its correction, fiscal record 4, is missing",
        "4: fiscal record 4 is missing",
    ]


def test_finds_a_missing_correction_at_the_end(declared: Invoker) -> None:
    _delete(f"fiscal#{declared.org_id}", f"{6:010}")

    assert _said(declared) == [
        "3: its correction, fiscal record 6, is missing",
        "lane A: the lane counts 6 fiscal records, 5 were found",
    ]


def test_finds_a_correction_that_its_document_does_not_name(declared: Invoker) -> None:
    _set(declared, 2, fiscal_amendments=None)

    assert _said(declared) == [
        "2: its fiscal record is in no list, and nothing takes its place",
        "2: its correction, fiscal record 4, takes the place of no other",
    ]


def test_finds_a_document_that_names_the_correction_of_another(declared: Invoker) -> None:
    _set(declared, 1, fiscal_amendments="[4]")

    assert _said(declared) == [
        "1: its correction, fiscal record 4, is missing",
        "1: its fiscal record is listed, though another takes its place",
    ]


@pytest.mark.parametrize(
    ("which", "what"), [(4, "its fiscal record"), ("6", "its correction, fiscal record 6,")]
)
def test_finds_a_fiscal_record_that_would_never_be_sent(
    declared: Invoker, which: int | str, what: str
) -> None:
    _set(declared, which, fiscal_list=None)

    [said] = _said(declared)
    assert said.endswith(f": {what} is in no list, and nothing takes its place")


def test_finds_a_fiscal_record_that_was_passed_over(declared: Invoker) -> None:
    SenderRepository().replace(declared.org_id, Sending(), Sending(answered_through=5, version=1))

    assert _said(declared) == [
        "2: its correction, fiscal record 4, has no answer, and is sent no more",
        "4: its fiscal record has no answer, and is sent no more",
    ]


def test_finds_another_end_of_the_chain(declared: Invoker) -> None:
    _set(declared, "A", fiscal_end='[["F2026-000004", "2026-11-21", ""], "", ""]')

    assert _said(declared) == [
        "lane A: the last fiscal record of the lane is not the one that its chain ends with"
    ]


def test_what_is_declared_and_corrected_meanwhile_is_no_fault(declared: Invoker) -> None:
    [stretch] = stretches(declared.org_id, ChainRepository())
    refuse(declared)
    _issue(declared, 5)
    for ordinal in (1, 2, 3):
        _correct(declared, ordinal)

    audited = list(audit_stretch(stretch, chains=ChainRepository()))

    assert [each.faults for each in audited] == [[]] * 6
    assert _said(declared) == []


def test_a_correction_that_is_made_between_two_reads_is_no_fault(declared: Invoker) -> None:
    class Meanwhile(ChainRepository):
        def list_corrections(self, org_id: str, after: int, before: int) -> Iterator[Correction]:
            for each in super().list_corrections(org_id, after, before):
                yield replace(each, named=[*each.named, 7])

    audited = list(audit_invoices(declared.org_id, chains=Meanwhile()))

    assert [each.faults for each in audited] == [[]] * 6


def test_a_correction_of_a_correction_is_no_fault(declared: Invoker) -> None:
    refuse(declared)
    _correct(declared, 2)

    assert _said(declared) == []


def test_fiscal_records_are_verified_in_as_many_steps_as_it_takes(
    declared: Invoker, audits: "Audits", logged: list[str]
) -> None:
    _delete(f"fiscal#{declared.org_id}", f"{6:010}")
    event = _message("audit_lane")
    [whole] = stretches(declared.org_id, ChainRepository())
    event["Records"][0]["body"] = json.dumps(asdict(whole))

    assert audits.deliver(event, seconds=deadline.STEP_SECONDS) == 6

    lines = [json.loads(line) for line in logged]
    assert [line["numbers"] for line in lines if line["message"] == "audited"] == [1, 1, 1, 0, 1, 0]
    assert [line["fault"] for line in lines if _counts("BreachesFilter", line)] == [
        "its correction, fiscal record 6, is missing",
        "the lane counts 6 fiscal records, 5 were found",
    ]


def test_the_command_verifies_fiscal_records(declared: Invoker) -> None:
    command = ["audit", "--org", declared.org_id]
    fine = CliRunner().invoke(cli, command)
    _set(declared, 1, fiscal=None)
    not_fine = CliRunner().invoke(cli, command)

    assert (fine.exit_code, fine.stdout) == (0, "4 documents, 0 movements, 0 faults\n")
    assert not_fine.exit_code == 1
    assert "000001: its fiscal record is missing" in not_fine.output


def _issue(invoke: Invoker, *numbers: int) -> None:
    for number in numbers:
        body = {"external_invoice_unique_id": f"i{number}"}
        assert invoke("invoices_create", body).status == 201


def _correct(invoke: Invoker, ordinal: int) -> None:
    body = {"external_fiscal_correction_unique_id": uuid4().hex}
    assert invoke("verifactu_correct", body, invoiceId=ordinal).status == 201


def _said(invoke: Invoker) -> list[str]:
    """Return all faults, each behind the end of its document's number."""
    return [
        f"{each.number if each.number.startswith('lane') else each.number[-1]}: {fault}"
        for each in audit_invoices(invoke.org_id, chains=ChainRepository())
        for fault in each.faults
    ]


def _key(invoke: Invoker, which: int | str) -> Any:
    """Return the key of a number; of the correction, or the lane, that a text names."""
    if which == "A":
        return key_of((f"lane#{invoke.org_id}", which))
    if isinstance(which, str):
        return key_of((f"fiscal#{invoke.org_id}", f"{int(which):010}"))
    return key_of((_number_pk(invoke), f"{which:010}"))


def _get(invoke: Invoker, which: int | str) -> Any:
    key = _key(invoke, which)
    return dynamodb().get_item(TableName=config.invoices_table(), Key=key)["Item"]


def _set(invoke: Invoker, which: int | str, **attributes: str | None) -> None:
    """Change attributes of an item; those that are None are removed."""
    item = {**_get(invoke, which), **{name: {"S": text} for name, text in attributes.items()}}
    kept = {name: value for name, value in item.items() if attributes.get(name, "") is not None}
    dynamodb().put_item(TableName=config.invoices_table(), Item=kept)


def _rewrite_fiscal(
    invoke: Invoker, which: int | str, change: Callable[[dict[str, Any]], None]
) -> None:
    record = json.loads(_get(invoke, which)["fiscal"]["S"])
    change(record)
    _set(invoke, which, fiscal=json.dumps(record))


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


def test_the_end_of_a_lane_is_verified_however_short_time_is(
    three: Invoker, audits: "Audits", logged: list[str]
) -> None:
    event = _message("audit_lane")
    [whole] = stretches(three.org_id, ChainRepository())
    event["Records"][0]["body"] = json.dumps(asdict(replace(whole, last_hash="another")))

    audits.deliver(event, seconds=deadline.STEP_SECONDS)

    assert "the last hash of the lane is not that of its last document" in "".join(logged)


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
def audits(billed: Invoker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Audits]:
    """Audit as if there were one org only."""
    queue = sqs().create_queue(QueueName=f"audits-{uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("AUDITS_QUEUE", queue)
    monkeypatch.setattr(AccountRepository, "list_orgs", lambda *_: [billed.org_id])
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
    record, personal = zlib.decompress(bytes_of(item, "record")).split(b"\n")
    lines = {"record": record, "personal": personal}
    changed = json.loads(lines[part])
    change(changed)
    lines[part] = json.dumps(changed).encode() if changed else b""
    item["record"]["B"] = zlib.compress(b"\n".join(lines.values()))
    dynamodb().put_item(TableName=config.invoices_table(), Item=item)


def _record(invoke: Invoker, ordinal: int) -> dict[str, Any]:
    key = key_of((f"invoice#{invoke.org_id}#100001#{ordinal}", "document"))
    item = dynamodb().get_item(TableName=config.invoices_table(), Key=key)["Item"]
    record: dict[str, Any] = json.loads(zlib.decompress(bytes_of(item, "record")).split(b"\n")[0])
    return record


def _number_pk(invoke: Invoker) -> str:
    [(series, end)] = ChainRepository().list_series(invoke.org_id).items()
    return f"number#{invoke.org_id}#{series}{end.year}"


def _delete(pk: str, sk: str) -> None:
    dynamodb().delete_item(TableName=config.invoices_table(), Key=key_of((pk, sk)))
