"""The command line, on the tables of the running stack."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from click.testing import CliRunner, Result

from billing import config
from billing.aws import dynamodb, s3
from billing.domain.tokens import Reach, Role, token_hash
from billing.persistence.dynamodb import key_of
from billing.persistence.tokens import TokenRepository
from billing_cli import dead_letters
from billing_cli.__main__ import cli
from billing_cli.stack import resources
from local.stack import NAME, ROOT
from tests.integration.conftest import Invoker

type Run = Callable[..., Result]


@pytest.fixture
def run(aws: None) -> Run:
    """Run a command; its last argument is the org that it is about."""
    return lambda *arguments: CliRunner().invoke(cli, arguments, catch_exceptions=False)


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
    assert run("token", "revoke", "--org", org_id, "nope").output == (
        "Error: There is no such resource.\n"
    )
    assert run("token", "rotate", "--org", org_id, "nope").exit_code == 1
    assert "id nope does not exist" in run("--stack", "nope", "audit", "--org", "x").output


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
    assert run("token", "list", *org).stdout == ""


def test_exports_csv(run: Run, two: Invoker) -> None:
    exported = run("export", "--org", two.org_id)

    first, second = csv.DictReader(io.StringIO(exported.stdout))
    assert (first["gross"], first["paid"], first["remaining"]) == ("56.47", "20.00", "36.47")
    assert (first["status"], second["status"]) == ("PARTLY_PAID", "UNPAID")
    assert second["number"].endswith("-000002")
    assert second["tax_id"] == "12345678Z"


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


def test_replays_messages(run: Run, queue_pair: tuple[str, str]) -> None:
    dead, source = queue_pair
    sqs = boto3.client("sqs")
    for number in range(12):
        sqs.send_message(QueueUrl=dead, MessageBody=str(number))
    letters = dead_letters.Messages(sqs, dead, source)

    assert letters.count() == 12
    assert letters.replay() == (12, 0)
    assert (letters.count(), dead_letters.Messages(sqs, source, dead).count()) == (0, 12)


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


def _find(streams: Any, arn: str, pk: str) -> tuple[str, Any]:
    """Find the record of a document in a stream."""
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                keys = record["dynamodb"]["Keys"]
                if (keys["pk"]["S"], keys["sk"]["S"]) == (pk, "document"):
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
