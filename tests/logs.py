"""What no log may tell: tokens, signatures, links, and who is billed."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

from stdnum import iban

from billing_cli import demo
from local.stack import ROOT
from tests import sample_invoices

_PATTERNS = {
    "a token": re.compile(r"bil_[0-9A-Za-z]{16}"),
    "a link to a shared page": re.compile(r"/p/[\w-]{40}"),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w"),
    "the header of a token": re.compile(r"private-token", re.IGNORECASE),
    "a signature": re.compile(
        r"X-Amz-(Signature|Credential|Security-Token)|AWS4-HMAC-SHA256", re.IGNORECASE
    ),
}
_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,40}")
_PERSONAL = {
    "bic", "companyName", "company_name", "email", "fullName", "iban", "legal_name", "name",
    "phone", "street", "tax_id", "vatNumber",
}  # fmt: skip


def secrets_in(lines: Iterable[str]) -> list[str]:
    """Find what no log may tell; say what it is, and in which line."""
    return [f"{what} in {line}" for line in lines for what in _secrets_of(_unescaped(line))]


def _secrets_of(line: str) -> Iterator[str]:
    yield from (what for what, pattern in _PATTERNS.items() if pattern.search(line))
    if any(map(_begins_with_iban, _IBAN.findall(line))):
        yield "an IBAN"
    plain = _plain(line)
    yield from (repr(each) for each in known() if each in plain)


def _begins_with_iban(text: str) -> bool:
    compact = text.replace(" ", "")
    return any(iban.is_valid(compact[:length]) for length in range(15, 35))


def _unescaped(line: str) -> str:
    """Undo what JSON, or JSON within JSON, does to white space and what is not ASCII."""
    line = re.sub(r"\\+[nrt]", " ", line)
    return re.sub(r"\\+u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), line)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


@cache
def known() -> frozenset[str]:
    """List what is personal of everybody in the events, the demo data and the samples."""
    events = [json.loads(path.read_text()) for path in ROOT.glob("events/**/*.json")]
    customers = [each.profile for each in (*demo.DEMO_CUSTOMERS, demo.OTHER_CUSTOMER)]
    parties = [
        asdict(party)
        for invoice in sample_invoices.SAMPLES.values()
        for party in (invoice.seller, invoice.buyer)
    ]
    everything = [*events, demo.DEMO_ORG, demo.OTHER_ORG, *customers, *parties]
    return frozenset(_plain(each) for each in _personal(everything))


def _personal(value: Any) -> Iterator[str]:
    """List what is personal of the parties in some JSON: of whatever has an e-mail address."""
    if isinstance(value, list):
        for each in value:
            yield from _personal(each)
    elif isinstance(value, dict):
        if "email" in value:
            address = value.get("address")
            fields = {**value, **(address if isinstance(address, dict) else {"street": address})}
            yield from (fields[each] for each in _PERSONAL & fields.keys() if fields[each])
        yield from _personal(list(value.values()))
    elif isinstance(value, str) and value.startswith(("{", "[")):
        yield from _personal(json.loads(value))
