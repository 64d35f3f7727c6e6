"""Chains as an audit reads them: lanes, series, and every number in order; see numbering.py."""

from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import batched
from typing import Any

from billing import config
from billing.domain.chains import ChainLink
from billing.domain.invoices import InvoiceKey
from billing.domain.numbering import ChainEnd, SeriesEnd
from billing.persistence.dynamodb import Item, get_items_of, int_of, query
from billing.persistence.invoice_items import document_key, to_record
from billing.persistence.numbering import (
    lane_key,
    list_numbers,
    numbered,
    series_key,
    to_chain_end,
    to_series_end,
)

_READ_AT_ONCE = 25


class ChainRepository:
    """The hash chains of all orgs."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    def list_lanes(self, org_id: str) -> dict[str, ChainEnd]:
        """Read the lanes of an org, each with its last document."""
        items = query(self._table, "pk = :pk", {":pk": {"S": lane_key(org_id, "")[0]}})
        return {item["sk"]["S"]: to_chain_end(item) for item in items}

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
            )


def _position(item: Item) -> int:
    return int_of(item, "lane_position")
