"""Text that can always be shown: in letters that a font has, in its own direction, in a column."""

import re
import unicodedata
from itertools import batched

from billing.domain.letters import EVERYDAY, INVISIBLE, is_printable, letters

_REPLACEMENT = "□"
_ARABIC = r"\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufefc"
_HAN = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RIGHT_TO_LEFT = re.compile(rf"[\u0590-\u08ff\ufb1d-\ufb4f{_ARABIC}]")
_UNBROKEN = re.compile(rf"[^\s\u0e00-\u0eff\u2e80-\ud7ff\uff00-\uffef{_HAN}]{{24,}}")
"""A word too long for a column; what Thai, Chinese, Japanese and Korean write breaks by itself."""
_SHAPING = re.compile(rf"(?<![{_ARABIC}])[\u200c\u200d]|(?<![{_HAN}])[\U000e0100-\U000e01ef]")
"""What shapes the letter before it, where that is none that it could shape."""


def shown(text: str, *, keep_spaces: bool = False) -> str:
    """
    Return a text that can be typeset: PDF/A forbids a character without a glyph.

    All that is accepted has glyphs; documents issued by earlier releases may have other characters.
    Runs of white space become one space, and words too long for a column may break anywhere.
    """
    printable = unicodedata.normalize("NFC", text).translate(_glyphs)
    if not keep_spaces:
        printable = _UNBROKEN.sub(_breakable, " ".join(printable.split()))
    if EVERYDAY.fullmatch(printable):
        return printable
    printable = _SHAPING.sub("", printable)
    printable = "".join(each if is_printable(each) else each[0] for each in letters(printable))
    # An isolate: its direction is its own, and moves nothing of what stands around it.
    return f"\u2068{printable}\u2069" if _RIGHT_TO_LEFT.search(printable) else printable


def _breakable(word: re.Match[str]) -> str:
    """Let a word break anywhere; an Arabic one seldom, as letters change where it may."""
    step = 20 if re.search(f"[{_ARABIC}]", word[0]) else 1
    return "\u200b".join("".join(some) for some in batched(letters(word[0]), step, strict=False))


class _Glyphs(dict[int, str]):
    """The text to typeset for a character, looked up when it is first needed."""

    def __missing__(self, code: int) -> str:
        self[code] = shown = _find(chr(code))
        return shown


_glyphs = _Glyphs()


def _find(character: str) -> str:
    if character.isspace():
        return character if character == "\N{NO-BREAK SPACE}" else " "
    if _SHAPING.fullmatch(character):
        return character
    category = unicodedata.category(character)
    if category in {"Cc", "Cs"} or re.fullmatch(f"[{INVISIBLE}]", character):
        return ""
    for form in ("NFC", "NFKC"):
        spelling = unicodedata.normalize(form, character)
        if all(map(is_printable, spelling)):
            return spelling
    base = unicodedata.normalize("NFKD", character)[0]
    if base != character and is_printable(base):
        return base
    return "" if category in {"Mn", "Me", "Cf"} else _REPLACEMENT
