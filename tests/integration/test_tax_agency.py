"""
The line to the tax agency, the messages on it, and the stand-in at its other end.

Records come from an independent package here, so that neither end can share a fault of ours.
"""

import contextlib
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django_verifactu.aeat.schemas import get_schema  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]

from billing import deadline
from billing.adapters.tax_agency import TaxAgencyLine
from billing.domain.errors import UpstreamBusyError, UpstreamFailedError, UpstreamTimeoutError
from billing.domain.fiscal_answers import Answer, StoredRecord
from billing.domain.verifactu import RecordState
from billing.verifactu.messages import question, read_answer, read_stored, submission
from local import certificates, emulator
from local.stack import ROOT
from local.tax_agency import Orders, TaxAgency
from tests.integration.agency import LEGAL_NAME, TAX_ID, OtherSoftware, Place, running

NOW = datetime.now(ZoneInfo("Europe/Madrid")).replace(microsecond=0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with running(tmp_path, clock=lambda: NOW) as made:
        yield made


def send(place: Place, *records: str, late: bool = False) -> Answer:
    message = submission(LEGAL_NAME, TAX_ID, records, late=late)
    return read_answer(place.line().post(message))


def codes(answer: Answer) -> list[tuple[str, str | None]]:
    return [(each.state.value, each.error.code if each.error else None) for each in answer.records]


def ask(place: Place) -> list[StoredRecord]:
    today = NOW.date()
    return read_stored(place.line().post(question(LEGAL_NAME, TAX_ID, today, today, today)))[0]


# ---------------------------------------------------------------- what is answered


def test_accepts_a_chain_and_names_its_receipt_and_its_wait(place: Place) -> None:
    software = OtherSoftware()
    place.agency.orders = Orders(wait_seconds=90)

    answer = send(place, *(software.record(NOW) for _ in range(3)))

    assert codes(answer) == [("accepted", None)] * 3
    assert [each.number for each in answer.records] == [f"F2026-{n:06}" for n in (1, 2, 3)]
    assert {each.issued_on for each in answer.records} == {NOW.date()}
    assert re.fullmatch("A-[0-9A-F]{14}", answer.csv or "")
    assert answer.wait == timedelta(seconds=90)


def test_takes_each_record_of_a_message_for_itself(place: Place) -> None:
    software = OtherSoftware()
    place.agency.orders = Orders(reject={"F2026-000002": 1239})

    answer = send(place, *(software.record(NOW) for _ in range(3)))

    assert codes(answer) == [("accepted", None), ("rejected", "1239"), ("accepted", None)]
    assert not place.agency.breaks


def test_gives_no_receipt_where_all_is_rejected(place: Place) -> None:
    place.agency.orders = Orders(reject={"F2026-000001": 1239})

    assert send(place, OtherSoftware().record(NOW)).csv is None


def test_says_of_what_came_before_that_it_has_it(place: Place) -> None:
    software = OtherSoftware()
    first = software.record(NOW)
    send(place, first)

    answer = send(place, first, software.record(NOW))

    assert codes(answer) == [("rejected", "3000"), ("accepted", None)]
    assert answer.records[0].is_duplicate
    assert len(place.agency.kept) == 2


def test_forgets_nothing_when_it_is_started_again(place: Place, tmp_path: Path) -> None:
    software = OtherSoftware()
    first = software.record(NOW)
    place.agency.orders = Orders(reject={"F2026-000002": 1239})
    send(place, first, software.record(NOW))

    with running(tmp_path, clock=lambda: NOW) as again:
        answer = send(again, first, software.record(NOW))

    assert codes(answer) == [("rejected", "3000"), ("accepted", None)]
    assert not again.agency.breaks


def test_notices_a_record_that_is_missing_or_out_of_order(place: Place) -> None:
    software = OtherSoftware()
    first, missing, third, fourth = (software.record(NOW) for _ in range(4))

    answer = send(place, first, third, fourth, missing)

    assert codes(answer) == [
        ("accepted", None),
        ("accepted_with_errors", "2003"),
        ("accepted", None),
        ("accepted_with_errors", "2003"),
    ]
    assert place.agency.breaks == ["F2026-000003", "F2026-000002"]


def test_notices_a_second_beginning(place: Place) -> None:
    send(place, OtherSoftware().record(NOW))

    answer = send(place, OtherSoftware().record(NOW, number="F2026-000009"))

    assert codes(answer) == [("accepted_with_errors", "2007")]


def test_computes_the_huella_itself(place: Place) -> None:
    right = OtherSoftware().record(NOW)

    answer = send(place, right.replace("<sum1:CuotaTotal>21", "<sum1:CuotaTotal>22"))

    assert codes(answer) == [("accepted_with_errors", "2000")]


@pytest.mark.parametrize("seconds", [-250, 250])
def test_notices_the_time_of_generation_unless_it_is_told_why(place: Place, seconds: int) -> None:
    software, at = OtherSoftware(), NOW + timedelta(seconds=seconds)
    said = send(place, software.record(at, issue_date=NOW.date()))
    silent = send(place, software.record(at, issue_date=NOW.date()), late=True)

    assert codes(said) == [("accepted_with_errors", "2004")]
    assert codes(silent) == [("accepted", None)]


def test_takes_a_correction_of_what_was_rejected_and_of_nothing_else(place: Place) -> None:
    software = OtherSoftware()
    cured = {"amendment": True, "previous_rejection": "X"}
    place.agency.orders = Orders(reject={"F2026-000001": 1239})
    send(place, software.record(NOW))
    place.agency.orders = Orders()

    answer = send(
        place,
        software.record(NOW, "F2026-000001", amendment=True),
        software.record(NOW, "F2026-000001", **cured),
        software.record(NOW, "F2026-000001", **cured),
    )

    assert codes(answer) == [("rejected", "3002"), ("accepted", None), ("rejected", "3000")]


def test_tells_what_it_has_of_a_month(place: Place) -> None:
    software = OtherSoftware()
    place.agency.orders = Orders(reject={"F2026-000002": 1239})
    records = [software.record(NOW) for _ in range(3)]
    send(place, *records)

    kept = ask(place)

    assert [(each.number, each.state) for each in kept] == [
        ("F2026-000001", RecordState.ACCEPTED),
        ("F2026-000003", RecordState.ACCEPTED),
    ]
    assert all(f"<sum1:Huella>{kept[n].huella}</sum1:Huella>" in records[2 * n] for n in (0, 1))


def test_asks_page_after_page(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.tax_agency.PAGE", 2)
    software, today = OtherSoftware(), NOW.date()
    send(place, *(software.record(NOW) for _ in range(3)))

    def page(after: StoredRecord | None) -> tuple[list[StoredRecord], bool]:
        before = today - timedelta(days=1)
        asked = question(LEGAL_NAME, TAX_ID, today, before, today, after=after)
        return read_stored(place.line().post(asked))

    first, more = page(None)
    second, no_more = page(first[-1])

    assert [each.number[-1] for each in first + second] == ["1", "2", "3"]
    assert (more, no_more) == (True, False)


@pytest.mark.parametrize("late", [False, True])
def test_what_is_sent_and_answered_is_valid_by_the_agencys_schemas(
    place: Place, late: bool
) -> None:
    software, today = OtherSoftware(), NOW.date()
    sent = submission("Ñandú & Hijos <S.L.>", TAX_ID, [software.record(NOW)], late=late)
    place.agency.orders = Orders(reject={"F2026-000002": 1239})
    answered = [
        place.line().post(submission(LEGAL_NAME, TAX_ID, [record, software.record(NOW)], late=late))
        for record in [software.record(NOW)] * 2
    ]
    asked = question(LEGAL_NAME, TAX_ID, today, today - timedelta(days=1), today)

    assert valid(sent, "SuministroLR")
    assert all(valid(answer, "RespuestaSuministro") for answer in answered)
    assert valid(asked, "ConsultaLR")
    assert valid(place.line().post(asked), "RespuestaConsultaLR")


def valid(message: bytes, schema: str) -> bool:
    return bool(get_schema(schema).validate(etree.fromstring(message)[1][0]))


# ---------------------------------------------------------------- what is refused as a whole


def test_refuses_a_message_that_is_against_the_schema(place: Place) -> None:
    wrong = OtherSoftware().record(NOW).replace("TipoFactura>F1", "TipoFactura>F9")

    with pytest.raises(UpstreamFailedError, match=r"Codigo\[4102\]"):
        send(place, wrong)
    assert not place.agency.messages


def test_refuses_more_than_a_thousand_records(place: Place) -> None:
    record = OtherSoftware().record(NOW)

    with pytest.raises(UpstreamFailedError, match=r"Codigo\[4114\]"):
        send(place, *[record] * 1001)


def test_refuses_the_records_of_a_stranger(place: Place) -> None:
    message = submission(LEGAL_NAME, TAX_ID, [OtherSoftware().record(NOW)], late=False)

    with pytest.raises(UpstreamFailedError, match=r"Codigo\[4112\]"):
        read_answer(place.line("B76543214").post(message))


@pytest.mark.parametrize("fault", ["4104", "Server"])
def test_a_fault_is_worded_as_the_agency_does(place: Place, fault: str) -> None:
    place.agency.orders = Orders(fault=fault)

    with pytest.raises(UpstreamFailedError, match="The tax agency refused the message: Codigo"):
        send(place, OtherSoftware().record(NOW))


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"<a/>", submission(LEGAL_NAME, TAX_ID, [], late=False)]
)
def test_what_is_no_answer_is_a_failure(answer: bytes) -> None:
    for read in (read_answer, read_stored):
        with pytest.raises(UpstreamFailedError):
            read(answer)


