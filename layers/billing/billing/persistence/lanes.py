"""
Org-wide indexes: their partitions are the lanes of an org, so that none has to take all its writes.

An entry stands in the lane of its account at the time when it was written; lanes may have been
added since, or taken away. So a list of the whole org reads each lane that the org ever had, and
merges what it finds.
"""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from math import ceil, sqrt

from billing.domain.numbering import LANE, LETTERS
from billing.persistence.dynamodb import Item, at_once, joined, query


def lane_of(org_id: str, lane: str = LANE.letter) -> str:
    """Return the partition key of a lane: the attribute `org` of what org-wide indexes list."""
    return joined(org_id, lane)


def list_org_wide(
    table: str, index: str, org_id: str, lanes: int, by: str, first: str, last: str, limit: int
) -> list[Item]:
    """
    List at most `limit` items of an org by an attribute, from `first` to `last`, both included.

    The attribute is different for each item. Each of the lanes that the org ever had is asked for
    its share and some more, and once again if that was not enough: what is read is about what is
    listed, however many lanes there are. An index lags behind its table a little.
    """
    if first > last:
        return []
    each = limit / lanes
    share = min(limit, ceil(each + 2 * sqrt(each)))

    def read(lane: str, start: str, most: int) -> list[Item]:
        values = {":org": lane_of(org_id, lane), ":first": start, ":last": last}
        found = query(
            table,
            f"org = :org AND {by} BETWEEN :first AND :last",
            {name: {"S": value} for name, value in values.items()},
            IndexName=index,
            Limit=most,
        )
        return list(islice(found, most))

    def entries(lane: str, begun: list[Item]) -> Iterator[Item]:
        yield from begun
        if share <= len(begun) < limit:
            yield from read(lane, behind(begun[-1][by]["S"]), limit)

    letters = LETTERS[:lanes]
    begun = (
        at_once(lambda lane: read(lane, first, share), letters)
        if lanes > 1
        else [read(letters[0], first, share)]
    )
    listed = map(entries, letters, begun)
    return list(islice(merge(*listed, key=lambda item: str(item[by]["S"])), limit))


def behind(key: str) -> str:
    """Return the first text that sorts behind a key."""
    return key + "\0"
