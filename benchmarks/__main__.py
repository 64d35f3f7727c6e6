"""
Measures cold starts, warm calls, growth and billing runs, and writes RESULTS.md.

    make bench BENCH="warm growth"    some of it; without BENCH, everything, on a fresh local stack
"""

import csv
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from benchmarks import artifacts, billing_runs, cold, fiscal, growth, warm
from benchmarks.figures import how_many, table
from benchmarks.workers import Workers
from local import deploy
from local.stack import ROOT, from_environment, step

RESULTS = Path(__file__).with_name("RESULTS.md")
RUN = uuid4().hex[:8]
"""Names the orgs of this run, so that a stack can be measured twice."""
_BOOKS = "The books, afterwards:"
"""What load.py writes before what it found."""
INTRODUCTION = f"""# Results

Written by `make bench`. Medians, quartiles in brackets; ratios are taken round by round, of what
was measured in turns. The twin (`benchmarks/twin`) is FastAPI, Mangum and boto3's resource on a
table of its own, with the same answers to the same requests on as much data; AWS is the local
emulator, at the other end of loopback. CPU is that of the function's process alone. The twin counts
before it reads a page, as we do but for the first page, which we read in one request: start 25
compares the same requests.

Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} \
processors.
"""


def main() -> int:
    began, settings = time.monotonic(), _settings()
    os.environ |= settings
    with step("bench", "the twin, the bare handler"):
        artifacts.prepare()
    parts = [INTRODUCTION]
    for name in sys.argv[1:] or SECTIONS:
        with step("bench", name), Workers(dict(settings)) as workers:
            parts.append(SECTIONS[name](workers, RUN))
    parts.append(f"Taken in {(time.monotonic() - began) / 60:.0f} minutes.\n")
    text = "\n".join(parts)
    print(f"\n{text}")
    if not sys.argv[1:]:
        RESULTS.write_text(text)
    return 0


def _elsewhere(module: str, packages: Path) -> Callable[..., str]:
    """Have a section written by a process that has other packages too."""

    def write(*_: object) -> str:
        path = os.pathsep.join(map(str, (ROOT, ROOT / "layers" / "billing", packages)))
        return subprocess.run(
            [sys.executable, "-m", module],
            env={**os.environ, "PYTHONPATH": path, "POWERTOOLS_LOG_LEVEL": "CRITICAL"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    return write


def _load(*_: object) -> str:
    """Write the section about a telecom's day over HTTP: see load.py."""
    seconds, users = how_many("LOAD_SECONDS", 120), how_many("LOAD_USERS", 8)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(artifacts.LOCUST), "--headless", "--only-summary",
            "--locustfile", "benchmarks/load.py", "--users", str(users), "--spawn-rate", "4",
            "--run-time", f"{seconds}s", "--csv", f"{folder}/load",
        ]  # fmt: skip
        said = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        ).stdout
        with Path(folder, "load_stats.csv").open() as file:
            rows = [
                [
                    each["Name"],
                    each["Request Count"],
                    each["Failure Count"],
                    f"{float(each['Requests/s']):.1f}",
                    f"{float(each['Median Response Time']):,.0f} ms",
                    f"{float(each['95%']):,.0f} ms",
                ]
                for each in csv.DictReader(file)
            ]
    whole = table(["", "requests", "errors", "a second", "median", "95%"], rows)
    return (
        f"## A telecom's day over HTTP\n\n{users} clients at once for {seconds} s, each with "
        f"pauses of 0.05 to 0.3 s, through the whole stack on this machine.\n\n{whole}\n"
        f"{said[said.index(_BOOKS) + len(_BOOKS) :].strip()}\n"
    )


def _settings() -> dict[str, str]:
    """Name the settings that functions have, which point this process at the stack's AWS too."""
    stack = from_environment()
    outputs = deploy.outputs(stack).items()
    return {
        **stack.aws_environment(),
        "POWERTOOLS_SERVICE_NAME": "billing",
        "TWIN_TABLE": f"twin-{RUN}",
        **{re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): value for name, value in outputs},
    }


SECTIONS: dict[str, Callable[[Workers, str], str]] = {
    "cold": cold.measure,
    "warm": warm.measure,
    "growth": growth.measure,
    "runs": billing_runs.measure,
    "fiscal": fiscal.measure,
    "model": _elsewhere("benchmarks.million", artifacts.SIMPY),
    "documents": _elsewhere("benchmarks.documents", artifacts.WEASYPRINT),
    "load": _load,
}


if __name__ == "__main__":
    sys.exit(main())
