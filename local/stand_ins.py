"""
Stand-ins for services outside that the API asks, at paths of the emulator's own process.

They need the standard library alone, as the emulator lives in an environment of its own.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PREFIX = "/_stand-ins/"
EXCHANGE_RATES = f"{PREFIX}ecb"
VAT_NUMBERS = f"{PREFIX}vies"

RATES = """
    AUD 1.5904, BRL 6.0692, CAD 1.5606, CHF 0.9194, CNY 7.4326, CZK 24.353, DKK 7.4735, GBP 0.8338,
    HKD 8.7652, HUF 366.33, IDR 20275.17, ILS 3.495, INR 106.084, ISK 136, JPY 175.68, KRW 1491.76,
    MXN 21.1237, MYR 4.5325, NOK 10.312, NZD 1.9823, PHP 71.143, PLN 4.4038, RON 5.3447, SEK 10.978,
    SGD 1.4282, THB 37.683, TRY 55.8015, USD 1.1172, ZAR 18.6455
"""
"""Units for 1 EUR: the ECB's reference rates of 2026-10-30, which stand in for every day."""
DAYS = 90
_SATURDAY = 5


async def serve(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer a call as the service that it stands in for would."""
    status, kind, body = 404, b"text/plain", ""
    if scope["path"] == EXCHANGE_RATES:
        status, kind, body = 200, b"text/xml", exchange_rates(datetime.now(UTC).date())
    elif scope["path"] == VAT_NUMBERS:
        asked = json.loads((await receive())["body"])
        answer = vat_number(asked["countryCode"], asked["vatNumber"])
        status, kind, body = 200, b"application/json", json.dumps(answer)
    headers = [(b"content-type", kind)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


def vat_number(country: str, number: str) -> dict[str, Any]:
    """
    Answer as VIES does; the digits before the last tell how.

    00 is a number that is not valid, 99 one whose member state does not answer.
    """
    digits = "".join(letter for letter in number if letter.isdigit())
    if digits[-3:-1] == "99":
        return {"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}
    return {"countryCode": country, "vatNumber": number, "valid": digits[-3:-1] != "00"}


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
