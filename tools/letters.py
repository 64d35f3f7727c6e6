"""
Writes the table of letters: which characters the fonts of documents have.

    python -m tools.letters    write layers/billing/billing/domain/glyphs.py

The layer carries the table and not the fonts, so that what cannot be printed is refused when it
comes in. Of Han characters and Hangul syllables one entry holds what any family has: they are tens
of thousands, and stand without marks.
"""

import textwrap
import unicodedata
from collections.abc import Iterable
from struct import unpack_from

from functions.documents.pdf.families import files
from local.stack import ROOT

FILE = ROOT / "layers" / "billing" / "billing" / "domain" / "glyphs.py"
HEAD = '''\
"""
The characters that the fonts of documents have: written by `python -m tools.letters`.

Ranges: where one begins, and where it ends; each number counts from the one before, in base 36.
"""
'''
_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


def module() -> str:
    """Return the source of the table: families with the same characters share an entry."""
    fonts = coverage()
    marks = {
        code
        for codes in fonts.values()
        for code in codes
        if unicodedata.category(chr(code))[0] == "M"
    }
    families: dict[frozenset[int], list[str]] = {}
    for name, codes in fonts.items():
        families.setdefault(frozenset(codes), []).append(name)
    glyphs = "".join(
        f"    {', '.join(names)!r}: {_literal(codes)},\n" for codes, names in families.items()
    )
    return (f"{HEAD}\nMARKS = {_literal(marks)}\nGLYPHS = {{\n{glyphs}}}\n").replace("'", '"')


def coverage() -> dict[str, set[int]]:
    """Return what each family has in all its weights."""
    found, many = {}, set[int]()
    for family, paths in files().items():
        codes = set[int].intersection(*(set(cmap(path.read_bytes())) for path in paths))
        codes = {code for code in codes if unicodedata.category(chr(code)) not in _NEVER}
        unmarked = {code for code in codes if _is_han_or_hangul(code)}
        found[family] = codes - unmarked
        many |= unmarked
    return found | {"Han and Hangul": many}


_NEVER = {"Cc", "Cn", "Co", "Cs"}
"""Controls, and what has no meaning to others: PDF/A forbids private use."""


def _is_han_or_hangul(code: int) -> bool:
    return unicodedata.name(chr(code), "").startswith(("CJK UNIFIED", "CJK COMPAT", "HANGUL SYLL"))


def cmap(font: bytes) -> Iterable[int]:
    """
    Read which characters a font has glyphs for.

    That is its table "cmap", in format 12, or 4 where it has none beyond U+FFFF: see the OpenType
    specification.
    """
    (tables,) = unpack_from(">H", font, 4)
    entries = (unpack_from(">4s4xI", font, 12 + 16 * n) for n in range(tables))
    start = next(offset for tag, offset in entries if tag == b"cmap")
    (encodings,) = unpack_from(">H", font, start + 2)
    places = {start + unpack_from(">4xI", font, start + 4 + 8 * n)[0] for n in range(encodings)}
    formats = {unpack_from(">H", font, place)[0]: place for place in places}
    if 12 in formats:
        return _groups(font, formats[12])
    return _segments(font, formats[4])


def _groups(font: bytes, place: int) -> Iterable[int]:
    (groups,) = unpack_from(">12xI", font, place)
    for n in range(groups):
        start, end = unpack_from(">II", font, place + 16 + 12 * n)
        yield from range(start, end + 1)


def _segments(font: bytes, place: int) -> Iterable[int]:
    (double,) = unpack_from(">6xH", font, place)
    count = double // 2
    ends = unpack_from(f">{count}H", font, place + 14)
    starts, deltas, offsets = (
        unpack_from(f">{count}H", font, place + 16 + double * n) for n in (1, 2, 3)
    )
    for n, (start, end, delta, offset) in enumerate(
        zip(starts, ends, deltas, offsets, strict=True)
    ):
        for code in range(start, min(end, 0xFFFE) + 1):
            glyph = code
            if offset:
                at = place + 16 + double * 3 + 2 * n + offset + 2 * (code - start)
                (glyph,) = unpack_from(">H", font, at)
            if glyph and (glyph + delta) % 0x10000:
                yield code


def _literal(codes: Iterable[int]) -> str:
    """Write a set of characters as a text in Python."""
    known = set(codes)
    bounds = sorted(
        {code for code in known if code - 1 not in known}
        | {code + 1 for code in known if code + 1 not in known}
    )
    steps = (each - before for each, before in zip(bounds, [0, *bounds], strict=False))
    lines = textwrap.wrap(" ".join(map(_base_36, steps)), 86)
    return "(\n" + "".join(f"        '{line} '\n" for line in lines) + "    )"


def _base_36(number: int) -> str:
    head = _base_36(number // 36) if number >= 36 else ""
    return head + _BASE_36[number % 36]


if __name__ == "__main__":
    FILE.write_text(module())
