"""What a function does before Lambda keeps a snapshot of it, and after it starts from one."""

import random

from billing import config
from billing.aws import dynamodb


def prepare() -> None:
    """
    Create the client that every call needs, and seed random numbers after each start.

    Without SnapStart this does nothing: a client is made on first use. Ids, tokens and salts come
    from the operating system, which Lambda seeds anew itself; pauses between tries come from
    `random`, whose state all that start from a snapshot would share.
    """
    if not config.is_kept_as_snapshot():
        return
    from snapshot_restore_py import register_after_restore  # type: ignore[import-not-found]

    dynamodb()
    register_after_restore(random.seed)
