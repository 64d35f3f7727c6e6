"""Documents are printed with the letters of their texts; what no font has is refused before."""

import hashlib
import json
import random
import re
import subprocess
import sys
import unicodedata
from itertools import batched
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]
import pytest

from billing.domain.invoices import IssuedInvoice
from billing.domain.letters import EVERYDAY, check_printable, is_printable
from billing.presentation.text import shown
from functions.documents.pdf.families import INTER, families, files
from functions.documents.pdf.render import inputs, render
from tests.sample_invoices import (
    BUYER,
    KYOTO,
    LETTERS,
    SEOUL,
    SHANGHAI,
    TAIPEI,
    TWELVE_LINES,
    invoice,
    line,
)
from tools.letters import FILE, cmap, coverage, module

REPO = Path(__file__).parents[2]
FONTS = coverage()
ANY_FONT = frozenset[int]().union(*FONTS.values())
NO_LETTERS = r"[\s\u200b-\u200f\u202a-\u202e\u2066-\u2069]"


def copied(pdf: bytes) -> str:
    """Return the text of a PDF as a reader would copy it, without spaces and directions."""
    document = pypdfium2.PdfDocument(pdf)
    return re.sub(
        NO_LETTERS, "", "".join(page.get_textpage().get_text_range() for page in document)
    )


# What is printed


@pytest.mark.parametrize("sample", LETTERS.values(), ids=LETTERS)
def test_a_document_is_printed_with_its_letters(sample: IssuedInvoice) -> None:
    buyer = sample.buyer
    texts = [buyer.name, buyer.company_name, buyer.address.street, buyer.address.city]
    texts += [sample.description, *(each.description for each in sample.lines)]
    words = {re.sub(NO_LETTERS, "", each) for text in texts for each in _words(text or "")}

    text = copied(render(sample))

    assert len(words) > 10
    assert {word for word in words if word not in text} == set()
    assert "□" not in text


def _words(text: str) -> list[str]:
    """Divide a text into words; one that carries two marks on a letter is copied twice by some."""
    return re.findall(r"[^\s(),:、（）]+", text)


def test_each_country_has_its_shapes_of_the_same_characters() -> None:
    fonts = {
        buyer.country: re.findall(rb"/FontName/[A-Z]{6}\+NotoSans(\w\w)", render(sample))
        for buyer in (KYOTO, SHANGHAI, TAIPEI, SEOUL)
        for sample in [invoice(line("直角骨"), buyer=buyer)]
    }

    assert {country: set(found) for country, found in fonts.items()} == {
        "JP": {b"JP"},
        "CN": {b"SC"},
        "TW": {b"TC"},
        "KR": {b"KR"},
    }
    assert families("ES", "JP")[-4:] == [f"Noto Sans {each}" for each in ("JP", "SC", "TC", "KR")]


def test_a_document_with_everyday_letters_loads_the_first_font_alone() -> None:
    script = (
        "import sys; from billing.presentation import text;"
        "from functions.documents.pdf import render;"
        "from tests.sample_invoices import TWELVE_LINES;"
        "render.render(TWELVE_LINES);"
        "print(render._compiler.cache_info().currsize, 'billing.domain.glyphs' in sys.modules)"
    )

    assert json.loads(inputs(TWELVE_LINES)["fonts"]) == [INTER]
    assert _in_another_process(script) == "1 False"


def test_is_the_same_bytes_in_another_process_whatever_was_made_before() -> None:
    here = [hashlib.sha256(render(each)).hexdigest() for each in LETTERS.values()]
    script = (
        "import hashlib; from functions.documents.pdf.render import render;"
        "from tests.sample_invoices import LETTERS;"
        "print([hashlib.sha256(render(each)).hexdigest() for each in reversed(LETTERS.values())])"
    )

    assert _in_another_process(script) == str(here[::-1])


