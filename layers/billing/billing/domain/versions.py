"""Versions of what clients replace, so that no change is made on a stale one."""

from collections.abc import Collection

from billing.domain.errors import PreconditionFailedError


def check_version(version: int, known: Collection[int] | None, *, is_said: bool = False) -> None:
    """
    Check that a version is one of those that the caller knows; None stands for any.

    Where the resource says already what the request asks (`is_said`), the version before will do:
    that is how a request looks whose first answer was lost. Raise PreconditionFailedError else.
    """
    if known is None or version in known or (is_said and version - 1 in known):
        return
    raise PreconditionFailedError
