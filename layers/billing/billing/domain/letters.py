"""Which letters documents can be printed with: what their fonts have, without the fonts at hand."""

import re
from bisect import bisect_right
from functools import cache, lru_cache
from itertools import accumulate, batched

EVERYDAY = re.compile(
    "[ -~\xa0-\u0148\u014a-\u017f\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u0400-\u045f"
    "\u2009\u2013-\u2022\u2026\u202f\u20ac\u2212]*"
)
"""What almost all texts consist of: the first font has all of it, and nothing else is needed."""
INVISIBLE = (
    "\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff"
)
"""Format characters and variation selectors, which take no glyph."""


def letters(text: str) -> list[str]:
    """Divide a text into its characters, each with the marks and selectors that belong to it."""
    return list(text) if EVERYDAY.fullmatch(text) else _letter().findall(text)


@lru_cache(4096)
def is_printable(letter: str) -> bool:
    """Return whether a font has a character and all its marks: they are set in one font."""
    if EVERYDAY.fullmatch(letter):
        return True
    codes = [ord(each) for each in _takes_no_glyph().sub("", letter)]
    return any(all(bisect_right(font, code) % 2 for code in codes) for font in _fonts())


def check_printable(text: str) -> str:
    """Return a composed text (NFC); raise ValueError naming a character that no font has."""
    if EVERYDAY.fullmatch(text):
        return text
    letter = next((each for each in letters(text) if not is_printable(each)), None)
    if letter is None:
        return text
    codes = " ".join(f"U+{ord(each):04X}" for each in letter)
    raise ValueError(
        "must have only characters that documents can be printed with: "
        f"there is no font for {letter!r} ({codes})"
    )


@cache
def _takes_no_glyph() -> re.Pattern[str]:
    return re.compile(rf"[\s{INVISIBLE}]+")


@cache
def _letter() -> re.Pattern[str]:
    from billing.domain.glyphs import MARKS

    marks = "".join(
        f"{chr(start)}-{chr(end - 1)}" for start, end in batched(_bounds(MARKS), 2, strict=True)
    )
    return re.compile(f".[{marks}{INVISIBLE}]*", re.DOTALL)


@cache
def _fonts() -> list[list[int]]:
    """Return where the ranges of each font begin and end."""
    from billing.domain.glyphs import GLYPHS

    return [_bounds(ranges) for ranges in GLYPHS.values()]


def _bounds(ranges: str) -> list[int]:
    return list(accumulate(int(each, 36) for each in ranges.split()))
