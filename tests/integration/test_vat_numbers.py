"""VAT numbers: what VIES says of them, and that nothing but its answer changes a status."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from billing import deadline
from billing.adapters.vies import Vies
from billing.aws import sqs
from billing.domain.parties import VatNumberStatus
from billing.domain.tax_ids import vies_id
from billing.persistence.accounts import AccountRepository
from billing.services.check_vat_numbers import check_in_time, check_vat_number, start_checks
from billing_cli.__main__ import cli
from local import stand_ins
from tests.integration.billing import call
from tests.integration.conftest import Answer, Invoker

EVENT = json.loads((Path(__file__).parents[2] / "events" / "lookups_vat_numbers.json").read_text())
ADDRESSES = {
    "DE": {"street": "Weg 1", "postal_code": "10115", "city": "Berlin", "country": "DE"},
    "FR": {"street": "Rue 1", "postal_code": "75001", "city": "Paris", "country": "FR"},
    "US": {"street": "1 St", "postal_code": "10118", "city": "New York", "country": "US"},
    "GB": {"street": "1 St", "postal_code": "BT1 1AA", "city": "Belfast", "country": "GB"},
}
VALID = "DE136695976"
ALL = {"accounts": "*"}


class Service:
    """VIES on this machine: the stand-in's answers, or what a test says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[str, str], tuple[int, bytes]] = lambda country, number: (
            200,
            json.dumps(stand_ins.vat_number(country, number)).encode(),
        )
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["content-length"])))
                service.asked.append(said["countryCode"] + said["vatNumber"])
                status, body = service.answer(said["countryCode"], said["vatNumber"])
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made = Service()
    Thread(target=made.server.serve_forever, daemon=True).start()
    monkeypatch.setenv("VIES_URL", made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


def put(billed: Invoker, account_id: str, country: str, tax_id: str | None, **more: Any) -> None:
    """Put an account in a country; ES is that of the org."""
    elsewhere = {
        "address": ADDRESSES.get(country),
        "country": country,
        "state_id": None,
        "company_name": "Company",
    }
    body = {**(elsewhere if country != "ES" else {}), "tax_id": tax_id, **more}
    answer = billed("billing_info_put_account", body, caller=ALL, accountId=account_id)
    assert answer.status == 204


def get(billed: Invoker, account_id: str) -> Answer:
    return billed("billing_info_get_account", caller=ALL, accountId=account_id)


def status(billed: Invoker, account_id: str) -> str:
    told: str = get(billed, account_id).json["vat_number_status"]
    return told


def check(billed: Invoker, account_id: str, service: Service) -> VatNumberStatus | None:
    accounts, vies = AccountRepository(), Vies(service.url)
    return check_vat_number(billed.org_id, account_id, accounts=accounts, vies=vies)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"valid": true}', VatNumberStatus.VALID),
        (200, b'{"valid": false}', VatNumberStatus.INVALID),
        (200, b'{"valid": false, "userError": "INVALID"}', VatNumberStatus.INVALID),
        (200, b'{"valid": false, "userError": "MS_UNAVAILABLE"}', None),
        (200, b'{"actionSucceed": false, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}', None),
        (200, b'{"valid": "true"}', None),
        (200, b"[]", None),
        (200, b"", None),
        (200, b"<html>", None),
        (400, b'{"valid": false}', None),
        (500, b'{"valid": true}', None),
    ],
)
def test_only_an_answer_about_the_number_is_one(
    service: Service, status: int, body: bytes, expected: VatNumberStatus | None
) -> None:
    service.answer = lambda *_: (status, body)

    assert Vies(service.url).check("DE136695976") is expected


def test_nobody_there_is_no_answer() -> None:
    assert Vies("http://127.0.0.1:9/").check("DE136695976") is None


@pytest.mark.parametrize(
    ("tax_id", "country", "expected"),
    [
        ("094 259 216", "GR", "EL094259216"),
        ("53 0000 04605", "MC", "FR53000004605"),
        ("XI 980 7806 84", "GB", "XI980780684"),
        ("GB980780684", "GB", None),
        ("12-3456789", "US", None),
        (None, "DE", None),
    ],
)
def test_what_vies_is_asked_for(tax_id: str | None, country: str, expected: str | None) -> None:
    assert vies_id(tax_id, country) == expected


def test_sets_the_status_under_a_new_version_of_the_profile(
    billed: Invoker, service: Service
) -> None:
    put(billed, "1", "DE", VALID)
    before = get(billed, "1").headers["etag"]

    assert check(billed, "1", service) is VatNumberStatus.VALID
    after = get(billed, "1")
    assert (after.json["vat_number_status"], before, after.headers["etag"]) == (
        "valid", '"1"', '"2"',
    )  # fmt: skip
    assert check(billed, "1", service) is VatNumberStatus.VALID
    assert get(billed, "1").headers["etag"] == '"2"'


def test_no_answer_changes_nothing(billed: Invoker, service: Service) -> None:
    put(billed, "1", "DE", VALID, vat_number_status="invalid")
    service.answer = lambda *_: (503, b"")

    assert check(billed, "1", service) is None
    assert status(billed, "1") == "invalid"


