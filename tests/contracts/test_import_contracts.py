"""Each import contract of pyproject.toml goes red where an import breaks it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.stack import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
LAYER = "layers/billing/billing"
INWARDS = "Imports point inwards"
DIALECTS = "Dialects do not know each other"
RULES = "The rules need the standard library only"
ENGINE = "Only documents carries a PDF engine"
TRACING = "Nobody carries a tracing SDK"


@dataclass(frozen=True)
class Planted:
    """An import that a contract forbids, in a new module of a folder."""

    contract: str
    folder: str
    imported: str

    def __str__(self) -> str:
        return f"{self.module} -> {self.imported}"

    @property
    def module(self) -> str:
        place = PLANTED.index(self)
        return f"{self.folder.removeprefix('layers/billing/')}/planted_{place}".replace("/", ".")


PLANTED = [
    Planted(INWARDS, f"{LAYER}/api", "functions.refunds.app"),
    Planted(INWARDS, f"{LAYER}/services", "billing.api.errors"),
    Planted(INWARDS, f"{LAYER}/services", "billing.persistence.refunds"),
    Planted(INWARDS, f"{LAYER}/dialects", "billing.persistence.refunds"),
    Planted(INWARDS, f"{LAYER}/persistence", "billing.dialects.v1.common"),
    Planted(INWARDS, f"{LAYER}/persistence", "billing.adapters.documents"),
    Planted(INWARDS, f"{LAYER}/adapters", "billing.persistence.refunds"),
    Planted(INWARDS, f"{LAYER}/einvoice", "billing.services.audit"),
    Planted(INWARDS, f"{LAYER}/domain", "billing.clock"),
    Planted(DIALECTS, f"{LAYER}/dialects/v1", "billing.dialects.v3.invoices"),
    Planted(DIALECTS, f"{LAYER}/dialects/v2", "billing.dialects.v1.common"),
    Planted(DIALECTS, f"{LAYER}/dialects/v3", "billing.dialects.v2"),
    Planted(DIALECTS, f"{LAYER}/dialects", "billing.dialects.v3.invoices"),
    Planted(RULES, f"{LAYER}/domain", "boto3"),
    Planted(RULES, f"{LAYER}/domain", "pydantic"),
    Planted(ENGINE, LAYER, "segno"),
    *(
        Planted(ENGINE, f"functions/{path.parent.name}", "typst")
        for path in sorted(ROOT.glob("functions/*/app.py"))
        if path.parent.name != "documents"
    ),
    Planted(TRACING, "functions/documents", "aws_xray_sdk"),
    Planted(TRACING, LAYER, "opentelemetry"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the contracts are about."""
    folder = tmp_path_factory.mktemp("imports")
    for name in ("functions", LAYER):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def broken(copy: Path) -> dict[str, str]:
    """Plant all imports, which no other module imports; read what is said of each contract."""
    files = [copy / each.folder / f"planted_{n}.py" for n, each in enumerate(PLANTED)]
    for file, planted in zip(files, PLANTED, strict=True):
        file.write_text(f"import {planted.imported}\n")
    _, *sections = re.split(
        r"^(.+)\n-+\n\n", _report(copy).partition("Broken contracts")[2], flags=re.M
    )
    for file in files:
        file.unlink()
    return dict(zip(sections[::2], sections[1::2], strict=True))


def test_every_contract_is_kept(copy: Path) -> None:
    assert " BROKEN" not in _report(copy)


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_contract_goes_red_where_an_import_breaks_it(
    broken: dict[str, str], planted: Planted
) -> None:
    assert [name for name, said in broken.items() if str(planted) in said] == [planted.contract]


def test_every_contract_has_an_import_that_breaks_it() -> None:
    assert {each["name"] for each in CONTRACTS} == {each.contract for each in PLANTED}


def _report(folder: Path) -> str:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    path = os.pathsep.join((str(folder), str(folder / "layers" / "billing")))
    run = subprocess.run(
        [lint_imports, "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in run.stdout, run.stdout + run.stderr
    return run.stdout
