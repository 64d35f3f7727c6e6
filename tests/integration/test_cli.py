"""The command line, on the tables of the running stack."""

import codecs
import contextlib
import csv
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from click.testing import CliRunner, Result

from billing import clock, config
from billing.adapters.secrets import FiscalCertificate, fiscal_certificate
from billing.aws import dynamodb, s3
from billing.domain.fiscal_sending import Sending
from billing.domain.tokens import Reach, Role, token_hash
from billing.domain.verifactu import AgencyError, RecordState, Verdict
from billing.domain.webhooks import Delivery
from billing.persistence.dynamodb import key_of
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.fiscal_senders import SenderRepository
from billing.persistence.tokens import TokenRepository
from billing.persistence.webhooks import WebhookRepository
from billing_cli import dead_letters
from billing_cli.__main__ import cli
from billing_cli.export import BYTE_ORDER_MARK, FIELDS, write_csv
from billing_cli.stack import outputs, resources
from local import certificates
from local.stack import NAME, ROOT
from tests.integration import feeds
from tests.integration.billing import NOW, Runs
from tests.integration.callers import issue
from tests.integration.conftest import Invoker
from tests.integration.fiscal import Books, Time
from tests.integration.test_fiscal_records import issue as declare
from tests.integration.test_fiscal_records import refuse, switch_on

type Run = Callable[..., Result]


@pytest.fixture
def run(aws: None) -> Run:
    """Run a command; its last argument is the org that it is about."""
    return lambda *arguments: CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.fixture
def apart(aws: None) -> Run:
    """Run a command, and keep standard output and standard error apart."""
    return lambda *arguments: CliRunner(mix_stderr=False).invoke(
        cli, arguments, catch_exceptions=False
    )


@pytest.fixture
def two(billed: Invoker) -> Invoker:
    """Make an org with two invoices, the first of which has a PDF and is paid in part."""
    for number in range(2):
        assert billed("invoices_create", {"external_invoice_unique_id": f"e{number}"}).status == 201
    assert billed("invoices_get_pdf").status == 200
    assert billed("invoices_pay").status == 201
    return billed


