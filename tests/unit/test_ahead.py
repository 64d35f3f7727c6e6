"""What comes next is prepared while what came before is used."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from billing import deadline
from billing.ahead import STEPS, prepared
from billing.domain.errors import UpstreamTimeoutError


def test_each_comes_in_its_order_with_what_was_prepared_of_it() -> None:
    with prepared(lambda number: number**2, range(1, 8)) as things:
        assert [(thing, result()) for thing, result in things] == [(n, n * n) for n in range(1, 8)]


def test_the_next_are_prepared_while_one_is_used_and_no_more() -> None:
    begun: list[int] = []
    more = threading.Condition()

    def prepare(number: int) -> None:
        with more:
            begun.append(number)
            more.notify()

    with prepared(prepare, range(6)) as things:
        for number, result in things:
            result()
            wanted = min(number + STEPS, 5)
            with more:
                assert more.wait_for(partial(begun.__contains__, wanted), 10)
            time.sleep(0.01)
            assert max(begun) == wanted


def test_a_single_thing_is_prepared_when_it_is_asked_for_in_the_same_thread() -> None:
    with prepared(lambda _: threading.current_thread(), ["one"]) as things:
        assert [result() for _, result in things] == [threading.current_thread()]


def test_what_fails_fails_in_its_turn_and_nothing_goes_on_behind() -> None:
    ended: list[int] = []

    def prepare(number: int) -> None:
        if number == 1:
            raise KeyError(number)
        time.sleep(0.05)
        ended.append(number)

    with pytest.raises(KeyError):
        _use_all(prepare, range(9))

    known = list(ended)
    time.sleep(0.2)
    assert known == ended
    assert 0 in ended
    assert len(ended) < 6


def test_the_deadline_holds_in_other_threads_and_for_who_waits() -> None:
    seen: list[float] = []

    def prepare(number: int) -> None:
        seen.append(deadline.seconds_left())
        time.sleep(number)

    deadline.start(1600)
    try:
        with pytest.raises(UpstreamTimeoutError):
            _use_all(prepare, [0, 1, 1])
    finally:
        deadline.clear()

    assert all(left < 0.2 for left in seen)


def _use_all(prepare: Callable[[int], None], numbers: Sequence[int]) -> None:
    with prepared(prepare, numbers) as things:
        for _, result in things:
            result()
