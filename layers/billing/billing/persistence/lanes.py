"""
Org-wide indexes: their partitions are the lanes of an org, so that none has to take all its writes.

A list of the whole org reads each of them, and merges what it finds.
"""

from collections.abc import Sequence
from heapq import merge
from itertools import islice

from billing.domain.numbering import LANE
from billing.persistence.dynamodb import Item, at_once, joined, query

LANES: Sequence[str] = (LANE,)
"""Every lane that an org may have entries in."""


def lane_of(org_id: str, lane: str = LANE) -> str:
    """Return the partition key of a lane: the attribute `org` of what org-wide indexes list."""
    return joined(org_id, lane)


def list_org_wide(
    table: str, index: str, org_id: str, by: str, first: str, last: str, limit: int
) -> list[Item]:
    """
    List at most `limit` items of an org by an attribute, from `first` to `last`, both included.

    An index lags behind its table a little.
    """
    if first > last:
        return []

    def read(lane: str) -> list[Item]:
        values = {":org": lane_of(org_id, lane), ":first": first, ":last": last}
        found = query(
            table,
            f"org = :org AND {by} BETWEEN :first AND :last",
            {name: {"S": value} for name, value in values.items()},
            IndexName=index,
            Limit=limit,
        )
        return list(islice(found, limit))

    lanes = at_once(read, LANES) if len(LANES) > 1 else [read(lane) for lane in LANES]
    return list(islice(merge(*lanes, key=lambda item: str(item[by]["S"])), limit))


def behind(key: str) -> str:
    """Return the first text that sorts behind a key."""
    return key + "\0"
