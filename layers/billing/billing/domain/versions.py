"""Versions of what clients replace, so that no change is made on a stale one."""

from collections.abc import Collection

from billing.domain.errors import PreconditionFailedError


def check_version(version: int, known: Collection[int] | None, *, is_said: bool = False) -> None:
    """
    Check that a version is one of those that the caller knows; None stands for any.

    If the resource already has the requested state (`is_said`), the version before is accepted too:
    a client that repeats a request because its answer was lost still sends that one. Raise
    PreconditionFailedError otherwise.
    """
    if known is None or version in known or (is_said and version - 1 in known):
        return
    raise PreconditionFailedError
