"""Chains as an audit reads them: lanes, their series, and every number in order; see issuing.py."""

from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import batched
from typing import Any

from billing import config
from billing.domain.chains import ChainLink
from billing.domain.invoices import InvoiceKey
from billing.domain.issuing import ChainEnd, SeriesEnd
from billing.persistence.dynamodb import Item, get_items, joined, query
from billing.persistence.invoice_items import document_key, int_of, padded, to_record
from billing.persistence.issuing import to_chain_end, to_series_end

_READ_AT_ONCE = 25
_LAST = 10**10 - 1
"""Behind every sequence."""


class ChainRepository:
    """The hash chains of all orgs."""

    def __init__(self) -> None:
        self._table = config.invoices_table()

    def list_lanes(self, org_id: str) -> dict[str, ChainEnd]:
        """Read the lanes of an org, each with its last document."""
        items = query(self._table, "pk = :pk", {":pk": {"S": joined("lane", org_id)}})
        return {item["sk"]["S"]: to_chain_end(item) for item in items}

    def list_series(self, org_id: str) -> dict[str, SeriesEnd]:
        """Read the series of an org, each with its last number."""
        items = query(self._table, "pk = :pk", {":pk": {"S": joined("series", org_id)}})
        return {item["sk"]["S"]: to_series_end(item) for item in items}

    def list_links(
        self, org_id: str, lane: str, after: Mapping[str, int] | None = None
    ) -> Iterator[ChainLink]:
        """
        List the documents of a lane in the order of its chain.

        `after` names, by series and year, the last sequences that are left out. The numbers of
        each series ascend as the chain does, so that merging them gives its order.
        """
        done = after or {}
        numbers = [
            self._numbers(org_id, f"{name}{year}", done.get(f"{name}{year}", 0))
            for name, end in self.list_series(org_id).items()
            if end.lane == lane
            for year in range(end.first_year, end.year + 1)
        ]
        for batch in batched(merge(*numbers, key=_position), _READ_AT_ONCE, strict=False):
            yield from self._links(org_id, batch)

    def list_keys(self, org_id: str) -> Iterator[InvoiceKey]:
        """List all documents of an org, series by series, in the order of their numbers."""
        for name, end in self.list_series(org_id).items():
            for year in range(end.first_year, end.year + 1):
                for item in self._numbers(org_id, f"{name}{year}", 0):
                    yield _key_of(org_id, item)

    def _numbers(self, org_id: str, series: str, after: int) -> Iterator[Item]:
        values = {
            ":pk": {"S": joined("number", org_id, series)},
            ":first": {"S": padded(after + 1)},
            ":last": {"S": padded(_LAST)},
        }
        return query(self._table, "pk = :pk AND sk BETWEEN :first AND :last", values)

    def _links(self, org_id: str, batch: tuple[Item, ...]) -> Iterator[ChainLink]:
        documents = get_items(
            {self._table: [document_key(_key_of(org_id, item)) for item in batch]}
        )
        for item in batch:
            key = _key_of(org_id, item)
            document: Any = documents.get((self._table, *document_key(key)))
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


def _key_of(org_id: str, item: Item) -> InvoiceKey:
    return InvoiceKey(org_id, item["account_id"]["S"], int_of(item, "ordinal_of_account"))
