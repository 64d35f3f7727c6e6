"""What goes into the build of a function is what the function needs."""

import re
from typing import get_args

from billing.domain.parties import Language
from local.stack import ROOT


def test_the_build_keeps_the_locales_of_the_languages_there_are() -> None:
    recipe = (ROOT / "packaging" / "arm64" / "Makefile").read_text()
    kept = re.search(r"^LANGUAGES := (.*)$", recipe, flags=re.MULTILINE)

    assert kept
    assert set(kept[1].split()) == set(get_args(Language))
