"""VIES: the service of the European Commission that knows which VAT numbers are valid."""

import json
import urllib.request
from http.client import HTTPException

from billing.domain.parties import VatNumberStatus

TIMEOUT_SECONDS = 10
MAX_BYTES = 100_000

_ANSWERS = {None, "VALID", "INVALID"}
"""What `userError` says where a number was looked up; anything else is why it was not."""


class Vies:
    """The REST service, at its address."""

    def __init__(self, url: str) -> None:
        self._url = url

    def check(self, vat_id: str) -> VatNumberStatus | None:
        """Return whether a VAT id with its prefix is valid; None where nobody can tell now."""
        asked = {"countryCode": vat_id[:2], "vatNumber": vat_id[2:]}
        request = urllib.request.Request(  # noqa: S310 - the stack's own parameter
            self._url, json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                said = json.loads(answer.read(MAX_BYTES))
        except (OSError, HTTPException, ValueError):
            return None
        match said:
            case {"valid": bool(valid)} if said.get("userError") in _ANSWERS:
                return VatNumberStatus.VALID if valid else VatNumberStatus.INVALID
        return None
