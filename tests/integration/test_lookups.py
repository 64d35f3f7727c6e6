"""What is asked of services outside: their stand-ins, their faults, and what becomes of it."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from currency_converter import CurrencyConverter  # type: ignore[import-untyped]

from billing.adapters.ecb import ReferenceRates, read
from billing.aws import sqs
from billing.domain.errors import UpstreamFailedError
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.services.fetch_exchange_rates import fetch_exchange_rates
from local import stand_ins
from tests.integration.billing import call

EVENT = Path(__file__).parents[2] / "events" / "lookups_exchange_rates.json"
TODAY = date(1973, 6, 13)
"""A Wednesday, long ago: nobody else stores rates of these days."""


class Outside:
    """A service over HTTP that answers what a test says."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(outside.status)
                self.end_headers()
                self.wfile.write(outside.body)

            def log_message(self, *_: Any) -> None: ...

        return Handler


@pytest.fixture
def outside() -> Iterator[Outside]:
    made = Outside()
    Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Kept:
    """Rates in memory."""

    def __init__(self) -> None:
        self.days: dict[date, Any] = {}

    def newest_day(self) -> date | None:
        return max(self.days, default=None)

    def put_daily(self, day: date, rates: Any) -> None:
        self.days[day] = rates


def test_the_stand_in_has_the_rates_of_the_day_that_it_names() -> None:
    converter = CurrencyConverter(decimal=True)
    days = read(stand_ins.exchange_rates(TODAY).encode())

    assert len(days) == 64
    assert {day.weekday() for day in days} == {0, 1, 2, 3, 4}
    assert days[TODAY] == {
        code: rates[date(2026, 10, 30)]
        for code, rates in converter._rates.items()
        if rates.get(date(2026, 10, 30)) is not None
    }


def test_stores_each_day_once_and_goes_on_where_it_was(outside: Outside) -> None:
    kept = Kept()
    source = ReferenceRates(outside.url)
    outside.body = stand_ins.exchange_rates(TODAY - timedelta(days=2)).encode()
    assert fetch_exchange_rates(TODAY, source=source, rates=kept) == TODAY - timedelta(days=2)
    kept.days = dict.fromkeys(kept.days, "stored")

    outside.body = stand_ins.exchange_rates(TODAY).encode()
    assert fetch_exchange_rates(TODAY, source=source, rates=kept) == TODAY

    new = {day for day, rates in kept.days.items() if rates != "stored"}
    assert new == {TODAY, TODAY - timedelta(days=1)}
    assert kept.days[TODAY]["USD"] == Decimal("1.1172")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(503, b"", id="out of order"),
        pytest.param(200, b"<html>maintenance</html>", id="another page"),
        pytest.param(200, b"<Cube", id="cut short"),
        pytest.param(
            200,
            stand_ins.exchange_rates(TODAY).replace("1.1172", "0").encode(),
            id="a rate of zero",
        ),
        pytest.param(
            200,
            stand_ins.exchange_rates(TODAY).replace("1.1172", "N/A").encode(),
            id="no number",
        ),
        pytest.param(
            200, stand_ins.exchange_rates(TODAY - timedelta(days=7)).encode(), id="nothing fresh"
        ),
    ],
)
def test_what_cannot_be_read_is_a_failure_that_changes_no_rate(
    outside: Outside, status: int, body: bytes
) -> None:
    kept = Kept()
    kept.put_daily(TODAY - timedelta(days=1), "stored")
    outside.status, outside.body = status, body

    with pytest.raises(UpstreamFailedError):
        fetch_exchange_rates(TODAY, source=ReferenceRates(outside.url), rates=kept)

    assert kept.days == {TODAY - timedelta(days=1): "stored"}


def test_nobody_there_is_a_failure() -> None:
    with pytest.raises(UpstreamFailedError):
        ReferenceRates("http://127.0.0.1:9/").fetch()


def test_the_function_stores_what_the_ecb_publishes_and_tries_again_where_it_does_not(
    aws: None, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = sqs().create_queue(QueueName=f"lookups-{uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("LOOKUPS_QUEUE", queue)
    monkeypatch.setenv("EXCHANGE_RATES_URL", outside.url)
    today = datetime.now(UTC).date()
    event = json.loads(EVENT.read_text())

    outside.status = 500
    failed = call("lookups", event)
    outside.status, outside.body = 200, stand_ins.exchange_rates(today).encode()
    done = call("lookups", event)

    assert len(failed["batchItemFailures"]) == 1
    assert done == {"batchItemFailures": []}
    newest = ExchangeRateRepository().newest_day()
    assert newest is not None
    assert newest >= today - timedelta(days=2)
    sqs().delete_queue(QueueUrl=queue)
