"""Work ahead: what comes next is prepared in other threads, while what came before is used."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial

from billing import deadline
from billing.domain.errors import UpstreamTimeoutError

STEPS = 2
"""How many things are prepared at once, besides the one that is used."""


@contextmanager
def prepared[T, R](
    prepare: Callable[[T], R], things: Sequence[T]
) -> Iterator[Iterator[tuple[T, Callable[[], R]]]]:
    """
    Return each thing in turn, with a function that returns what was prepared of it, or raises.

    The next ones are being prepared meanwhile. A single thing is prepared when it is asked for, in
    the same thread. At the end, nothing goes on behind the caller's back, unless time is over.
    """
    if len(things) == 1:
        yield iter([(things[0], lambda: prepare(things[0]))])
        return
    pool = ThreadPoolExecutor(STEPS)

    def begin(thing: T) -> Future[R]:
        return pool.submit(copy_context().run, prepare, thing)

    def each() -> Iterator[tuple[T, Callable[[], R]]]:
        begun = deque(begin(thing) for thing in things[:STEPS])
        for place, thing in enumerate(things, STEPS):
            task = begun.popleft()
            if place < len(things):
                begun.append(begin(things[place]))
            yield thing, partial(_result, task)

    try:
        yield each()
    finally:
        pool.shutdown(wait=deadline.seconds_left() > 0, cancel_futures=True)


def _result[R](task: Future[R]) -> R:
    try:
        with deadline.interrupting():
            return task.result()
    except deadline.OutOfTimeError as error:
        raise UpstreamTimeoutError from error
