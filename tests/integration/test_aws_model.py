"""The largest inputs that the API accepts fit into what AWS takes; its model knows each call."""

import json
import random
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from billing import aws, config
from billing.adapters.queues import BatchesQueue
from billing.domain.billing_runs import MAX_DOCUMENTS, Batch
from tests.integration import aws_model
from tests.integration.billing import Runs, subscribers
from tests.integration.conftest import Answer, Invoker

HAN = [chr(code) for code in range(0x4E00, 0x9FA5)]
LATIN = [chr(code) for code in range(0xC0, 0x17F) if chr(code).isalpha()]
LONGEST_ID = "o" * 64

type Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _measured(aws: None) -> None:
    aws_model.largest.clear()


def long_text(length: int, letters: Any = HAN) -> str:
    """Write a text that no compression makes much smaller."""
    return "".join(random.Random(length).choices(letters, k=length))


@pytest.fixture
def longest(aws: None) -> Invoker:
    """Have an org and its account with the longest id, and profiles full of long texts."""
    invoke = Invoker(f"{uuid4().hex}{uuid4().hex}")
    assert len(invoke.org_id) == 64
    for event, field in (("put_org", "legal_name"), ("put_account", "name")):
        assert invoke(f"billing_info_{event}", {field: long_text(200, LATIN)}).status == 204
    return invoke


def issue(invoke: Invoker, *, lines: int, characters: int, letters: Any = HAN) -> Answer:
    line = json.loads(invoke.event("invoices_create")["body"])["lines"][0]
    dice = random.Random(lines)
    texts = ("".join(dice.choices(letters, k=characters)) for _ in range(lines))
    body = {
        "external_invoice_unique_id": long_text(255),
        "lines": [{**line, "description": text} for text in texts],
    }
    return invoke("invoices_create", body)


@pytest.mark.parametrize("characters", [60, 250, 500])
def test_a_thousand_lines_are_stored_or_refused_in_our_words(
    longest: Invoker, characters: int
) -> None:
    issued = issue(longest, lines=1000, characters=characters)

    if issued.status == 201:
        for event in ("invoices_get", "invoices_list", "invoices_list_of_period"):
            assert longest(event).status == 200
        assert aws_model.largest["item"] > 100_000
    else:
        assert (issued.status, issued.json["code"]) == (413, "TOO_LARGE")
    assert aws_model.largest["answer"] > 0


def test_a_thousand_lines_of_sixty_characters_are_accepted(longest: Invoker) -> None:
    assert issue(longest, lines=1000, characters=60, letters=LATIN).status == 201
    assert longest("invoices_get_pdf").status == 200
    assert longest("invoices_e_invoice").status == 200


def test_a_thousand_usage_records_are_stored(longest: Invoker) -> None:
    [subscriber] = subscribers(longest, 1)
    subscriber.charge()
    event = longest.event("consumptions_create")
    record = json.loads(event["body"])["records"][0]
    records = [
        {**record, "external_consumption_unique_id": f"{number:04}{long_text(251)}"}
        for number in range(1000)
    ]

    taken = longest("consumptions_create", {"records": records}, **subscriber.path)

    assert taken.status == 201
    assert aws_model.largest["writes of a transaction"] > 90
    assert aws_model.largest["items of a batch"] == 100


def test_ten_documents_are_issued_in_one_transaction(billed: Invoker, runs: Runs) -> None:
    for each in subscribers(billed, 10):
        for number in range(20):
            each.charge(1000 + number)

    runs.run(until="2026-12-01")

    assert aws_model.largest["writes of a transaction"] > 90
    assert aws_model.largest["messages"] > 100


def test_a_batch_of_messages_fits(aws: None) -> None:
    accounts = tuple(f"{number:064}" for number in range(MAX_DOCUMENTS))
    batches = [
        Batch(LONGEST_ID, uuid4().hex, 10**6 + number, date(2026, 12, 1), accounts)
        for number in range(10)
    ]

    BatchesQueue().send(batches)

    assert aws_model.largest["messages of a batch"] == 10
    assert aws_model.largest["messages"] > 5_000


# ---------------------------------------------------------------- what it would notice


@pytest.mark.parametrize(
    ("item", "what"),
    [
        pytest.param({"text": {"S": "x" * 400 * 1024}}, "item", id="too large an item"),
        pytest.param({"sk": {"S": "s" * 1025}}, "sort key", id="too long a key"),
        pytest.param({"text": {"S": 5}}, "PutItem", id="a number as a string"),
        pytest.param({"text": {"X": "5"}}, "PutItem", id="a type that there is not"),
    ],
)
def test_a_call_that_aws_would_refuse_fails_the_test(aws: None, item: Json, what: str) -> None:
    whole = {"pk": {"S": "model"}, "sk": {"S": "model"}, **item}

    with pytest.raises(pytest.fail.Exception, match=what):
        _dynamodb().put_item(TableName=config.accounts_table(), Item=whole)


def test_too_many_writes_and_too_long_a_group_fail_the_test(aws: None) -> None:
    key = {"pk": {"S": "model"}, "sk": {"S": "model"}}
    delete = {"Delete": {"TableName": config.accounts_table(), "Key": key}}

    with pytest.raises(pytest.fail.Exception, match="writes of a transaction: 101"):
        _dynamodb().transact_write_items(TransactItems=[delete] * 101)
    with pytest.raises(pytest.fail.Exception, match="group's name: 129"):
        _sqs().send_message(QueueUrl=config.runs_queue(), MessageBody="x", MessageGroupId="g" * 129)


def _dynamodb() -> Any:
    return aws.dynamodb()


def _sqs() -> Any:
    return aws.sqs()
