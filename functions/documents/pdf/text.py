"""Text that can always be shown, and the characters that the fonts have."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from struct import unpack_from

FONTS = Path(__file__).parent / "fonts"

_REPLACEMENT = "□"
_UNBROKEN = re.compile(r"\S{24,}")


def shown(text: str, *, keep_spaces: bool = False) -> str:
    """
    Return a text that can be typeset: PDF/A forbids a character without a glyph.

    Runs of white space become one space, and words too long for a column may break anywhere.
    """
    printable = unicodedata.normalize("NFC", text).translate(_glyphs())
    if keep_spaces:
        return printable
    return _UNBROKEN.sub(lambda word: "\u200b".join(word[0]), " ".join(printable.split()))


class _Glyphs(dict[int, str]):
    """The text to typeset for a character, looked up when it is first needed."""

    def __init__(self, covered: frozenset[int]) -> None:
        super().__init__()
        self._covered = covered

    def __missing__(self, code: int) -> str:
        self[code] = shown = self._find(chr(code))
        return shown

    def _find(self, character: str) -> str:
        category = unicodedata.category(character)
        if character.isspace():
            return character if character == "\N{NO-BREAK SPACE}" else " "
        if category in {"Cc", "Cf", "Cs"}:
            return ""
        for form in ("NFC", "NFKC"):
            spelling = unicodedata.normalize(form, character)
            if self._covered.issuperset(map(ord, spelling)) and category != "Co":
                return spelling
        base = unicodedata.normalize("NFKD", character)[0]
        if base != character and ord(base) in self._covered:
            return base
        return "" if category in {"Mn", "Me"} else _REPLACEMENT


@cache
def _glyphs() -> _Glyphs:
    return _Glyphs(coverage((FONTS / "Inter-Regular.otf").read_bytes()))


def coverage(font: bytes) -> frozenset[int]:
    """
    Read which characters a font has glyphs for.

    That is its table "cmap", in the format 12 that holds all of Unicode: see the OpenType
    specification.
    """
    (tables,) = unpack_from(">H", font, 4)
    entries = (unpack_from(">4s4xI", font, 12 + 16 * n) for n in range(tables))
    cmap = next(offset for tag, offset in entries if tag == b"cmap")
    (encodings,) = unpack_from(">H", font, cmap + 2)
    for n in range(encodings):
        (subtable,) = unpack_from(">4xI", font, cmap + 4 + 8 * n)
        table_format, groups = unpack_from(">H10xI", font, cmap + subtable)
        if table_format == 12:
            ranges = (
                unpack_from(">II", font, cmap + subtable + 16 + 12 * g) for g in range(groups)
            )
            return frozenset(code for start, end in ranges for code in range(start, end + 1))
    raise ValueError("the font has no cmap of format 12")
