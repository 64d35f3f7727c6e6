"""The reference rates of the European Central Bank, as it publishes them each working day."""

import urllib.request
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree as ET

from billing.domain.errors import UpstreamFailedError
from billing.domain.exchange_rates import DailyRates
from billing.domain.money import CURRENCIES

TIMEOUT_SECONDS = 10
MAX_BYTES = 2_000_000
"""Ninety days take a tenth of it."""

_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"


class ReferenceRates:
    """The file of the last ninety days, at its address."""

    def __init__(self, url: str) -> None:
        self._url = url

    def fetch(self) -> Mapping[date, DailyRates]:
        """Fetch the rates of each day. Raise UpstreamFailedError where the file cannot be read."""
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the stack's own parameter
                return read(answer.read(MAX_BYTES))
        except (OSError, ET.ParseError, KeyError, ValueError, InvalidOperation) as error:
            raise UpstreamFailedError("The ECB's reference rates could not be read.") from error


def read(xml: bytes) -> Mapping[date, DailyRates]:
    """Read a file of reference rates. Raise ValueError where it has none."""
    days = {
        date.fromisoformat(cube.attrib["time"]): {
            rate.attrib["currency"]: Decimal(rate.attrib["rate"])
            for rate in cube.iter(_CUBE)
            if rate.get("currency") in CURRENCIES
        }
        for cube in ET.fromstring(xml).iter(_CUBE)  # noqa: S314 - over TLS from the bank itself
        if "time" in cube.attrib
    }
    if not days or not all(rates and min(rates.values()) > 0 for rates in days.values()):
        raise ValueError("there are no rates in it")
    return days
