"""
The deadline of a request: no call begins that cannot end before Lambda would.

An answer of ours, even a 504, beats the gateway's. Outside Lambda there is no deadline.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import NoReturn

from billing.domain.errors import ContentionError, UpstreamBusyError, UpstreamTimeoutError

RESERVE_SECONDS = 1.5
"""What is kept back to word the answer."""
CALL_SECONDS = 4.0
"""
What one try of a call may take: 1 s to connect, 2 s to be read, and 1 s of the pause that the SDK
makes before the next (2 s at most, half of it out of the reserve).
"""

STEP_SECONDS = 10.0
"""What the next step of work in steps may take, at most; where less is left, it goes on later."""

MAX_ATTEMPTS = 200
"""Tries of a step where there is no deadline."""

_ends_at: ContextVar[float] = ContextVar("ends_at", default=float("inf"))


def start(remaining_ms: int) -> None:
    """Start the deadline of a request, which Lambda ends in that many milliseconds."""
    _ends_at.set(time.monotonic() + remaining_ms / 1000)


def clear() -> None:
    """Clear the deadline at the end of a request."""
    _ends_at.set(float("inf"))


def seconds_left() -> float:
    """Return the seconds that may still be spent on calls."""
    return _ends_at.get() - time.monotonic() - RESERVE_SECONDS


def check(seconds: float) -> None:
    """Raise UpstreamTimeoutError if a call of at most that many seconds could not end in time."""
    if seconds_left() < seconds:
        raise UpstreamTimeoutError


class OutOfTimeError(BaseException):
    """The time of a call is over; no handler of errors on its way may take it for one of them."""


def interrupting() -> AbstractContextManager[None]:
    """
    Raise OutOfTimeError in a call that goes on when there is no more time for calls.

    A socket's own timeout starts anew with each byte, and with each address of a host: a call
    that drips would end with Lambda. Only the main thread can be interrupted; Lambda calls us
    there.
    """
    return at_most(seconds_left())


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in what goes on after so many seconds, if it is in the main thread."""
    if seconds == float("inf") or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(*_: object) -> NoReturn:
    raise OutOfTimeError


def retry[T](
    step: Callable[[], T],
    on: type[Exception] | tuple[type[Exception], ...] = ContentionError,
    seconds: float = CALL_SECONDS + 0.2,
) -> T:
    """
    Return what `step` returns; run it again, after a random pause, where it raises `on`.

    Raise UpstreamBusyError when the deadline has no room for another try of `seconds`: a little
    more than one call asks for, which would say that time is out, and not why.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return step()
        except on as error:
            pause = random.uniform(0, min(0.02 * 2**attempt, 0.5))
            if seconds_left() < pause + seconds:
                raise UpstreamBusyError("Too many requests at once.") from error
            time.sleep(pause)
    raise UpstreamBusyError("Too many requests at once.")
