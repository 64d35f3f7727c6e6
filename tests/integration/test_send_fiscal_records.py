"""The function that sends fiscal records: from the issue of a document to the agency's answer."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from billing import clock
from billing.adapters.secrets import FiscalCertificate, keep_fiscal_certificate
from billing.aws import dynamodb, sqs
from billing.domain.parties import FiscalRegime
from billing.domain.verifactu import RecordState
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.fiscal_senders import SenderRepository
from local.tax_agency import Orders
from tests.integration import feeds
from tests.integration.agency import Place, running
from tests.integration.billing import EVENTS, call
from tests.integration.conftest import Invoker
from tests.integration.declared import records_of
from tests.integration.faults import Fault, Faulty, Killed, dying, lose_the_answer, reset
from tests.integration.story import switch
from tests.integration.test_fiscal_races import before_transaction

TAX_ID = "A58818501"
"""That of the org in the events."""


@pytest.fixture
def queue(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = sqs().create_queue(QueueName=f"fiscal-records-{uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("FISCAL_RECORDS_QUEUE", url)
    yield url
    sqs().delete_queue(QueueUrl=url)


@pytest.fixture
def place(tmp_path: Path, queue: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with running(tmp_path, clock=lambda: clock.now()) as made:  # noqa: PLW0108 - tests set it
        monkeypatch.setenv("TAX_AGENCY_URL", made.url)
        yield made


@pytest.fixture
def declared(billed: Invoker) -> Invoker:
    """Call functions in the name of an org whose documents are declared."""
    switch(billed.org_id, FiscalRegime.VERIFACTU)
    return billed


@pytest.fixture
def certified(declared: Invoker, place: Place) -> Invoker:
    pem = place.certificate(TAX_ID)
    keep_fiscal_certificate(declared.org_id, FiscalCertificate(pem))
    return declared


def issue(invoke: Invoker, count: int = 1) -> None:
    for _ in range(count):
        answer = invoke("invoices_create", {"external_invoice_unique_id": uuid4().hex})
        assert answer.status == 201, answer


def send(invoke: Invoker) -> list[str]:
    event = json.loads((EVENTS / "send_fiscal_records_org.json").read_text())
    event["Records"][0]["body"] = json.dumps({"org_id": invoke.org_id})
    answer = call("send_fiscal_records", event, 300_000)
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def swept(queue: str) -> list[dict[str, Any]]:
    """Let the schedule's message be handled, and take what is queued by it."""
    event = json.loads((EVENTS / "send_fiscal_records_sweep.json").read_text())
    assert call("send_fiscal_records", event) == {"batchItemFailures": []}
    found = []
    while messages := sqs().receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for each in messages:
            sqs().delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
            found.append(json.loads(each["Body"]))
    return found


def states(invoke: Invoker) -> dict[str, int]:
    repository = FiscalRecordRepository()
    listed = {
        state.value: len(repository.list_by_state(invoke.org_id, state, None, 100))
        for state in RecordState
    }
    return {state: count for state, count in listed.items() if count}


def later(monkeypatch: pytest.MonkeyPatch, **delta: float) -> None:
    now = clock.now() + timedelta(**delta)
    monkeypatch.setattr(clock, "now", lambda: now)


def test_a_document_that_is_issued_is_found_by_the_schedule_and_sent(
    certified: Invoker, place: Place, queue: str
) -> None:
    issue(certified, 3)
    assert {"org_id": certified.org_id, "hops": 1} in swept(queue)

    assert send(certified) == []

    assert states(certified) == {"accepted": 3}
    assert {each.tax_id for each in place.agency.kept.values()} == {TAX_ID}
    assert not place.agency.breaks
    assert certified.org_id not in [each["org_id"] for each in swept(queue)]
    issue(certified)
    assert certified.org_id in [each["org_id"] for each in swept(queue)]


def test_costs_no_more_calls_than_promised(
    certified: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    issue(certified, 3)
    aws_calls()

    send(certified)

    calls = Counter(aws_calls())
    assert calls == {"GetItem": 4, "Query": 1, "TransactWriteItems": 4}


def test_what_came_of_a_record_is_kept_told_and_logged(
    certified: Invoker, place: Place, logged: list[str]
) -> None:
    place.agency.orders = Orders(reject={"F2026-000002": 1239})
    issue(certified, 2)

    send(certified)

    first, second = (
        FiscalRecordRepository().list_by_state(certified.org_id, state, None, 10)[0].verdict
        for state in (RecordState.ACCEPTED, RecordState.REJECTED)
    )
    assert first is not None
    assert first.csv
    assert second is not None
    assert [(each.code, each.message) for each in second.errors] == [
        ("1239", "Rechazado por orden de la prueba.")
    ]
    feeds.publish_all(certified.org_id)
    feeds.publish_all(certified.org_id)
    told = [each for each in feeds.read(certified) if each["type"].startswith("verifactu.")]
    assert [(each["type"], each["data"]["version"]) for each in told] == [
        ("verifactu.accepted", 1),
        ("verifactu.rejected", 2),
    ]
    assert told[1]["data"]["account_id"] == "100001"
    [line] = [json.loads(each) for each in logged if "fiscal record rejected" in each]
    assert (line["number"], line["codes"]) == ("F2026-000002", ["1239"])


def test_an_issue_that_conflicts_makes_no_record_twice(
    certified: Invoker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between tries
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda name: certified("invoices_create", {"external_invoice_unique_id": name}),
                [f"e{number % 6}" for number in range(12)],
            )
        )

    assert {each.status for each in answers} <= {201, 503}
    issued = len({each.json["id"] for each in answers if each.status == 201})
    send(certified)
    assert states(certified) == {"accepted": issued}
    assert len(place.agency.kept) == issued
    assert not place.agency.breaks


