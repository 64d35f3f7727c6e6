"""
Chains as an audit reads them: lanes, series, and every number in order; see numbering.py.

Fiscal records come with the numbers of their documents, and corrections of records from between
them; see fiscal_records.py.
"""

from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import batched
from typing import Any

from billing import config
from billing.domain.chains import ChainLink, Correction, LaneEnds
from billing.domain.invoices import InvoiceKey
from billing.domain.numbering import ChainEnd, SeriesEnd
from billing.domain.verifactu import KeptRecord
from billing.persistence.dynamodb import Item, get_items_of, int_of, padded, query
from billing.persistence.fiscal_items import (
    amendment_key,
    amendments_of,
    is_record,
    to_fiscal_end,
    to_kept_record,
)
from billing.persistence.fiscal_senders import sending_key, to_sending
from billing.persistence.invoice_items import document_key, to_record
from billing.persistence.numbering import (
    lane_key,
    list_numbers,
    number_key,
    numbered,
    series_key,
    to_chain_end,
    to_series_end,
)

_READ_AT_ONCE = 25
_MOST_AT_ONCE = 100


class ChainRepository:
    """The hash chains of all orgs."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    def list_lanes(self, org_id: str) -> dict[str, ChainEnd]:
        """Read the lanes of an org, each with its last document."""
        return {lane: to_chain_end(item) for lane, item in self._lanes(org_id).items()}

    def list_ends(self, org_id: str) -> dict[str, LaneEnds]:
        """Read the lanes of an org, each with all that its chains end with."""
        key = sending_key(org_id)
        sending = get_items_of(self._table, key).get(key)
        answered = to_sending(sending).answered_through if sending else 0
        return {
            lane: LaneEnds(to_chain_end(item), to_fiscal_end(item), answered)
            for lane, item in self._lanes(org_id).items()
        }

    def list_series(self, org_id: str) -> dict[str, SeriesEnd]:
        """Read the series of an org, each with its last number."""
        items = query(self._table, "pk = :pk", {":pk": {"S": series_key(org_id, "")[0]}})
        return {item["sk"]["S"]: to_series_end(item) for item in items}

    def list_links(
        self, org_id: str, lane: str, series: Mapping[str, SeriesEnd], after: Mapping[str, int]
    ) -> Iterator[ChainLink]:
        """
        List the documents of a lane, which has some of the series, in the order of its chain.

        `after` names, by series and year, the last sequences that are left out. The numbers of
        each series ascend as the chain does, so that merging them gives its order.
        """
        numbers = [
            list_numbers(self._table, org_id, f"{name}{year}", after.get(f"{name}{year}", 0))
            for name, end in series.items()
            if end.lane == lane
            for year in range(end.first_year, end.year + 1)
        ]
        for batch in batched(merge(*numbers, key=_position), _READ_AT_ONCE, strict=False):
            yield from self._links(org_id, batch)

    def list_keys(self, org_id: str) -> Iterator[InvoiceKey]:
        """List all documents of an org, series by series, in the order of their numbers."""
        for name, end in self.list_series(org_id).items():
            for year in range(end.first_year, end.year + 1):
                for item in list_numbers(self._table, org_id, f"{name}{year}", 0):
                    yield numbered(org_id, item)

    def list_corrections(self, org_id: str, after: int, before: int) -> Iterator[Correction]:
        """List the fiscal records that correct others between two positions of their chain."""
        if before - after < 2:
            return
        pk, first = amendment_key(org_id, after + 1)
        values = {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": padded(before - 1)}}
        items = query(self._table, "pk = :pk AND sk BETWEEN :first AND :last", values)
        for batch in batched(items, _READ_AT_ONCE, strict=False):
            records = [to_kept_record(org_id, item) for item in batch]
            keys = [number_key(org_id, each.record.declaration.number) for each in records]
            found = get_items_of(self._table, *set(keys))
            for kept, key in zip(records, keys, strict=True):
                document = found.get(key)
                is_of_it = document is not None and numbered(org_id, document) == kept.key
                yield Correction(kept, amendments_of(document) if document and is_of_it else [])

    def _lanes(self, org_id: str) -> dict[str, Item]:
        items = query(self._table, "pk = :pk", {":pk": {"S": lane_key(org_id, "")[0]}})
        return {item["sk"]["S"]: item for item in items}

    def _links(self, org_id: str, batch: tuple[Item, ...]) -> Iterator[ChainLink]:
        keys = [document_key(numbered(org_id, item)) for item in batch]
        documents = get_items_of(self._table, *keys)
        for item in batch:
            key = numbered(org_id, item)
            document: Any = documents.get(document_key(key))
            yield ChainLink(
                key=key,
                series=item["pk"]["S"].rsplit("#", 1)[1],
                sequence=int(item["sk"]["S"]),
                position=_position(item),
                hash=item["hash_of_record"]["S"],
                previous_hash=item["previous_hash"]["S"],
                record=to_record(document) if document else None,
                erased="erased_at" in document if document else False,
                fiscal=to_kept_record(org_id, item) if is_record(item) else None,
                corrections=self._corrections(org_id, item),
            )

    def _corrections(self, org_id: str, item: Item) -> dict[int, KeptRecord | None]:
        found: dict[int, KeptRecord | None] = {}
        for some in batched(amendments_of(item), _MOST_AT_ONCE, strict=False):
            keys = {position: amendment_key(org_id, position) for position in some}
            items = get_items_of(self._table, *keys.values())
            for position, key in keys.items():
                kept = items.get(key)
                found[position] = to_kept_record(org_id, kept) if kept else None
        return found


def _position(item: Item) -> int:
    return int_of(item, "lane_position")
