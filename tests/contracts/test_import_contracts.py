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
    """An import that a contract forbids, in a new module."""

    contract: str
    folder: str
    line: str

    def __str__(self) -> str:
        return f"{self.line} in {self.folder}"


ENGINES = [
    Planted(ENGINE, f"functions/{path.parent.name}", "import typst")
    for path in sorted(ROOT.glob("functions/*/app.py"))
    if path.parent.name != "documents"
]
PLANTED = [
    Planted(INWARDS, f"{LAYER}/api", "import functions.refunds.app"),
    Planted(INWARDS, f"{LAYER}/services", "import billing.api.errors"),
    Planted(INWARDS, f"{LAYER}/services", "import billing.persistence.refunds"),
    Planted(INWARDS, f"{LAYER}/dialects", "import billing.persistence.refunds"),
    Planted(INWARDS, f"{LAYER}/persistence", "import billing.dialects.v1.common"),
    Planted(INWARDS, f"{LAYER}/persistence", "import billing.adapters.documents"),
    Planted(INWARDS, f"{LAYER}/adapters", "import billing.persistence.refunds"),
    Planted(INWARDS, f"{LAYER}/einvoice", "import billing.services.audit"),
    Planted(INWARDS, f"{LAYER}/domain", "import billing.clock"),
    Planted(DIALECTS, f"{LAYER}/dialects/v1", "import billing.dialects.v3.invoices"),
    Planted(DIALECTS, f"{LAYER}/dialects/v2", "import billing.dialects.v1.common"),
    Planted(DIALECTS, f"{LAYER}/dialects/v3", "import billing.dialects.v2"),
    Planted(DIALECTS, f"{LAYER}/dialects", "import billing.dialects.v3.invoices"),
    Planted(RULES, f"{LAYER}/domain", "import boto3"),
    Planted(RULES, f"{LAYER}/domain", "import pydantic"),
    Planted(ENGINE, LAYER, "import segno"),
    ENGINES[0],
    Planted(ENGINE, "functions/refunds", "import typst"),
    Planted(TRACING, "functions/documents", "import aws_xray_sdk"),
    Planted(TRACING, LAYER, "import opentelemetry"),
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


def test_every_contract_is_kept(copy: Path) -> None:
    assert _broken(copy) == []


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_contract_goes_red_where_an_import_breaks_it(copy: Path, planted: Planted) -> None:
    file = copy / planted.folder / "planted.py"
    file.write_text(f"{planted.line}\n")

    broken = _broken(copy)

    file.unlink()
    assert broken == [planted.contract]


def test_no_function_but_documents_may_carry_the_pdf_engine(copy: Path) -> None:
    files = [copy / each.folder / "planted.py" for each in ENGINES]
    for file in files:
        file.write_text("import typst\n")

    report = _report(copy)

    for file in files:
        file.unlink()
    named = set(re.findall(r"functions\.(\w+)\.planted -> typst", report))
    assert named == {each.folder.removeprefix("functions/") for each in ENGINES}


def test_every_contract_has_an_import_that_breaks_it() -> None:
    assert {each["name"] for each in CONTRACTS} == {each.contract for each in PLANTED}


def _broken(folder: Path) -> list[str]:
    return re.findall(r"^(.+?) BROKEN\b", _report(folder), re.MULTILINE)


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