def test_help_needs_no_stack() -> None:
    without = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'layers' / 'billing'}:{ROOT / 'cli'}",
    }
    for command in ([], ["token"], ["token", "create"], ["export"]):
        told = subprocess.run(
            [sys.executable, "-m", "billing_cli", *command, "--help"],
            cwd=ROOT, env=without, capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert (told.returncode, told.stdout[:14]) == (0, "Usage: billing")


def test_it_can_be_installed(tmp_path: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation",
         "--python", sys.executable, "--target", tmp_path, "."],
        cwd=ROOT, check=True,
    )  # fmt: skip

    told = subprocess.run(
        [tmp_path / "bin" / "billing", "--help"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert told.stdout.startswith("Usage: billing")


def test_says_what_goes_wrong(run: Run, org_id: str) -> None:
    for command in ("revoke", "rotate"):
        refused = run("token", command, "--org", org_id, "nope")
        assert (refused.exit_code, refused.output) == (1, f"Error: {org_id} has no token nope.\n")
    elsewhere = run("--stack", "nope", "audit", "--org", "x")
    assert elsewhere.exit_code == 1
    assert elsewhere.output == (
        f"Error: There is no stack nope in {os.environ['AWS_DEFAULT_REGION']}: name it with "
        "--stack, and its region with AWS_DEFAULT_REGION.\n"
    )


@pytest.mark.parametrize(
    ("unset", "remedy"),
    [
        (["AWS_DEFAULT_REGION", "AWS_REGION"], "export AWS_DEFAULT_REGION"),
        (["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], "run `aws configure`"),
    ],
    ids=["region", "credentials"],
)
def test_says_what_is_not_configured(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unset: list[str], remedy: str
) -> None:
    for name in unset:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    outputs.cache_clear()

    refused = run("audit", "--org", "x")

    assert refused.exit_code == 1
    assert remedy in refused.output


def test_tokens_are_made_listed_rotated_and_revoked(run: Run, org_id: str) -> None:
    org = ["--org", org_id]
    made = ["--role", "writer", "--accounts", "1,2", "--expires", "2099-01-31", "--name", "shop"]

    first = run("token", "create", *org, *made).stdout.strip()
    [listed] = run("token", "list", *org).stdout.splitlines()
    second = run("token", "rotate", *org, listed.split()[0]).stdout.strip()
    third = run("token", "rotate", "--keep", *org, _only_id(run, org)).stdout.strip()
    found = TokenRepository().find_all([token_hash(token) for token in (first, second, third)])

    assert listed.split("  ", 1)[1] == (
        f"…{first[-4:]}  writer  1,2  until 2099-01-31 00:00Z  shop"
    )
    assert found.keys() == {token_hash(token) for token in (second, third)}
    for grant in found.values():
        assert (grant.role, grant.name, grant.ancestors) == (Role.WRITER, "shop", ())
        assert grant.reach == Reach.of(["1", "2"])
    for line in run("token", "list", *org).stdout.splitlines():
        assert run("token", "revoke", *org, line.split()[0]).exit_code == 0
    assert run("token", "list", *org).output == f"Error: There is no org {org_id}.\n"


def test_a_rotated_token_ends_with_the_token_that_the_old_one_came_from(
    run: Run, org_id: str
) -> None:
    maker, _ = issue(org_id)
    grant, _ = issue(org_id, role=Role.WRITER, reach=Reach.of(["1"]), maker=maker)

    secret = run("token", "rotate", "--org", org_id, grant.id).stdout.strip()

    [renewed] = TokenRepository().find_all([token_hash(secret)]).values()
    assert renewed.ancestors == grant.ancestors == (maker.token_hash,)
    assert (renewed.role, renewed.reach, renewed.name) == (grant.role, grant.reach, grant.name)
    assert renewed.expires_at == grant.expires_at


def test_a_token_that_has_expired_is_not_rotated(
    apart: Run, org_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    grant, _ = issue(org_id, expires_at=tomorrow)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)

    refused = apart("token", "rotate", "--org", org_id, grant.id)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"Error: The token {grant.id} has expired")


@pytest.mark.parametrize(
    "command",
    [["export"], ["audit"], ["token", "list"], ["run"], ["invoice", "show", "F2026-000001"]],
    ids=" ".join,
)
def test_an_org_that_nobody_knows_is_an_error(apart: Run, org_id: str, command: list[str]) -> None:
    refused = apart(*command, "--org", org_id)

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"Error: There is no org {org_id}.\n"


def test_an_org_is_known_by_its_first_token(run: Run, org_id: str) -> None:
    run("token", "create", "--org", org_id, "--role", "admin", "--name", "first")

    assert run("audit", "--org", org_id).stdout == "0 documents, 0 movements, 0 faults\n"
    assert len(_rows(run("export", "--org", org_id))) == 0


def test_the_first_token_makes_an_org_a_sandbox(run: Run, org_id: str) -> None:
    def create(org: str, *options: str) -> Result:
        return run("token", "create", "--org", org, "--role", "admin", "--name", "n", *options)

    made = [create(org_id, "--sandbox"), create(org_id), create(f"{org_id}-real")]
    refused = create(f"{org_id}-real", "--sandbox")

    hashes = [token_hash(each.stdout.strip()) for each in made]
    found = TokenRepository().find_all(hashes)
    assert [found[each].sandbox for each in hashes] == [True, True, False]
    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: {org_id}-real is not a sandbox")


def test_exports_csv(run: Run, two: Invoker) -> None:
    exported = run("export", "--org", two.org_id)

    first, second = _rows(exported)
    assert (first["gross"], first["paid"], first["remaining"]) == ("56.47", "20.00", "36.47")
    assert (first["status"], second["status"]) == ("PARTLY_PAID", "UNPAID")
    assert second["number"].endswith("-000002")
    assert second["tax_id"] == "12345678Z"


def test_exports_what_has_become_of_a_document(run: Run, two: Invoker) -> None:
    assert two("invoices_credit", invoiceId=2).status == 201

    stated = {
        row["number"][0] + row["number"][-1]: row["status"]
        for row in _rows(run("export", "--org", two.org_id))
    }

    assert stated == {"F1": "PARTLY_PAID", "F2": "CREDITED", "R1": "PAID"}


def test_exports_every_number_once_and_in_order(run: Run, two: Invoker) -> None:
    assert two("invoices_credit", invoiceId=2).status == 201
    for number in (3, 4, 5):
        body = {"external_invoice_unique_id": f"e{number}"}
        assert two("invoices_create", body).status == 201

    numbers = [row["number"][-8:] for row in _rows(run("export", "--org", two.org_id))]

    # A series after the other: the sixth document of the account is the credit note.
    invoices = [f"6-00000{number}" for number in range(1, 6)]
    assert numbers in (["6-000001", *invoices], [*invoices, "6-000001"])


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\uff1d"])
def test_no_cell_is_a_formula(run: Run, billed: Invoker, first: str) -> None:
    text = f'{first}HYPERLINK("https://example.com"; "Factura")'
    assert billed("invoices_create", {"description": text}).status == 201
    assert billed("invoices_credit").status == 201

    rows = _rows(run("export", "--org", billed.org_id))

    by_number = {row["number"][0]: row for row in rows}
    assert by_number["F"]["description"] == f"'{text}"
    # Numbers stay numbers, also below zero.
    assert by_number["R"]["gross"] == "-" + by_number["F"]["gross"]
    assert json.loads(
        run("export", "--org", billed.org_id, "--format", "jsonl").stdout.splitlines()[0]
    )["description"] in (text, by_number["R"]["description"])


@pytest.mark.parametrize("first", ["\t", "\r", "\n"])
def test_no_cell_begins_with_what_hides_a_formula(first: str) -> None:
    row = {**dict.fromkeys(FIELDS, "0"), "name": f"{first}=1+1", "net": "-12.10"}
    file = io.StringIO()

    write_csv([row, None], ",", file)

    [written] = csv.DictReader(io.StringIO(file.getvalue().removeprefix(BYTE_ORDER_MARK)))
    assert (written["name"][:2], written["net"]) == (f"'{first}", "-12.10")


@pytest.mark.parametrize(("name", "delimiter"), [(";", ";"), ("tab", "\t")])
def test_csv_is_made_for_spreadsheets(
    run: Run, two: Invoker, tmp_path: Path, name: str, delimiter: str
) -> None:
    command, file = ["export", "--org", two.org_id, "--delimiter", name], tmp_path / "all.csv"
    printed = run(*command).stdout_bytes

    run(*command, "--output", str(file))

    assert printed == file.read_bytes()
    assert printed.startswith(codecs.BOM_UTF8)
    first, _ = csv.DictReader(io.StringIO(printed.decode("utf-8-sig")), delimiter=delimiter)
    assert (first["number"][:1], first["name"]) == ("F", "Ana Pérez Ejemplo")


def test_a_failed_export_leaves_the_file_as_it_was(
    run: Run, two: Invoker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Iterator[None]:
        yield None
        raise OverflowError

    file = tmp_path / "invoices.csv"
    file.write_text("last month's")
    monkeypatch.setattr("billing_cli.export.rows", fail)

    with pytest.raises(OverflowError):
        run("export", "--org", two.org_id, "-o", str(file))

    assert file.read_text() == "last month's"
    assert list(tmp_path.iterdir()) == [file]


def test_says_where_it_cannot_write(apart: Run, two: Invoker, tmp_path: Path) -> None:
    refused = apart("export", "--org", two.org_id, "-o", str(tmp_path / "nowhere" / "x.csv"))

    assert refused.exit_code == 1
    assert "No such file or directory" in refused.stderr


@pytest.mark.parametrize("command", [["export"], ["audit"]], ids=" ".join)
def test_progress_goes_to_standard_error(
    apart: Run, two: Invoker, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    undisturbed = apart(*command, "--org", two.org_id)
    monkeypatch.setattr("billing_cli.__main__.SECONDS_BETWEEN_LINES", 0)

    told = apart(*command, "--org", two.org_id)

    assert undisturbed.stderr == ""
    assert told.stderr.splitlines() == ["1 of 2 documents", "2 of 2 documents"]
    assert told.stdout == undisturbed.stdout


@pytest.mark.parametrize("rows_on_it", [True, False], ids=["rows too", "a pipe for rows"])
def test_a_terminal_shows_a_bar_or_rows_and_never_both(two: Invoker, rows_on_it: bool) -> None:
    terminal, shown = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "billing_cli", "export", "--org", two.org_id],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'layers' / 'billing'}:{ROOT / 'cli'}"},
        stdout=shown if rows_on_it else subprocess.PIPE,
        stderr=shown,
    )
    os.close(shown)
    piped = process.communicate()[0] or b""
    on_terminal = _read_all(terminal)

    assert process.returncode == 0, on_terminal.decode()
    assert (b"Documents" in on_terminal) != rows_on_it
    assert (b"-000002" in on_terminal) == rows_on_it
    assert (b"-000002" in piped) != rows_on_it


def test_exports_jsonl_of_some_days(run: Run, two: Invoker, tmp_path: Path) -> None:
    file = tmp_path / "invoices.jsonl"
    command = ["export", "--org", two.org_id, "--format", "jsonl", "-o", str(file)]

    run(*command, "--from", "2026-01-01")
    some = [json.loads(line) for line in file.read_text().splitlines()]
    run(*command, "--to", "2026-01-01")

    assert len(some) == 2
    assert [line["net"] for line in some[0]["lines"]] == ["40.50", "6.17"]
    assert file.read_text() == ""


def test_audits_pdfs(run: Run, two: Invoker) -> None:
    bucket, audit = config.documents_bucket(), ("audit", "--org", two.org_id)
    [stored] = s3().list_objects_v2(Bucket=bucket, Prefix=f"{two.org_id}/100001/1/")["Contents"]
    fine = run(*audit)

    s3().put_object(Bucket=bucket, Key=stored["Key"], Body=b"%PDF-forged")
    forged = run(*audit)
    s3().delete_object(Bucket=bucket, Key=stored["Key"])
    missing = run(*audit)

    assert fine.stdout == "2 documents, 0 movements, 0 faults\n"
    assert "-000001: its PDF was changed after it was stored" in forged.stdout
    assert "-000001: its PDF is missing" in missing.stdout
    assert run(*audit, "--quick").exit_code == 0
    assert (forged.exit_code, missing.exit_code) == (1, 1)


def test_audits_refunds(run: Run, billed: Invoker) -> None:
    movement = billed("movements_create").json["id"]
    refund = billed("refunds_create", movementId=movement).json["id"]
    audit = ("audit", "--org", billed.org_id)
    fine = run(*audit)

    key = key_of((f"subscription#{billed.org_id}#600123456", f"movement#{movement}"))
    _set_refunded(key, 1)
    noted = run(*audit)
    dynamodb().delete_item(TableName=config.movements_table(), Key=key)
    orphaned = run(*audit)

    assert fine.stdout == "0 documents, 1 movements, 0 faults\n"
    assert f"movement {movement}: 0.01 EUR are noted as refunded, its refunds are" in noted.stdout
    assert f"movement {movement}: it is missing, but has refunds" in orphaned.stdout
    assert refund


def test_audits_caps(run: Run, billed: Invoker) -> None:
    movement = billed("movements_create").json["id"]
    assert billed("refunds_create", movementId=movement).status == 201
    table, pk = config.refunds_table(), f"movement#{billed.org_id}#600123456#{movement}"
    [item] = dynamodb().query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
    )["Items"]
    for number in range(99):
        forged = {**item, "sk": {"S": f"{item['sk']['S']}{number}"}}
        dynamodb().put_item(TableName=table, Item=forged)

    audited = run("audit", "--org", billed.org_id)

    assert ", it has only " in audited.stdout


def test_prints_events(run: Run, two: Invoker) -> None:
    assert run("events", "--org", two.org_id).stdout == ""
    feeds.publish_all(two.org_id)

    printed = run("events", "--org", two.org_id).stdout

    assert list(map(json.loads, printed.splitlines())) == feeds.read(two)


def test_prints_webhooks(run: Run, two: Invoker) -> None:
    created = two("webhooks_create_endpoint").json["id"]
    WebhookRepository().add_delivery(Delivery(two.org_id, created, "evt_1", 1, clock.now()))

    printed = run("webhooks", "--org", two.org_id, "--endpoint", created).stdout.splitlines()

    assert printed[0].startswith(f"{created}  works  invoice.issued,invoice.paid  https://hooks")
    assert printed[1] == "000000000001  evt_1  pending  0 tries, no answer"
    refused = run("webhooks", "--org", two.org_id, "--endpoint", "nope")
    assert refused.exit_code == 1
    assert refused.output.endswith(f"Error: {two.org_id} has no webhook endpoint nope.\n")


def test_prints_lines_of_json_where_it_is_asked_to(run: Run, two: Invoker) -> None:
    created = two("webhooks_create_endpoint").json["id"]
    WebhookRepository().add_delivery(Delivery(two.org_id, created, "evt_1", 1, clock.now()))

    def lines(*command: str) -> list[Any]:
        printed = run(*command, "--org", two.org_id, "--json").stdout
        return [json.loads(line) for line in printed.splitlines()]

    endpoint, delivery = lines("webhooks", "--endpoint", created)
    assert two("webhooks_list_endpoints").json == {"webhook_endpoints": [endpoint]}
    assert (delivery["event_id"], delivery["status"]) == ("evt_1", "pending")
    assert lines("token", "list") == two("tokens_list").json["tokens"]


def test_prints_a_document_by_its_number(run: Run, two: Invoker) -> None:
    whole = two("invoices_get_whole").json

    printed = run("invoice", "show", "--org", two.org_id, whole["number"])
    unknown = run("invoice", "show", "--org", two.org_id, "F1999-000001")

    assert json.loads(printed.stdout) == whole
    assert (unknown.exit_code, unknown.output) == (
        1,
        f"Error: {two.org_id} has no document F1999-000001.\n",
    )


def test_starts_a_run_once_for_each_id(run: Run, billed: Invoker) -> None:
    first, again, other = (
        run("run", "--org", billed.org_id, "--id", external) for external in ("a", "a", "b")
    )

    assert first.stdout == again.stdout != other.stdout
    listed = [each["id"] for each in billed("billing_run_list").json["billing_runs"]]
    assert {first.stdout.strip(), other.stdout.strip()} <= set(listed)


def test_watches_a_run_to_its_end(apart: Run, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing_cli.runs.time", SimpleNamespace(sleep=lambda _: runs.deliver()))

    watched = apart("run", "--org", runs.invoke.org_id, "--watch")

    assert watched.exit_code == 0, watched.output
    assert watched.stderr.splitlines()[0] == "running: 0 of 0 accounts, 0 documents"
    assert watched.stderr.splitlines()[-1].startswith("completed: ")
    assert runs.get(watched.stdout.strip())["status"] == "completed"


def test_sets_the_certificate_of_an_org_and_tells_nobody(
    run: Run, billed: Invoker, tmp_path: Path, logged: list[str]
) -> None:
    pem = certificates.of_taxpayer(tmp_path, "A58818501", "Telco Ejemplo S.A.")
    file = tmp_path / "certificate.pem"
    command = ["verifactu", "certificate", "--org", billed.org_id, str(file)]
    file.write_text("-----BEGIN CERTIFICATE-----")
    refused = run(*command)
    file.write_text(pem)

    done, sealed = run(*command), run(*command, "--seal")

    assert refused.exit_code == 1
    assert refused.output == "Error: The taxpayer's certificate cannot be read.\n"
    assert (done.exit_code, done.output) == (0, "")
    assert sealed.exit_code == 0
    assert fiscal_certificate(billed.org_id) == FiscalCertificate(pem, seal=True)
    assert not [line for line in logged if "BEGIN" in line or "KEY" in line]


def test_prints_how_far_the_sending_of_fiscal_records_is(
    run: Run, two: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["verifactu", "status", "--org", two.org_id]
    assert run(*command).stdout.splitlines() == [
        "records      none",
        "unsent       none",
        "certificate  missing",
    ]
    books, rejected = Books(Time(NOW)), RecordState.REJECTED
    books.issue(3)
    verdict = Verdict(rejected, NOW, None, (AgencyError("1239", "Error en el Destinatario."),))
    kept = replace(books.pending("", 1)[0], state=rejected, verdict=verdict)
    senders, sending = SenderRepository(), Sending()
    repository = FiscalRecordRepository
    monkeypatch.setattr(repository, "end", lambda *_: books.end(""))
    monkeypatch.setattr(repository, "pending", lambda *_: books.pending("", 2))
    monkeypatch.setattr(repository, "list_by_state", lambda *_: [kept])
    begun = sending.begun(books.pending("", 3), NOW)
    senders.replace(two.org_id, sending, begun)
    failed = begun.failed("The tax agency refused the certificate.", NOW)
    senders.replace(two.org_id, begun, failed)

    assert run(*command).stdout.splitlines() == [
        "records      3, the last of F2026-000003, 2026-11-21",
        "unsent       2, the oldest since 2026-11-21 10:00:00Z",
        "last         2026-11-21 10:00:00Z, no answer, 1 in a row: The tax agency refused the "
        "certificate.",
        "next         2026-11-21 10:01:00Z, or once a message is full",
        "certificate  missing",
        "rejected     F2026-000001  1239  Error en el Destinatario.",
    ]
    senders.replace(two.org_id, failed, failed.answered(sending.wait, NOW, is_complete=True))
    assert "last         2026-11-21 10:00:00Z, answered" in run(*command).stdout.splitlines()


@pytest.fixture
def rejected(billed: Invoker) -> Invoker:
    """Have the agency reject the fiscal records of two invoices, and not answer to a third."""
    switch_on(billed)
    declare(billed, 2)
    refuse(billed, AgencyError("1239", "NIF no identificado"), AgencyError("1110", "Otro"))
    assert billed("invoices_create", {"external_invoice_unique_id": "third"}).status == 201
    return billed


def test_lists_the_fiscal_records_in_a_state(
    run: Run, rejected: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing_cli.verifactu.RECORDS_AT_ONCE", 1)
    command = ["verifactu", "records", "--org", rejected.org_id]
    year = clock.now().year

    assert run(*command).stdout.splitlines() == [
        f"F{year}-000001  F1  1239 NIF no identificado; 1110 Otro",
        f"F{year}-000002  F1  1239 NIF no identificado; 1110 Otro",
    ]
    assert run(*command, "--state", "pending").stdout == f"F{year}-000003  F1\n"
    assert run(*command, "--state", "accepted").stdout == ""
    [line] = run(*command, "--state", "pending", "--json").stdout.splitlines()
    listed = rejected("verifactu_list_records", query={"state": "pending"}).json
    assert [json.loads(line)] == listed["fiscal_records"]


def test_corrects_fiscal_records_by_their_numbers(run: Run, rejected: Invoker) -> None:
    command = ["verifactu", "correct", "--org", rejected.org_id]
    first, second, third, fourth = (f"F{clock.now().year}-00000{number}" for number in range(1, 5))

    done = run(*command, "--buyer-id-type", "not_in_census", first, second)
    refused = run(*command, first, third, fourth, "none")

    assert done.exit_code == 0
    assert done.stdout == f"{first}: corrected by record 4\n{second}: corrected by record 5\n"
    pending = FiscalRecordRepository().pending(rejected.org_id, 10)
    assert [each.record.declaration.number for each in pending] == [third, first, second]
    recipients = [each.record.declaration.recipient for each in pending]
    assert [each and each.id_type for each in recipients] == [None, "07", "07"]
    assert refused.exit_code == 1
    said = [line.split(": ", 1) for line in refused.output.splitlines()]
    assert [number for number, _ in said] == [first, third, fourth, "none"]
    assert said[2][1] == f"{rejected.org_id} has no document {fourth}."
    assert len(FiscalRecordRepository().pending(rejected.org_id, 10)) == 3


def test_corrects_what_can_be_corrected_behind_what_cannot(run: Run, rejected: Invoker) -> None:
    first, third = (f"F{clock.now().year}-00000{number}" for number in (1, 3))

    result = run("verifactu", "correct", "--org", rejected.org_id, third, first)

    assert result.exit_code == 1
    assert result.output.splitlines()[1] == f"{first}: corrected by record 4"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait at no queue: there are ten, and the emulator has all that was sent at once."""
    monkeypatch.setattr(dead_letters, "WAIT_SECONDS", 0)


@pytest.mark.usefixtures("impatient")
def test_replays_events_that_were_not_published(run: Run, two: Invoker) -> None:
    url = resources(NAME, "AWS::SQS::Queue")["EventsDeadLetters"]
    streams, sqs = boto3.client("dynamodbstreams"), boto3.client("sqs")
    [stream] = streams.list_streams(TableName=config.accounts_table())["Streams"]
    shard, record = _find(streams, stream["StreamArn"], f"account#{two.org_id}#100001", "profile")
    number = record["dynamodb"]["SequenceNumber"]
    where = {
        "streamArn": stream["StreamArn"],
        "shardId": shard,
        "startSequenceNumber": number,
        "endSequenceNumber": number,
        "batchSize": 1,
    }
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"DDBStreamBatchInfo": where}))

    assert "EventsDeadLetters: 1 replayed, 0 left" in run("replay").stdout

    assert [each["type"] for each in feeds.read(two)] == ["account.changed"]


def test_replays_messages(run: Run, queue_pair: tuple[str, str]) -> None:
    dead, source = queue_pair
    sqs = boto3.client("sqs")
    for number in range(12):
        sqs.send_message(QueueUrl=dead, MessageBody=str(number))
    letters = dead_letters.Messages(sqs, dead, source)

    assert letters.count() == 12
    assert letters.replay() == (12, 0)
    assert (letters.count(), dead_letters.Messages(sqs, source, dead).count()) == (0, 12)


@pytest.mark.usefixtures("impatient")
def test_replays_documents_that_were_not_made(run: Run, two: Invoker) -> None:
    url = resources(NAME, "AWS::SQS::Queue")["DocumentsDeadLetters"]
    streams, sqs = boto3.client("dynamodbstreams"), boto3.client("sqs")
    [stream] = streams.list_streams(TableName=config.invoices_table())["Streams"]
    shard, record = _find(streams, stream["StreamArn"], f"invoice#{two.org_id}#100001#2")
    _forget_pdf(two, 2)
    number = record["dynamodb"]["SequenceNumber"]
    where = {
        "streamArn": stream["StreamArn"],
        "shardId": shard,
        "startSequenceNumber": number,
        "endSequenceNumber": number,
        "batchSize": 1,
    }
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"DDBStreamBatchInfo": where}))

    counted = run("replay", "--dry-run")
    replayed = run("replay")

    assert "DocumentsDeadLetters: 1 waiting" in counted.stdout
    assert "DocumentsDeadLetters: 1 replayed, 0 left" in replayed.stdout
    assert s3().list_objects_v2(Bucket=config.documents_bucket(), Prefix=f"{two.org_id}/100001/2/")[
        "KeyCount"
    ]


@pytest.fixture
def queue_pair(aws: None) -> Any:
    """Make two queues of our own: a replay empties the stack's own, whoever filled them."""
    sqs = boto3.client("sqs")
    urls = [sqs.create_queue(QueueName=f"test-{uuid4().hex}")["QueueUrl"] for _ in range(2)]
    yield tuple(urls)
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def _rows(exported: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported.stdout.removeprefix(BYTE_ORDER_MARK))))


def _read_all(terminal: int) -> bytes:
    """Read what a terminal shows, until nobody has it open any more."""
    shown = b""
    with contextlib.suppress(OSError), open(terminal, "rb", buffering=0) as screen:
        while more := screen.read(4096):
            shown += more
    return shown


def _only_id(run: Run, org: list[str]) -> str:
    [line] = run("token", "list", *org).stdout.splitlines()
    return line.split()[0]


def _set_refunded(key: Any, minor: int) -> None:
    dynamodb().update_item(
        TableName=config.movements_table(),
        Key=key,
        UpdateExpression="SET refunded = :refunded",
        ExpressionAttributeValues={":refunded": {"N": str(minor)}},
    )


def _find(streams: Any, arn: str, pk: str, sk: str = "document") -> tuple[str, Any]:
    """Find the record of a document, or of another item, in a stream."""
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                keys = record["dynamodb"]["Keys"]
                if (keys["pk"]["S"], keys["sk"]["S"]) == (pk, sk):
                    return shard["ShardId"], record
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    pytest.fail("the stream does not have it")


def _forget_pdf(invoke: Invoker, ordinal: int) -> None:
    """Forget the PDF of an invoice, once the stream has brought it about."""
    invoke("invoices_get_pdf", invoiceId=ordinal)
    pk = f"invoice#{invoke.org_id}#100001#{ordinal}"
    dynamodb().delete_item(TableName=config.invoices_table(), Key=key_of((pk, "pdf")))
    for stored in s3().list_objects_v2(
        Bucket=config.documents_bucket(), Prefix=f"{invoke.org_id}/100001/{ordinal}/"
    )["Contents"]:
        s3().delete_object(Bucket=config.documents_bucket(), Key=stored["Key"])


@pytest.mark.parametrize("org", ["a#b", "", "two words", "x" * 65])
def test_takes_no_org_that_no_id_could_be(aws: None, org: str) -> None:
    refused = CliRunner().invoke(cli, ["token", "list", "--org", org])

    assert refused.exit_code == 2
    assert "--org" in refused.output
