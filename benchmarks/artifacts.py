"""What is measured: the built functions, the twin and the bare handler, and what they run on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from local import deploy
from local.stack import ROOT

HERE = Path(__file__).parent
WORK = ROOT / ".local" / "bench"
PYTHON = WORK / "runtime" / "bin" / "python"
"""A Python with what Lambda's own has: boto3 and the runtime client, compiled."""
WEASYPRINT = WORK / "weasyprint"
LAYER = ROOT / "layers" / "billing" / "billing"
NO_BYTE_CODE = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Artifact:
    """A function as it is built: where a Lambda process finds its modules, and the first one."""

    name: str
    folders: tuple[Path, ...]
    module: str = "app"

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
    folder = out / logical_id
    [app] = [*folder.glob("app.py"), *folder.glob("functions/*/app.py")]
    module = ".".join(app.relative_to(folder).with_suffix("").parts)
    return Artifact(logical_id, (folder, out / "BillingLayer" / "python"), module)


def functions() -> list[str]:
    return sorted(path.name for path in (deploy.BUILD / "out").glob("*Function"))


def prepare() -> None:
    """Make the runtime, the twin and the bare handler anew."""
    shutil.rmtree(WORK, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(PYTHON.parent.parent))
    _install(HERE / "requirements.txt", "--python", str(PYTHON))
    for name in ("twin", "bare"):
        shutil.copytree(HERE / name, WORK / name / name, ignore=NO_BYTE_CODE)
    _install(HERE / "twin" / "requirements.txt", "--target", str(WORK / "twin"))
    for part in ("domain", "dialects", "einvoice", "persistence", "adapters"):
        # Not the layer's __init__, which holds a lever of ours.
        shutil.copytree(LAYER / part, WORK / "twin" / "billing" / part, ignore=NO_BYTE_CODE)
    shutil.copytree(WORK / "twin", WORK / "twin as sources")
    _install(HERE / "requirements-documents.txt", "--target", str(WEASYPRINT))
    for name in ("runtime", "twin", "bare"):
        _compile(WORK / name)


def twin() -> Artifact:
    """The twin of the invoices' function."""
    return Artifact("twin", (WORK / "twin",), "twin.app")


def twin_of_refunds() -> Artifact:
    return Artifact("twin of refunds", (WORK / "twin",), "twin.refunds")


def twin_as_sources() -> Artifact:
    """The twin without byte code, as `sam build` leaves a function that asks for nothing more."""
    return replace(twin(), name="twin, without byte code", folders=(WORK / "twin as sources",))


def without_byte_code(artifact: Artifact) -> Artifact:
    """Copy an artifact without what the build compiled."""
    folders = []
    for number, folder in enumerate(artifact.folders):
        copy = WORK / "sources" / artifact.name / str(number)
        shutil.copytree(folder, copy, ignore=NO_BYTE_CODE)
        folders.append(copy)
    return replace(artifact, name=f"{artifact.name}, without byte code", folders=tuple(folders))


def bare() -> Artifact:
    return Artifact("bare", (WORK / "bare",), "bare.app")


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