def _in_another_process(script: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPO,
        env={"PYTHONPATH": ".:layers/billing:cli", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        check=True,
        capture_output=True,
        text=True,
    )
    return ran.stdout.strip()


def test_a_field_from_right_to_left_moves_nothing_around_it() -> None:
    pdf = render(invoice(line("מושב", order_id="PO-7"), buyer=BUYER, description="אבג 8765"))

    page = pypdfium2.PdfDocument(pdf)[0].get_textpage()
    text = page.get_text_range()
    assert "PO-7" in text
    for name, before, after in (("Pedido", "Pedido", "PO-7"), ("note", "8765", "אבג")):
        left, right = (_left(page, text.index(each)) for each in (before, after))
        assert left < right, name


def _left(page: pypdfium2.PdfTextPage, index: int) -> float:
    left: float = page.get_charbox(index)[0]
    return left


# What is accepted


def test_the_table_is_what_the_fonts_have() -> None:
    source = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "-"],
        cwd=REPO, input=module(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert source == FILE.read_text(), "run `python -m tools.letters`"


def test_the_first_font_has_all_everyday_letters() -> None:
    everyday = {code for code in range(0x30000) if EVERYDAY.fullmatch(chr(code))}

    assert len(everyday) > 500
    assert everyday <= FONTS[INTER]


def test_every_weight_of_a_family_has_the_same_letters() -> None:
    for family, paths in files().items():
        sizes = {len(set(cmap(path.read_bytes()))) for path in paths}
        assert len(sizes) == 1, family


SCRIPTS = {
    "LATIN": 1150,
    "GREEK": 340,
    "CYRILLIC": 300,
    "HEBREW": 70,
    "ARABIC": 700,
    "THAI": 50,
    "ARMENIAN": 70,
    "GEORGIAN": 120,
    "HIRAGANA": 80,
    "KATAKANA": 80,
    "HANGUL SYLLABLE": 11_172,
    "CJK UNIFIED": 27_500,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_fonts_have_the_letters_of_a_script(script: str) -> None:
    letters = {code for code in ANY_FONT if unicodedata.name(chr(code), "").startswith(script)}

    assert len(letters) >= SCRIPTS[script]


def test_whatever_is_accepted_can_be_printed() -> None:
    """Also with marks of other scripts, selectors and joiners, in any order and company."""
    choice = random.Random(7)
    marks = [code for code in ANY_FONT if unicodedata.category(chr(code))[0] == "M"]
    small = sorted(ANY_FONT - FONTS["Han and Hangul"])
    odd = [0x20, 0xA0, 0xAD, 0x200B, 0x200C, 0x200D, 0x202E, 0x2067, 0xFE0F, 0xE0100]
    codes = small + choice.sample(sorted(FONTS["Han and Hangul"]), 2000) + marks * 20 + odd * 50
    choice.shuffle(codes)
    texts = [
        unicodedata.normalize("NFC", "".join(map(chr, some)))
        for some in batched(codes, 3, strict=False)
    ]
    accepted = [text for text in texts if _is_accepted(text)]

    rendered = render(
        invoice(
            *(
                line("|".join(some), remarks=" ".join(some), period=None)
                for some in batched(accepted, 25, strict=False)
            )
        )
    )

    assert len(accepted) > 2500
    assert not any("□" in shown(text) for text in accepted if "□" not in text)
    assert pypdfium2.PdfDocument(rendered)


def _is_accepted(text: str) -> bool:
    try:
        return check_printable(text) == text
    except ValueError:
        return False


def test_any_character_of_an_older_document_is_printed_or_replaced() -> None:
    choice = random.Random(7)
    codes = [choice.randrange(0x110000) for _ in range(3000)]
    texts = ["".join(map(chr, some)) for some in batched(codes, 90, strict=False)]

    assert "□" in copied(render(invoice(*(line(text, remarks=text[::-1]) for text in texts))))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("Plan 🚀", r"'🚀' \(U\+1F680\)", id="no font has it"),
        pytest.param("a ক", r"\(U\+0995\)", id="a script without a font"),
        pytest.param("x\u05b0", r"\(U\+0078 U\+05B0\)", id="no font has it with its mark"),
        pytest.param("\ue000", r"\(U\+E000\)", id="private use, whatever a font draws there"),
    ],
)
def test_what_no_font_has_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_printable(text)


@pytest.mark.parametrize(
    "text",
    ["שָׁלוֹם", "مُحَمَّد", "ที่", "Ẹ̀kọ́", "辻\U000e0100", "a\xadb\u200bc\u202ed", "م\u200cن", "한", "が"],
)
def test_marks_and_what_is_not_seen_are_accepted(text: str) -> None:
    assert is_printable("é")
    assert check_printable(unicodedata.normalize("NFC", text))
