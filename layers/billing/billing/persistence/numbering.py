"""
Numbers, in the invoices' table: the ends of lanes and series, and every number with its document.

    pk                                sk                what
    lane#<org>                        <lane>            the last document of a lane: its position,
                                                        hash and date; with VERIFACTU the regime,
                                                        and the last fiscal record
    series#<org>                      <series>          the kind and the lane it numbers, for ever;
                                                        its years, and the last number of the
                                                        latest year
    number#<org>#<series><year>       <sequence>        the document with it, and its place in the
                                                        hash chain of its lane

Sequences are written with ten digits, so that they sort.
"""

from collections.abc import Iterator
from typing import Any

from billing.domain.invoices import InvoiceKey, InvoiceKind
from billing.domain.numbering import (
    LETTERS,
    ChainEnd,
    SeriesEnd,
    lanes_up_to,
    read_number,
    series_of,
)
from billing.domain.parties import FiscalRegime, Org
from billing.persistence.dynamodb import (
    Item,
    Key,
    check,
    check_any,
    date_of,
    int_of,
    joined,
    padded,
    query,
)

_LAST = 10**10 - 1
"""Behind every sequence."""


def lane_key(org_id: str, lane: str) -> Key:
    return joined("lane", org_id), lane


def series_key(org_id: str, series: str) -> Key:
    return joined("series", org_id), series


def number_key(org_id: str, number: str) -> Key:
    """Return the key of a number. Raise ValueError where it is none."""
    series_and_year, sequence = read_number(number)
    return joined("number", org_id, series_and_year), padded(sequence)


def list_numbers(table: str, org_id: str, series_and_year: str, after: int) -> Iterator[Item]:
    """List the numbers of a series and year behind a sequence, in their order."""
    values = {
        ":pk": {"S": joined("number", org_id, series_and_year)},
        ":first": {"S": padded(after + 1)},
        ":last": {"S": padded(_LAST)},
    }
    return query(table, "pk = :pk AND sk BETWEEN :first AND :last", values)


def numbered(org_id: str, item: Item) -> InvoiceKey:
    """Return the document that has a number."""
    return InvoiceKey(org_id, item["account_id"]["S"], int_of(item, "ordinal_of_account"))


def check_nothing_issued(table: str, org: Org) -> list[Any]:
    """Return checks that an org has issued nothing yet, in any lane."""
    return [check(table, lane_key(org.id, lane), {}) for lane in LETTERS[: org.most_lanes]]


def check_series(table: str, org: Org) -> dict[str, Any]:
    """
    Return checks of what the series of an org may number, by their names.

    They are those of all lanes that it ever had: a run goes on with the lanes that it began with.
    """
    return {
        name: check_any(table, series_key(org.id, name), {"kind": kind.value, "lane": lane.letter})
        for lane in lanes_up_to(org.most_lanes)
        for kind in InvoiceKind
        for name in [series_of(org, kind, lane)]
    }


def to_chain_end(item: Item) -> ChainEnd:
    return ChainEnd(
        position=int_of(item, "last_position"),
        hash=item["last_hash"]["S"] if item else "",
        issue_date=date_of(item, "issue_date"),
        regime=_to_regime(item),
    )


def _to_regime(item: Item) -> FiscalRegime | None:
    """Read the regime of a lane's documents; before the first one it has none."""
    if "fiscal_regime" in item:
        return FiscalRegime(item["fiscal_regime"]["S"])
    return FiscalRegime.NONE if item else None


def to_series_end(item: Item) -> SeriesEnd:
    return SeriesEnd(
        kind=InvoiceKind(item["kind"]["S"]),
        lane=item["lane"]["S"],
        first_year=int_of(item, "first_year"),
        year=int_of(item, "last_year"),
        sequence=int_of(item, "last_sequence"),
    )
