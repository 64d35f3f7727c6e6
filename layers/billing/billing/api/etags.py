"""ETags of what clients change: they name a version, so that no change is made on a stale one."""

import re

_TAG = re.compile(r'"([0-9]{1,9})"', re.ASCII)


def etag(version: int) -> str:
    return f'"{version}"'


def versions_in(if_match: str | None) -> frozenset[int] | None:
    """
    Read If-Match: the versions that it names, or None where any will do.

    A tag that is none of ours (a weak one, or any other text) names no version.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [_TAG.fullmatch(tag.strip()) for tag in if_match.split(",")]
    return frozenset(int(tag[1]) for tag in tags if tag)
