"""`billing erase`: personal data goes after the legal term, and everything else stays."""

import json
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from billing import aws, clock, config
from billing.adapters.documents import DocumentStore, object_key
from billing.domain import cycle_invoices
from billing.domain.errors import ErasedError
from billing.domain.invoices import InvoiceKey
from billing.persistence.chains import ChainRepository
from billing.persistence.dynamodb import bytes_of
from billing.persistence.invoices import InvoiceRepository
from billing.services.audit import audit_invoices
from billing.services.erase_documents import RENDER_SECONDS
from billing_cli.__main__ import cli
from tests import template
from tests.documents.official_rules import STYLESHEETS, OfficialRules
from tests.integration.billing import Runs, charge, give_back, issued
from tests.integration.conftest import Answer, Invoker

LONG_AGO = datetime(2019, 3, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PERSONAL = (
    "Ana Pérez Ejemplo",
    "Calle Mayor 2",
    "Secret line",
    "600123456",
    "ana@example.com",
    "12345678Z",
)
LINE = {
    "description": "Secret line",
    "order_id": "600123456",
    "quantity": 1,
    "unit_price": 10,
}

type Erase = Callable[..., Result]


class Killed(BaseException):
    """What ends a process, as no handler of errors catches it."""


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the clock."""
    return lambda instant: monkeypatch.setattr(clock, "now", lambda: instant)


@pytest.fixture
def old(billed: Invoker, at: Callable[[datetime], None]) -> Invoker:
    """Make two invoices of long ago and one of today; the first of them has a PDF."""
    at(LONG_AGO)
    _issue(billed, "old-1")
    _issue(billed, "old-2")
    assert billed("invoices_get_pdf", invoiceId=1).status == 200
    at(NOW)
    _issue(billed, "new-1")
    assert billed("invoices_get_pdf", invoiceId=3).status == 200
    return billed


@pytest.fixture
def erase(old: Invoker, monkeypatch: pytest.MonkeyPatch) -> Erase:
    monkeypatch.setattr("time.sleep", lambda _: None)

    def run(before: str = "2020-01-01", account: str = "100001") -> Result:
        command = ["erase", "--org", old.org_id, "--account", account, "--before", before, "--yes"]
        return CliRunner().invoke(cli, command, catch_exceptions=False)

    return run


def test_nothing_is_erased_before_the_legal_term(erase: Erase, old: Invoker) -> None:
    before = _items(old)

    refused = erase(before="2020-03-03")

    assert refused.exit_code == 1
    assert refused.output == (
        "Error: Documents are kept for 6 years in ES: "
        "only those issued before 2020-03-02 can be erased.\n"
    )
    assert _items(old) == before
    assert erase(before="2020-03-02").exit_code == 0


def test_the_day_itself_is_left_out(erase: Erase) -> None:
    assert erase(before="2019-03-01").output == ""
    assert erase(before="0001-01-01").output == ""
    assert erase(before="2019-03-02").output == "F2019-000001\nF2019-000002\n"


def test_no_trace_of_a_person_is_left_in_old_documents(erase: Erase, old: Invoker) -> None:
    assert len(_pdfs(old, 1)) == 1
    assert _traces(old, 1) == set(PERSONAL)

    erased = erase()

    assert (erased.exit_code, erased.output) == (0, "F2019-000001\nF2019-000002\n")
    assert (_traces(old, 1), _traces(old, 2)) == (set(), set())
    assert (_pdfs(old, 1), _pdfs(old, 2)) == ([], [])
    assert _traces(old, 3) == set(PERSONAL)
    assert len(_pdfs(old, 3)) == 1


def test_a_link_to_an_erased_document_says_so_and_gives_nothing(erase: Erase, old: Invoker) -> None:
    made = old("share_create", {"expires_at": None})
    secret = made.json["url"].rpartition("/")[2]
    pages = ("get", "get_pdf", "get_cii", "get_ubl")
    assert "Secret line" in old("shared_page_get_ubl", token=secret).text

    assert erase().exit_code == 0

    answers = [old(f"shared_page_{page}", token=secret) for page in pages]
    assert [each.status for each in answers] == [410] * len(pages)
    assert len({each.text for each in answers}) == 1
    assert "Este documento ya no está disponible" in answers[0].text
    assert old("share_create", {"expires_at": None}).status == 410


def test_every_version_of_a_pdf_goes(erase: Erase, old: Invoker) -> None:
    bucket = config.documents_bucket()
    [first] = _pdfs(old, 1)
    aws.s3().put_object(Bucket=bucket, Key=first["Key"], Body=b"%PDF-second")
    aws.s3().delete_object(Bucket=bucket, Key=first["Key"])
    assert len(_pdfs(old, 1)) == 3

    erase()

    assert _pdfs(old, 1) == []


def test_a_pdf_that_was_stored_and_not_recorded_goes(erase: Erase, old: Invoker) -> None:
    """As the function leaves it that is killed between the two."""
    [stored] = _pdfs(old, 1)
    aws.s3().put_object(
        Bucket=config.documents_bucket(),
        Key=stored["Key"].replace("/1/", "/2/").replace("000001", "000002"),
        Body=b"%PDF-",
    )

    erase()

    assert _pdfs(old, 2) == []


def test_a_pdf_that_is_being_made_meanwhile_goes_too(
    erase: Erase, old: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = InvoiceKey(old.org_id, "100001", 2)
    store = DocumentStore()

    def store_late(seconds: float) -> None:
        assert seconds == RENDER_SECONDS
        late = store.put_once(object_key(key, "F2019-000002"), b"%PDF-Ana", "0" * 64)
        with pytest.raises(ErasedError):
            InvoiceRepository().add_pdf(key, late)
        assert len(_pdfs(old, 2)) == 1

    monkeypatch.setattr("time.sleep", store_late)

    erase()

    assert _pdfs(old, 2) == []


def test_erasing_waits_as_long_as_a_pdf_may_take() -> None:
    function = template.resources()["DocumentsFunction"]

    assert function["Properties"]["Timeout"] == RENDER_SECONDS


def test_the_descriptions_cannot_be_found_any_more(erase: Erase, old: Invoker) -> None:
    def found() -> list[Any]:
        lists = ("invoices_list", "invoices_list_unpaid")
        return [
            [each["id"] for each in old(name, query={"filter": "secret-old"}).json]
            for name in lists
        ]

    assert found() == [["2", "1"], ["2", "1"]]

    erase()

    assert found() == [[], []]


def test_the_chain_still_verifies_and_the_audit_names_what_was_erased(
    erase: Erase, old: Invoker
) -> None:
    erase()
    audit = ["audit", "--org", old.org_id]

    plain = CliRunner().invoke(cli, audit)
    listed = CliRunner().invoke(cli, [*audit, "--list-erased"])

    assert [each.faults for each in audit_invoices(old.org_id, chains=ChainRepository())] == [
        [], [], [],
    ]  # fmt: skip
    assert (plain.exit_code, plain.stdout) == (
        0, "3 documents, 2 erased, 0 movements, 0 faults\n",
    )  # fmt: skip
    assert listed.stdout == (
        "F2019-000001: its personal data was erased\n"
        "F2019-000002: its personal data was erased\n" + plain.stdout
    )


@pytest.mark.parametrize("ordinal", [1, 2], ids=["with a PDF", "without"])
@pytest.mark.parametrize(
    "event", ["invoices_get_pdf", "invoices_e_invoice", "invoices_public_link"]
)
def test_what_shows_persons_is_gone(erase: Erase, old: Invoker, event: str, ordinal: int) -> None:
    erase()

    answer = old(event, invoiceId=ordinal)

    assert (answer.status, _code(answer)) == (410, "ERASED")


def test_json_has_empty_texts(erase: Erase, old: Invoker) -> None:
    before = old("invoices_get", invoiceId=1).json

    erase()

    after = old("invoices_get", invoiceId=1)
    assert after.status == 200
    assert not [text for text in PERSONAL if text in after.text]
    assert _without_texts(after.json) == _without_texts(before)


def test_so_has_that_of_v1(erase: Erase, old: Invoker) -> None:
    before = old("invoices_get_whole", invoiceId=2)
    assert "Ana Pérez Ejemplo" in before.text

    erase()

    after = old("invoices_get_whole", invoiceId=2)
    assert after.status == 200
    assert not [text for text in PERSONAL if text in after.text]
    kept = ("number", "gross", "taxes", "seller", "hash", "previous_hash")
    assert [after.json[name] for name in kept] == [before.json[name] for name in kept]
    assert before.json["previous_hash"] == old("invoices_get_whole", invoiceId=1).json["hash"]


def test_an_erased_invoice_is_credited_no_more(erase: Erase, old: Invoker) -> None:
    """A credit note that names nobody could never be mended."""
    erase()

    refused = old("invoices_credit", {"external_credit_note_unique_id": "c"}, invoiceId=1)

    assert (refused.status, _code(refused)) == (410, "ERASED")


@pytest.mark.parametrize("most_lines", [1000, 3], ids=["refunds by name", "more than a note holds"])
def test_what_was_reserved_before_is_credited_by_a_valid_note(
    billed: Invoker, runs: Runs, most_lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erased invoice has no texts for it: neither who was billed nor what for."""
    movement = charge(billed)
    runs.run(until="2026-12-01")
    for _ in range(4):
        give_back(billed, movement, 1.21, 1)
    InvoiceRepository().erase(InvoiceKey(billed.org_id, "100001", 1), clock.now())
    monkeypatch.setattr(cycle_invoices, "MAX_LINES", most_lines)

    assert runs.run(until="2027-01-01")["failures"] == []

    *_, note = issued(billed.org_id, "100001")
    assert note.buyer.name == "Ana Pérez Ejemplo"
    rules = OfficialRules()
    for write in STYLESHEETS:
        assert rules.broken_by(write, write(note)) == []


def test_an_erased_invoice_can_still_be_paid(erase: Erase, old: Invoker) -> None:
    erase()

    body = {"amount": 12.1, "paid_datetime": "2026-03-02T12:00:00Z"}
    paid = old("invoices_pay", body, invoiceId=1)

    assert paid.status == 201
    assert [each["id"] for each in old("invoices_list_unpaid").json] == ["3", "2"]


def test_twice_is_once(erase: Erase, old: Invoker) -> None:
    erase()
    once = _items(old)

    again = erase()

    assert (again.exit_code, again.output) == (0, "")
    assert _items(old) == once


@pytest.mark.faults
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_what_was_interrupted_is_done_by_the_next_run(
    erase: Erase, old: Invoker, sent: bool
) -> None:
    """Kill it at every call to AWS, one after the other, until one run gets to its end."""
    kills = 0
    while True:
        try:
            with Kill(kills + 1, sent):
                last = erase()
        except Killed:
            kills += 1
            audited = CliRunner().invoke(cli, ["audit", "--org", old.org_id, "--quick"])
            assert audited.stdout.endswith(", 0 movements, 0 faults\n")
            continue
        break

    assert kills >= (4 if sent else 6)
    assert last.exit_code == 0
    assert (_traces(old, 1), _traces(old, 2), _pdfs(old, 1)) == (set(), set(), [])
    assert old("invoices_get_pdf", invoiceId=1).status == 410


@pytest.mark.parametrize(
    ("org", "account", "said"),
    [
        (None, "nobody", "has no account nobody."),
        ("nowhere-at-all", "100001", "There is no org nowhere-at-all."),
    ],
)
def test_whom_nobody_knows_is_an_error(
    old: Invoker, org: str | None, account: str, said: str
) -> None:
    command = ["erase", "--org", org or old.org_id, "--account", account]

    refused = CliRunner().invoke(cli, [*command, "--before", "2020-01-01", "--yes"])

    assert refused.exit_code == 1
    assert said in refused.output


class Kill:
    """Ends what runs at the nth call to AWS: before it is sent, or once it was answered."""

    def __init__(self, nth: int, sent: bool) -> None:
        self._left, self._sent = nth, sent
        self._clients: list[Any] = [aws.dynamodb(), aws.s3()]

    def __enter__(self) -> None:
        for client in self._clients:
            client.meta.events.register_first("before-send", self._before, unique_id="kill")
            client.meta.events.register("after-call", self._after, unique_id="killed")

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.meta.events.unregister("before-send", unique_id="kill")
            client.meta.events.unregister("after-call", unique_id="killed")

    def _before(self, **_: Any) -> None:
        self._left -= 1
        if self._left == 0 and not self._sent:
            raise Killed

    def _after(self, **_: Any) -> None:
        if self._left == 0 and self._sent:
            raise Killed


def _issue(billed: Invoker, external: str) -> None:
    body = {
        "external_invoice_unique_id": external,
        "description": f"Secret-{external}",
        "lines": [LINE],
    }
    assert billed("invoices_create", body).status == 201


def _items(invoke: Invoker, ordinal: int | None = None) -> list[Any]:
    """Return all items of an account's documents, or those of one of them."""
    table, account = config.invoices_table(), f"{invoke.org_id}#100001"
    found: list[Any] = []
    for key in [f"account#{account}", *(f"invoice#{account}#{number}" for number in (1, 2, 3))]:
        answer = aws.dynamodb().query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": key}},
        )
        found += answer["Items"]
    if ordinal is None:
        return found
    document, numbered = f"invoice#{account}#{ordinal}", f"#{ordinal:010}"
    return [
        item for item in found if item["pk"]["S"] == document or item["sk"]["S"].endswith(numbered)
    ]


def _traces(invoke: Invoker, ordinal: int) -> set[str]:
    """Return which personal texts the tables have in a document's items."""
    texts = []
    for item in _items(invoke, ordinal):
        if "record" in item:
            texts.append(zlib.decompress(bytes_of(item, "record")).decode())
        else:
            texts.append(json.dumps(item))
    whole = "\n".join(texts)
    assert whole
    assert ("Secret-" in whole) == ("Secret line" in whole)
    return {text for text in PERSONAL if text in whole}


def _pdfs(invoke: Invoker, ordinal: int) -> list[Any]:
    """Return all versions of a PDF in the bucket, the marks of deletion among them."""
    found: Any = aws.s3().list_object_versions(
        Bucket=config.documents_bucket(), Prefix=f"{invoke.org_id}/100001/{ordinal}/"
    )
    return [*found.get("Versions", []), *found.get("DeleteMarkers", [])]


def _without_texts(answer: Any) -> Any:
    texts = json.dumps(answer, ensure_ascii=False)
    return json.loads(re.sub("|".join(("Secret-old-1", "28001", "Madrid", *PERSONAL)), "", texts))


def _code(answer: Answer) -> str:
    body = answer.json
    return str(body.get("code") or body["errors"][0]["message"])
