"""The largest inputs that the API accepts fit into what AWS takes; its model knows each call."""

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from billing import aws, config
from billing.adapters.queues import BatchesQueue
from billing.domain.billing_runs import BATCH_ACCOUNTS, MAX_CREDIT_NOTES, MAX_DOCUMENTS, Batch
from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.invoices import InvoiceKind, InvoiceSummary, Line
from billing.domain.issuing import AccountEnd, Ends, Journal
from billing.domain.money import MAX_MINOR, Money
from billing.domain.numbering import LANE, ChainEnd
from billing.domain.parties import Account
from billing.domain.tax import NO_TAX
from billing.persistence.billing import BillingRepository
from billing.persistence.invoice_items import document_item
from billing.persistence.issuing import DOCUMENT_BYTES, IssuingRepository
from tests.integration import aws_model
from tests.integration.billing import Runs, multiply, subscribers
from tests.integration.conftest import Answer, Invoker
from tests.sample_invoices import BUYER, SELLER, invoice, line

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


@pytest.mark.parametrize("characters", [60, 160])
def test_a_thousand_lines_are_stored(longest: Invoker, characters: int) -> None:
    issued = issue(longest, lines=1000, characters=characters)

    assert issued.status == 201
    for event in ("invoices_get", "invoices_list", "invoices_list_of_period"):
        assert longest(event).status == 200
    assert aws_model.largest["item"] > 2000 * characters
    assert aws_model.largest["answer"] > 3 * 1000 * characters


@pytest.mark.parametrize("characters", [250, 500])
def test_what_does_not_fit_into_an_item_is_refused_in_our_words(
    longest: Invoker, characters: int
) -> None:
    refused = issue(longest, lines=1000, characters=characters)

    assert (refused.status, refused.json["code"]) == (413, "TOO_LARGE")


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
    assert aws_model.largest["messages"] > 200


def test_ten_documents_as_large_as_there_can_be_are_issued_in_one_transaction(
    billed: Invoker, runs: Runs
) -> None:
    for number, each in enumerate(subscribers(billed, 10)):
        each.charge(description=long_text(500))
        multiply(billed.org_id, each.account_id, 273, described(number))

    run = runs.run(until="2026-12-01")

    assert (run["invoices_issued"], run["failures"]) == (10, [])
    assert aws_model.largest["writes of a transaction"] > 90
    assert aws_model.largest["item"] > 300_000
    assert aws_model.largest["transaction"] > 3_000_000


def described(number: int) -> Any:
    """Return a change that gives each movement a long description of its own."""
    dice = random.Random(number)
    return lambda record: record | {"description": "".join(dice.choices(HAN, k=500))}


def test_the_largest_credit_notes_and_invoices_fit_into_one_transaction(aws: None) -> None:
    documents = [_largest(f"{number:064}") for number in range(MAX_DOCUMENTS)]
    read = Ends(ChainEnd(), {}, {buyer.id: AccountEnd() for buyer, _, _ in documents})
    journal = Journal(SELLER, LANE, datetime(2026, 3, 2, tzinfo=UTC), read)
    for number, (buyer, original, lines) in enumerate(documents):
        note = CreditNote.of(
            original,
            original.reserved,
            SELLER,
            buyer,
            long_text(500),
            lines=lines,
            is_reserved=True,
        )
        if number < MAX_CREDIT_NOTES:
            journal.credit(replace(note, nets={1: Money(1, "EUR")}))  # what is left is written
        else:
            journal.issue(replace(note.draft, kind=InvoiceKind.INVOICE))

    writes = IssuingRepository().writes(journal)
    sizes = dict(aws_model.sizes("TransactWriteItems", {"TransactItems": writes}))

    stored = [len(document_item(each.record)["record"]["B"]) for each in journal.issued]
    assert min(stored) > 0.99 * DOCUMENT_BYTES
    assert 4_000_000 < sizes["transaction"] < aws_model.LIMITS["transaction"] - 40_000


def _largest(account_id: str) -> tuple[Account, Creditable, list[Line]]:
    """Create an invoice of a thousand lines with much to credit, and lines that fill a document."""
    buyer = replace(BUYER, id=account_id)
    half = Money(MAX_MINOR // 2000, "EUR")
    issued = invoice(*[line(unit_price="10000000000", tax=NO_TAX)] * 1000, buyer=buyer)
    nets = dict.fromkeys(range(1, 1001), half)
    dice = random.Random(account_id)
    lines = [line("".join(dice.choices(HAN, k=500)), unit_price="-1") for _ in range(341)]
    return buyer, Creditable(issued, InvoiceSummary.of(issued, "hash"), nets, nets, 1), lines


@pytest.mark.parametrize("originals", [1, 3])
def test_a_transaction_has_no_more_credit_notes_than_fit(aws: None, originals: int) -> None:
    steps: list[Any] = [SimpleNamespace(originals=range(originals), parts=())] * 10

    packs = list(BillingRepository().packs(steps))

    assert [step for pack in packs for step in pack] == steps
    assert max(len(pack) for pack in packs) == MAX_CREDIT_NOTES // originals


def test_a_batch_of_messages_fits(aws: None) -> None:
    accounts = tuple(f"{number:064}" for number in range(BATCH_ACCOUNTS))
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
