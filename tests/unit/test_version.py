"""One version number, and pyproject.toml owns it."""

import json
import re
import tomllib

from billing.domain.verifactu import SYSTEM_VERSION
from local.stack import ROOT
from tools import openapi


def test_the_changelog_and_the_openapi_document_have_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    released = re.search(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", _changelog(), flags=re.MULTILINE)

    assert released, "CHANGELOG.md has no entry of a version"
    assert released[1] == version
    assert json.loads(openapi.FILE.read_text())["info"]["version"] == version
    assert version == SYSTEM_VERSION


def test_what_is_not_released_stands_above_the_newest_version() -> None:
    headings = re.findall(r"^## \[(.*?)\]", _changelog(), flags=re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert headings.count("Unreleased") == 1


def _changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text()
