"""The table of texts is complete."""

from typing import get_args

import pytest

from billing.domain.texts import _TEXTS, Language


@pytest.mark.parametrize("name", _TEXTS)
def test_every_text_is_there_in_every_language(name: str) -> None:
    row = _TEXTS[name]

    assert set(row) == set(get_args(Language))
    assert all(text.strip() for text in row.values())
