"""
Measures cold starts, warm calls, growth and billing runs, and writes RESULTS.md.

    make bench                     everything, against a fresh local stack
    make bench BENCH="warm growth" some of it

Whatever is compared is measured in turns, in one run, on one machine; ratios are taken round by
round. Times are of this machine and say little; ratios say more.
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from benchmarks import artifacts, billing_runs, cold, growth, warm
from benchmarks.workers import Workers
from local import deploy
from local.stack import ROOT, Stack, from_environment, step

RESULTS = Path(__file__).with_name("RESULTS.md")
RUN = uuid4().hex[:8]
"""Names the orgs of this run, so that a stack can be measured twice."""
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
    began, stack = time.monotonic(), from_environment()
    settings = _point_at(stack)
    with step("bench", "the runtime, the twin, the bare handler"):
        artifacts.prepare()
    warm_rounds = _number("WARM_ROUNDS", 60)
    sections: dict[str, Callable[[Workers], str]] = {
        "cold": lambda workers: cold.measure(
            workers, RUN, _number("COLD_ROUNDS", 11), _number("EACH_FUNCTION_ROUNDS", 3)
        ),
        "warm": lambda workers: warm.measure(workers, RUN, warm_rounds),
        "growth": lambda workers: growth.measure(workers, RUN, warm_rounds, _number("LARGE", 3000)),
        "runs": lambda workers: billing_runs.measure(workers, RUN, _number("RUN_ACCOUNTS", 100)),
        "documents": lambda _: _documents(),
    }
    parts = [INTRODUCTION]
    for name in sys.argv[1:] or sections:
        with step("bench", name), Workers(settings) as workers:
            parts.append(sections[name](workers))
    parts.append(f"Taken in {(time.monotonic() - began) / 60:.0f} minutes.\n")
    text = "\n".join(parts)
    print(f"\n{text}")
    if not sys.argv[1:]:
        RESULTS.write_text(text)
    return 0


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, default))


def _documents() -> str:
    """Write the section about PDFs, from a process that has WeasyPrint."""
    path = os.pathsep.join(map(str, (ROOT, ROOT / "layers" / "billing", artifacts.WEASYPRINT)))
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.documents"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return f"## Documents\n\n```\n{told.strip()}\n```\n"


def _point_at(stack: Stack) -> dict[str, str]:
    """Name the settings that functions have, and point this process at the stack's AWS too."""
    outputs = deploy.outputs(stack).items()
    settings = {
        **stack.aws_environment(),
        "POWERTOOLS_SERVICE_NAME": "billing",
        "TWIN_TABLE": f"twin-{RUN}",
        **{re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): value for name, value in outputs},
    }
    os.environ.update(settings)
    return settings


if __name__ == "__main__":
    sys.exit(main())
