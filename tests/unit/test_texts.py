"""The table of texts is complete, and the PDF asks for nothing that is not in it."""

import re
from typing import get_args

import pytest

from billing.domain.parties import Language
from billing.domain.texts import _TEXTS, texts
from functions.documents.pdf.render import TEMPLATE


@pytest.mark.parametrize("name", _TEXTS)
def test_every_text_is_there_in_every_language(name: str) -> None:
    row = _TEXTS[name]

    assert set(row) == set(get_args(Language))
    assert all(text.strip() for text in row.values())


def test_the_pdf_shows_only_texts_of_the_table() -> None:
    used = set(re.findall(r"words\.([a-z_-]+)", TEMPLATE.read_text()))

    assert len(used) > 30
    assert used <= set(texts("en"))
