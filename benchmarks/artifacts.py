"""What is measured: the built functions, the twin and the bare handler, and what they run on."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from local import deploy
from local.stack import ROOT

WORK = ROOT / ".local" / "bench"
"""With four environments that `make bench` sets up, and copies of what is measured."""
PYTHON = WORK / "runtime" / "bin" / "python"
"""A Python with what Lambda's own has: boto3 and the runtime client."""
CODE, SOURCES = WORK / "code", WORK / "sources"
PACKAGES = Path("lib", "python3.13", "site-packages")
LOCUST = WORK / "load" / "bin" / "locust"
WEASYPRINT = WORK / "weasyprint" / PACKAGES
SIMPY = WORK / "model" / PACKAGES
NO_BYTE_CODE = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True)
class Artifact:
    """A function as it is built: where a Lambda process finds its modules, and the first one."""

    name: str
    folders: tuple[Path, ...]
    module: str

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
        copies = [SOURCES / self.name / str(n) for n, _ in enumerate(self.folders)]
        for folder, copy in zip(self.folders, copies, strict=True):
            shutil.copytree(folder, copy, ignore=NO_BYTE_CODE)
        return replace(self, name=f"{self.name}, without byte code", folders=tuple(copies))


BARE = Artifact("bare", (CODE,), "twin.bare")
TWIN = Artifact("twin", (CODE, WORK / "twin" / PACKAGES), "twin.app")
TWIN_OF_REFUNDS = replace(TWIN, module="twin.refunds")
TWIN_SEED = replace(TWIN, module="twin.seed")


def function(logical_id: str) -> Artifact:
    """Find a function of the template, as `sam build` left it."""
    out = deploy.BUILD / "out"
    folder = out / logical_id
    [app] = [*folder.glob("app.py"), *folder.glob("functions/*/app.py")]
    module = ".".join(app.relative_to(folder).with_suffix("").parts)
    return Artifact(logical_id, (folder, out / "BillingLayer" / "python"), module)


def prepare() -> None:
    """Copy the twin and the bare handler, and compile all that is not compiled when it is built."""
    for folder in (CODE, SOURCES):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(__file__).parent / "twin" / "twin", CODE / "twin", ignore=NO_BYTE_CODE)
    # Some packages carry files for other Pythons, which do not compile: that is all right.
    compiled = [str(PYTHON), *"-m compileall -q -f -j 0 --invalidation-mode unchecked-hash".split()]
    folders = [CODE, *(WORK / name / PACKAGES for name in ("runtime", "twin"))]
    subprocess.run([*compiled, *map(str, folders)], check=False, stdout=subprocess.DEVNULL)