# ---------------------------------------------------------------- the line


def test_too_many_requests_took_nothing(place: Place) -> None:
    place.agency.orders = Orders(too_many=True)

    with pytest.raises(UpstreamBusyError):
        send(place, OtherSoftware().record(NOW))
    assert not place.agency.kept


def test_a_redirect_is_not_followed(place: Place) -> None:
    place.agency.orders = Orders(refuse_certificates=True)

    with pytest.raises(UpstreamFailedError, match="refused the certificate"):
        send(place, OtherSoftware().record(NOW))


def test_a_lost_answer_is_a_failure(place: Place) -> None:
    place.agency.orders = Orders(lose_answers=True)

    with pytest.raises(UpstreamFailedError, match="No line to the tax agency"):
        send(place, OtherSoftware().record(NOW))
    assert len(place.agency.kept) == 1


def test_an_answer_that_takes_too_long_is_waited_for_no_more(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.adapters.tax_agency.TIMEOUT_SECONDS", 0.2)
    place.agency.orders = Orders(delay_seconds=1)

    with pytest.raises(UpstreamTimeoutError):
        send(place, OtherSoftware().record(NOW))


def test_nothing_is_waited_for_behind_the_deadline(place: Place) -> None:
    place.agency.orders = Orders(delay_seconds=1)
    deadline.start(1700)

    with pytest.raises(UpstreamTimeoutError):
        send(place, OtherSoftware().record(NOW))
    deadline.clear()


def test_nobody_is_sent_to_who_is_not_trusted(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others = certificates.authority(tmp_path / "others")
    monkeypatch.setenv("SSL_CERT_FILE", str(others))

    with pytest.raises(UpstreamFailedError, match="SSLCertVerificationError"):
        send(place, OtherSoftware().record(NOW))


def test_a_certificate_of_another_authority_is_refused(place: Place, tmp_path: Path) -> None:
    stranger = certificates.of_taxpayer(tmp_path / "others", TAX_ID, LEGAL_NAME)
    message = submission(LEGAL_NAME, TAX_ID, [OtherSoftware().record(NOW)], late=False)

    with pytest.raises(UpstreamFailedError):
        TaxAgencyLine(place.url, stranger).post(message)
    assert not place.agency.kept


@pytest.mark.parametrize("certificate", ["", "no PEM", "-----BEGIN CERTIFICATE-----\n"])
def test_a_certificate_that_cannot_be_read_is_said_to_be(place: Place, certificate: str) -> None:
    with pytest.raises(UpstreamFailedError, match="certificate cannot be read"):
        TaxAgencyLine(place.url, certificate).post(b"")


def test_no_proxy_is_asked_and_no_file_of_the_certificate_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    seen = []
    load = ssl.SSLContext.load_cert_chain

    def look(context: ssl.SSLContext, file: str, *, password: str) -> None:
        seen.append(Path(file).stat().st_mode & 0o777)
        load(context, file, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", look)

    send(place, OtherSoftware().record(NOW))

    assert seen == [0o600]
    assert not list(folder.iterdir())


# ---------------------------------------------------------------- orders


def test_orders_can_be_given_by_a_file(place: Place) -> None:
    file = place.folder / "orders.json"
    file.write_text(json.dumps({"reject": {"F2026-000001": 1110}, "wait_seconds": 5}))

    answer = send(place, OtherSoftware().record(NOW))

    assert codes(answer) == [("rejected", "1110")]
    assert answer.wait == timedelta(seconds=5)
    file.write_text('{"rejekt": {}}')
    with pytest.raises(ValueError, match="rejekt"):
        TaxAgency(place.folder).told()


def test_runs_until_its_standard_input_ends(tmp_path: Path) -> None:
    port = emulator.free_port()
    command = [sys.executable, "-m", "local.tax_agency", str(tmp_path), str(port)]
    with (
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process,
        pytest.MonkeyPatch.context() as patched,
    ):
        line = TaxAgencyLine(f"https://127.0.0.1:{port}", certificate(tmp_path))
        patched.setenv("SSL_CERT_FILE", str(certificates.trusted(tmp_path)))
        for _ in range(300):
            with contextlib.suppress(UpstreamFailedError):
                answer = line.post(submission(LEGAL_NAME, TAX_ID, [], late=False))
                break
            time.sleep(0.1)
        process.communicate(timeout=30)

    assert b"Codigo[4102]" in answer
    assert process.returncode == 0


def certificate(folder: Path) -> str:
    return certificates.of_taxpayer(folder, TAX_ID, LEGAL_NAME)