@pytest.mark.faults
@pytest.mark.parametrize("fault", [lose_the_answer, reset])
def test_a_sender_whose_calls_fail_from_every_point_on_loses_nothing(
    certified: Invoker, place: Place, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between tries
    place.agency.orders = Orders(reject={"F2026-000003": 1110}, wait_seconds=0)
    failed = 0
    for nth in range(1, 30):
        issue(certified)
        with Faulty(dynamodb(), nth, fault, times=10_000):
            if not send(certified):
                break
        failed += 1
        later(monkeypatch, minutes=6)
    later(monkeypatch, minutes=20)
    send(certified)

    assert failed > 4
    assert states(certified) == {"accepted": failed, "rejected": 1}
    assert len(place.agency.kept) == failed
    assert not place.agency.breaks


@pytest.mark.faults
@pytest.mark.parametrize("is_sent", [False, True], ids=["before", "after"])
def test_a_sender_that_is_killed_at_every_call_loses_nothing(
    certified: Invoker, place: Place, queue: str, is_sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.agency.orders = Orders(reject={"F2026-000003": 1110}, wait_seconds=0)
    kills = 0
    for nth in count(1):
        issue(certified)
        with suppress(Killed), dying(nth, is_sent) as died:
            send(certified)
        if not died():
            break
        kills += 1
        later(monkeypatch, minutes=6)  # no other sender is at work by then
        is_found = certified.org_id in [each["org_id"] for each in swept(queue)]
        assert is_found or "pending" not in states(certified)
    later(monkeypatch, minutes=20)
    send(certified)

    assert kills >= 8
    assert states(certified) == {"accepted": kills, "rejected": 1}
    assert len(place.agency.kept) == kills
    assert not place.agency.breaks
    assert certified.org_id not in [each["org_id"] for each in swept(queue)]
    records_of(certified.org_id)


def test_what_is_issued_while_the_last_answer_is_written_is_found(
    certified: Invoker, place: Place, queue: str, dynamodb: Any
) -> None:
    issue(certified)

    with before_transaction(dynamodb, 4, lambda: issue(certified)):
        send(certified)

    assert states(certified) == {"accepted": 1, "pending": 1}
    assert certified.org_id in [each["org_id"] for each in swept(queue)]


@pytest.mark.faults
def test_a_sweep_that_is_killed_at_every_call_is_made_up_for_by_the_next(
    certified: Invoker, queue: str
) -> None:
    issue(certified)
    for nth in count(1):
        with suppress(Killed), dying(nth, is_sent=False) as died:
            swept(queue)
        if not died():
            break

        assert {"org_id": certified.org_id, "hops": 1} in swept(queue)

    assert nth > 2


def test_an_org_without_a_certificate_waits(
    declared: Invoker, place: Place, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(declared)
    assert send(declared) == []
    [line] = [json.loads(each) for each in logged if "not answered" in each]
    assert line["reason"] == "The org has no certificate for the tax agency."
    assert not [each for each in logged if "unsent for an hour" in each]
    later(monkeypatch, minutes=70)

    send(declared)

    [line] = [json.loads(each) for each in logged if "unsent for an hour" in each]
    assert line["records"] == 1
    assert states(declared) == {"pending": 1}


def test_what_the_agency_says_of_people_is_not_logged(
    certified: Invoker, place: Place, logged: list[str]
) -> None:
    keep_fiscal_certificate(certified.org_id, FiscalCertificate(place.certificate("B76543214")))
    issue(certified)

    send(certified)

    [line] = [json.loads(each) for each in logged if "not answered" in each]
    assert line["reason"] == "The tax agency refused the message: Codigo[4112]"
    assert TAX_ID in (SenderRepository().get(certified.org_id).reason or "")


@pytest.mark.parametrize(
    ("service", "seal", "host"),
    [
        ("production", False, "www1.agenciatributaria.gob.es"),
        ("production", True, "www10.agenciatributaria.gob.es"),
        ("test", False, "prewww1.aeat.es"),
        ("test", True, "prewww10.aeat.es"),
    ],
)
def test_each_service_and_kind_of_certificate_has_a_host(
    declared: Invoker,
    queue: str,
    service: str,
    seal: bool,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    class Line:
        def __init__(self, url: str, certificate: str) -> None:
            asked.append((url, certificate))

        def post(self, _: bytes) -> bytes:
            return b""

    monkeypatch.setattr("functions.send_fiscal_records.app.TaxAgencyLine", Line)
    monkeypatch.setenv("VERIFACTU_SERVICE", service)
    keep_fiscal_certificate(declared.org_id, FiscalCertificate("first"))
    keep_fiscal_certificate(declared.org_id, FiscalCertificate("second", seal))
    issue(declared)

    send(declared)

    assert asked == [(f"https://{host}", "second")]


def test_the_sweep_goes_on_later_where_there_is_no_time(
    certified: Invoker, place: Place, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(certified)
    monkeypatch.setattr("billing.deadline.STEP_SECONDS", 10_000)

    assert swept(queue) == [{"after": "", "hops": 1}]
