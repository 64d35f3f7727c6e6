"""Verify what the tables say: numbers without gaps, an unbroken chain, totals that add up."""

import json
from collections.abc import Iterable, Iterator
from typing import Protocol

from billing.domain.invoices import ChainLink, invoice_hash


class Invoices(Protocol):
    def list_series(self, org_id: str) -> list[tuple[str, int]]: ...

    def list_numbers(self, org_id: str, series: str) -> Iterable[ChainLink]: ...


def audit_invoices(org_id: str, *, invoices: Invoices) -> Iterator[tuple[str, list[str]]]:
    """Verify each number of each series of an org; tell it, with what is wrong about it."""
    for series, last in invoices.list_series(org_id):
        expected, previous = 1, ""
        for link in invoices.list_numbers(org_id, series):
            number = f"{series}-{link.sequence:06}"
            faults = [
                f"{series}-{missing:06} is missing" for missing in range(expected, link.sequence)
            ]
            yield number, faults + list(_faults(link, number, previous))
            expected, previous = link.sequence + 1, link.hash
        if expected != last + 1:
            yield f"{series}-{last:06}", [f"the series counts {last} numbers, {expected - 1} found"]


def _faults(link: ChainLink, number: str, previous: str) -> Iterator[str]:
    if link.record is None:
        yield "its record is missing"
        return
    if link.previous_hash != previous:
        yield "it does not follow the hash before it"
    if invoice_hash(link.record, link.previous_hash) != link.hash:
        yield "its record was changed after it was issued"
    record = json.loads(link.record)
    if record["number"] != number:
        yield f"its record says {record['number']}"
    nets: dict[str, int] = {}
    for line in record["lines"]:
        tax = json.dumps(line["tax"], sort_keys=True)
        nets[tax] = nets.get(tax, 0) + line["net"]
    if nets != {
        json.dumps(total["tax"], sort_keys=True): total["net"] for total in record["taxes"]
    }:
        yield "its totals are not those of its lines"
