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

    def without_byte_code(self) -> "Artifact":
        """Copy an artifact as stock `sam build` leaves it."""
        folders = []
        for number, folder in enumerate(self.folders):
            folders.append(WORK / "sources" / self.name / str(number))
            shutil.copytree(folder, folders[-1], ignore=NO_BYTE_CODE, dirs_exist_ok=True)
        return replace(self, name=f"{self.name}, without byte code", folders=tuple(folders))


BARE = Artifact("bare", (WORK / "bare",), "bare.app")
TWIN = Artifact("twin", (WORK / "twin",), "twin.app")
TWIN_OF_REFUNDS = replace(TWIN, module="twin.refunds")
TWIN_SEED = replace(TWIN, module="twin.seed")


def function(logical_id: str) -> Artifact:
    """Find a function of the template, as `sam build` left it."""
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
    shutil.copytree(HERE / "bare", WORK / "bare" / "bare", ignore=NO_BYTE_CODE)
    shutil.copytree(HERE / "twin" / "twin", WORK / "twin" / "twin", ignore=NO_BYTE_CODE)
    _install(HERE / "twin" / "requirements.txt", "--target", str(WORK / "twin"))
    _install(HERE / "requirements-documents.txt", "--target", str(WEASYPRINT))
    for name in ("runtime", "twin", "bare"):
        # Some packages carry files for other Pythons, which do not compile: that is all right.
        compiled = ("-m", "compileall", "-q", "-f", "-j", "0", "--invalidation-mode")
        command = [str(PYTHON), *compiled, "unchecked-hash", str(WORK / name)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


def _install(requirements: Path, *where: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    try:
        _run(str(uv), "pip", "install", "--quiet", "--no-config", *where, "-r", str(requirements))
    except (OSError, subprocess.CalledProcessError):
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-compile"]
        options = where if where[0] == "--target" else ()
        _run(*pip, *options, "--requirement", str(requirements))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
