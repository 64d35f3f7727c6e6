"""The tax agency's service, at the other end of a line."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Protocol
from xml.etree.ElementTree import tostring

from billing.domain.fiscal_answers import Answer, StoredRecord
from billing.domain.verifactu import FiscalRecord
from billing.verifactu.messages import question, read_answer, read_stored, submission
from billing.verifactu.record import record_element


class Line(Protocol):
    def post(self, message: bytes) -> bytes: ...


class TaxAgency:
    """The service, for records of one taxpayer."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def submit(self, records: Sequence[FiscalRecord], *, late: bool) -> Answer:
        """Send records, and return the answer about each of them."""
        seller = records[-1].declaration
        written = (tostring(record_element(each), encoding="unicode") for each in records)
        message = submission(seller.seller_name, seller.seller_tax_id, written, late=late)
        return read_answer(self._line.post(message))

    def find(self, records: Sequence[FiscalRecord]) -> Iterator[StoredRecord]:
        """Ask for what the service keeps of documents; others of their days may come with them."""
        by_month = defaultdict(list)
        for record in records:
            said = record.declaration
            by_month[(said.operation_date or said.issue_date).replace(day=1)].append(said)
        for month, some in by_month.items():
            seller, days = some[-1], [each.issue_date for each in some]
            number = seller.number if len(some) == 1 else None
            after, more = None, True
            while more:
                asked = question(
                    seller.seller_name,
                    seller.seller_tax_id,
                    month,
                    min(days),
                    max(days),
                    number=number,
                    after=after,
                )
                page, more = read_stored(self._line.post(asked))
                yield from page
                more = more and bool(page)
                after = page[-1] if more else None
