"""What is measured: the built functions, the twin and the bare handler, and what they run on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local import deploy
from local.stack import ROOT

HERE = Path(__file__).parent
WORK = ROOT / ".local" / "bench"
PYTHON = WORK / "runtime" / "bin" / "python"
"""A Python with what Lambda's own has: boto3 and the runtime client, compiled."""
WEASYPRINT = WORK / "weasyprint"


@dataclass(frozen=True)
class Artifact:
    """A function as it is built: the folders that a Lambda process finds its modules in."""

    name: str
    folders: tuple[Path, ...]

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {
            **settings,
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(map(str, self.folders)),
            "PYTHONDONTWRITEBYTECODE": "1",  # on Lambda the code is read-only
            "LAMBDA_TASK_ROOT": str(self.folders[0]),
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        }

    def files(self) -> list[Path]:
        return [file for folder in self.folders for file in folder.rglob("*") if file.is_file()]


def function(logical_id: str) -> Artifact:
    """Name a function of the template, as `sam build` left it."""
    out = deploy.BUILD / "out"
    return Artifact(logical_id, (out / logical_id, out / "BillingLayer" / "python"))


def functions() -> list[str]:
    return sorted(path.name for path in (deploy.BUILD / "out").glob("*Function"))


def prepare() -> None:
    """Make the runtime, the twin and the bare handler anew."""
    shutil.rmtree(WORK, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(PYTHON.parent.parent))
    _install(HERE / "requirements.txt", "--python", str(PYTHON))
    for name in ("twin", "bare"):
        target = WORK / name
        shutil.copytree(HERE / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        if (target / "requirements.txt").exists():
            _install(target / "requirements.txt", "--target", str(target))
    shutil.copytree(WORK / "twin", WORK / "twin as sources")
    _install(HERE / "requirements-documents.txt", "--target", str(WEASYPRINT))
    for name in ("runtime", "twin", "bare"):
        _compile(WORK / name)


def twin() -> Artifact:
    return Artifact("twin", (WORK / "twin",))


def twin_as_sources() -> Artifact:
    """The twin without byte code, as `sam build` leaves a function that asks for nothing more."""
    return Artifact("twin, without byte code", (WORK / "twin as sources",))


def without_byte_code(artifact: Artifact) -> Artifact:
    """Copy an artifact without what the build compiled."""
    folders = []
    for number, folder in enumerate(artifact.folders):
        copy = WORK / "sources" / artifact.name / str(number)
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        folders.append(copy)
    return Artifact(f"{artifact.name}, without byte code", tuple(folders))


def bare() -> Artifact:
    return Artifact("bare", (WORK / "bare",))


def _install(requirements: Path, *where: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    try:
        _run(str(uv), "pip", "install", "--quiet", "--no-config", *where, "-r", str(requirements))
    except (OSError, subprocess.CalledProcessError):
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-compile"]
        options = where if where[0] == "--target" else ()
        _run(*pip, *options, "--requirement", str(requirements))


def _compile(folder: Path) -> None:
    # Some packages carry files for other Pythons, which do not compile: that is all right.
    subprocess.run(
        [
            str(PYTHON), "-m", "compileall", "-q", "-f", "-j", "0",
            "--invalidation-mode", "unchecked-hash", str(folder),
        ],
        check=False,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
