"""
Stand-ins for services outside that the API asks, at paths of the emulator's own process.

They need the standard library alone, as the emulator lives in an environment of its own.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

PREFIX = "/_stand-ins/"
EXCHANGE_RATES = f"{PREFIX}ecb"

RATES = """
    AUD 1.5904, BRL 6.0692, CAD 1.5606, CHF 0.9194, CNY 7.4326, CZK 24.353, DKK 7.4735, GBP 0.8338,
    HKD 8.7652, HUF 366.33, IDR 20275.17, ILS 3.495, INR 106.084, ISK 136, JPY 175.68, KRW 1491.76,
    MXN 21.1237, MYR 4.5325, NOK 10.312, NZD 1.9823, PHP 71.143, PLN 4.4038, RON 5.3447, SEK 10.978,
    SGD 1.4282, THB 37.683, TRY 55.8015, USD 1.1172, ZAR 18.6455
"""
"""Units for 1 EUR: the ECB's reference rates of 2026-10-30, which stand in for every day."""
DAYS = 90
_SATURDAY = 5


async def serve(scope: dict[str, Any], send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Answer a call as the service that it stands in for would."""
    body = exchange_rates(datetime.now(UTC).date()) if scope["path"] == EXCHANGE_RATES else None
    headers = [(b"content-type", b"text/xml")]
    await send({"type": "http.response.start", "status": 200 if body else 404, "headers": headers})
    await send({"type": "http.response.body", "body": (body or "").encode()})


def exchange_rates(today: date) -> str:
    """Return the rates of the working days among the last ninety, as the ECB writes them."""
    rates = (rate.split() for rate in RATES.replace("\n", " ").split(","))
    of_a_day = "".join(f"<Cube currency='{code}' rate='{rate}'/>" for code, rate in rates)
    days = (today - timedelta(days=back) for back in range(DAYS))
    cubes = "".join(
        f'<Cube time="{day}">{of_a_day}</Cube>' for day in days if day.weekday() < _SATURDAY
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
        'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">'
        f"<gesmes:subject>Reference rates</gesmes:subject><Cube>{cubes}</Cube></gesmes:Envelope>"
    )