def test_a_profile_that_was_written_meanwhile_is_checked_again(
    billed: Invoker, service: Service
) -> None:
    put(billed, "1", "DE", VALID)
    stand_in = service.answer

    def answer(country: str, number: str) -> tuple[int, bytes]:
        if len(service.asked) == 1:
            put(billed, "1", "FR", "40303265045")
        return stand_in(country, number)

    service.answer = answer

    assert check(billed, "1", service) is VatNumberStatus.VALID
    assert service.asked == [VALID, "FR40303265045"]
    assert get(billed, "1").json["country"] == "FR"
    assert status(billed, "1") == "valid"


@pytest.fixture
def many(billed: Invoker) -> Invoker:
    """An org with accounts at home and abroad, some with numbers that VIES knows."""
    put(billed, "2", "DE", VALID)
    put(billed, "10", "DE", "DE129274202")
    put(billed, "3", "FR", "40303265045")
    put(billed, "4", "GB", "XI980780684")
    put(billed, "5", "US", "12-3456789")
    put(billed, "6", "DE", None)
    put(billed, "7", "ES", "12345678Z")
    return billed


def listed(billed: Invoker, after: str = "") -> list[str]:
    accounts = AccountRepository()
    org = accounts.get_org(billed.org_id)
    return [place for place, _ in accounts.list_vat_numbers(org, after)]


def test_lists_whose_numbers_vies_knows_and_only_those(
    many: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    everybody = ["DE#10", "DE#2", "FR#3", "GB#4"]
    assert listed(many) == everybody
    for number, place in enumerate(everybody):
        assert listed(many, place) == everybody[number + 1 :]

    put(many, "2", "FR", "40303265045")
    put(many, "3", "FR", None)
    assert listed(many) == ["DE#10", "FR#2", "GB#4"]

    aws_calls()
    listed(many)
    assert aws_calls() == ["GetItem", "Query", "Query"]


class Sent:
    """A queue in memory."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, ...]] = []

    def send_orgs(self, after: str) -> None:
        self.messages.append((after,))

    def send_org(self, org_id: str, after: str) -> None:
        self.messages.append((org_id, after))


def test_goes_on_later_where_time_runs_short(
    many: Invoker, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, queue = AccountRepository(), Sent()
    monkeypatch.setattr(deadline, "seconds_left", lambda: 10.0 if len(service.asked) == 2 else 60.0)

    def run(after: str) -> list[str]:
        vies = Vies(service.url)
        checked = check_in_time(
            many.org_id, after, orgs=accounts, accounts=accounts, vies=vies, queue=queue
        )
        return [account_id for account_id, _ in checked]

    first = run("")
    [(org_id, after)] = queue.messages
    service.asked.clear()
    rest = run(after)

    assert org_id == many.org_id
    assert (first, after) == (["10", "2"], "DE#2")
    assert rest == ["3", "4"]


def test_the_schedule_leaves_sandboxes_out(billed: Invoker) -> None:
    queue, accounts = Sent(), AccountRepository()
    sandbox = accounts.get_org(billed.org_id).sandbox

    class Orgs:
        def list_orgs(self, after: str | None = None) -> list[str]:
            return [billed.org_id]

        get_org = staticmethod(accounts.get_org)

    start_checks("", orgs=Orgs(), queue=queue)

    assert queue.messages == ([] if sandbox else [(billed.org_id, "")])


def test_the_function_checks_an_org(
    many: Invoker, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = sqs().create_queue(QueueName=f"lookups-{uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("LOOKUPS_QUEUE", queue)
    monkeypatch.setenv("EXCHANGE_RATES_URL", "http://127.0.0.1:9/")
    body = {"ask": "vat numbers", "org_id": many.org_id, "after": "", "hops": 1}
    event = {"Records": [{**EVENT["Records"][0], "body": json.dumps(body)}]}

    assert call("lookups", EVENT) == {"batchItemFailures": []}
    assert call("lookups", event) == {"batchItemFailures": []}

    assert sorted(service.asked) == ["DE129274202", VALID, "FR40303265045", "XI980780684"]
    assert status(many, "2") == "valid"
    assert status(many, "7") == status(many, "5") == "unchecked"
    unknown = {**EVENT["Records"][0], "body": '{"ask": "the weather"}'}
    assert len(call("lookups", {"Records": [unknown]})["batchItemFailures"]) == 1
    sqs().delete_queue(QueueUrl=queue)


def test_the_command_line_checks_one_account_or_all(
    many: Invoker, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing_cli.stack.connect", lambda _: None)

    def run(*arguments: str) -> str:
        command = ["vat-check", "--org", many.org_id, *arguments]
        return CliRunner().invoke(cli, command, catch_exceptions=False).output

    assert run("--account", "2") == "2: valid\n"
    assert run("--account", "7") == "7: not known\n"
    assert run() == "10: valid\n2: valid\n3: valid\n4: valid\n"
    service.answer = lambda *_: (503, b"")
    assert run("--account", "3") == "3: not known\n"
    assert status(many, "3") == "valid"
    assert "There is no" in run("--account", "99") or "no billing profile" in run("--account", "99")
