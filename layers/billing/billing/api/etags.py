"""
ETags: they name a version.

With `If-Match` no change is made on a stale one; with `If-None-Match` nothing is sent twice.
"""

import re
from collections.abc import Collection

KEPT_BY_CLIENT = "private, no-cache"
"""A file is kept by who asked for it only, and shown again only once this API said 304."""
_TAG = re.compile(r'"([1-9][0-9]{0,8})"', re.ASCII)
_EVERY_VERSION = range(1, 10**9)


def etag(version: int) -> str:
    return f'"{version}"'


def versions_in(if_match: str | None) -> Collection[int] | None:
    """
    Read If-Match: the versions that it names, or None where any will do, or none at all.

    `*` names every version, so that the resource must exist. A tag that is none of ours (a weak
    one, or any other text) names no version.
    """
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return _EVERY_VERSION
    tags = [_TAG.fullmatch(tag.strip()) for tag in if_match.split(",")]
    return frozenset(int(tag[1]) for tag in tags if tag)


def is_named(tag: str, if_none_match: str | None) -> bool:
    """Return whether If-None-Match names a tag; strong or weak makes no difference to it."""
    named = [each.strip() for each in (if_none_match or "").split(",")]
    return "*" in named or tag.removeprefix("W/") in [each.removeprefix("W/") for each in named]
