"""Cursors of lists, and ETags of what clients change."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.api import cursors, etags
from billing.clock import now
from billing.domain.errors import InvalidRequestError
from billing.domain.ids import new_id

ids = st.text("0123456789abcdefABCDEF_-", min_size=1, max_size=64)


@given(ids, st.lists(ids))
def test_comes_back_as_it_was_given(last_id: str, scope: list[str]) -> None:
    assert cursors.decode(cursors.encode(last_id, *scope), *scope) == last_id


@given(ids, ids, st.text(max_size=99))
def test_fits_nothing_else(last_id: str, scope: str, text: str) -> None:
    cursor = cursors.encode(last_id, scope)

    for changed, of in ((cursor, f"{scope}x"), (f"{cursor}A", scope), (cursor[1:], scope)):
        with pytest.raises(InvalidRequestError, match="leave it out for the first page"):
            cursors.decode(changed, of)
    if text != cursor:
        with pytest.raises(InvalidRequestError):
            cursors.decode(text, scope)


def test_begins_without_one_and_ends_without_one() -> None:
    assert cursors.decode(None, "scope") is None
    assert cursors.page([1, 2, 3], 2, str, "scope") == ([1, 2], cursors.encode("2", "scope"))
    assert cursors.page([1, 2], 2, str, "scope") == ([1, 2], None)
    assert cursors.page([], 2, str, "scope") == ([], None)


@pytest.mark.parametrize(
    ("if_match", "versions"),
    [
        (None, None),
        ("*", range(1, 10**9)),
        ('"12"', frozenset({12})),
        (' "1" , "2","x"', frozenset({1, 2})),
        ('W/"1"', frozenset()),
        ("1", frozenset()),
        ("", frozenset()),
        ('"١"', frozenset()),
    ],
)
def test_reads_if_match(if_match: str | None, versions: Collection[int] | None) -> None:
    assert etags.versions_in(if_match) == versions
    assert etags.versions_in(etags.etag(12)) == frozenset({12})


def test_ids_sort_by_time() -> None:
    first, second = new_id(now().replace(microsecond=0)), new_id(now().replace(microsecond=1000))

    assert first < second
    assert len(first) == len(second) == 32
