"""
Cold starts: from the start of Lambda's runtime client to the first answer.

The emulator of Lambda's runtime interface that sam carries starts the process with the first
request, so that the time of this request is the whole start: interpreter, runtime client, imports,
clients, one call of AWS. Its own figure of the initialisation tells nothing.
"""

import json
import os
import platform
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import samcli

from benchmarks.artifacts import PYTHON, WORK, Artifact
from local.emulator import free_port

PATH = "/2015-03-31/functions/function/invocations"
TIMEOUT_SECONDS = 60
PARTS = {
    "runtime client": "import awslambdaric.bootstrap",
    "botocore": "import botocore.session",
    "its client": "botocore.session.get_session().create_client('dynamodb')",
    "pydantic": "import pydantic.main, pydantic.fields, pydantic.types, pydantic.json_schema",
    "Powertools": "import aws_lambda_powertools.event_handler.middlewares.openapi_validation",
    "our domain": "import billing.domain.invoices, billing.domain.tokens",
    "our DTOs": "from billing.dialects import registry; import billing.dialects.v1.invoices",
    "all else of ours": "import app",
}
"""What a start of the invoices function consists of, in the order in which it is measured."""


@dataclass(frozen=True)
class Start:
    """One cold start: milliseconds of the processor and of the clock, and what was answered."""

    cpu: float
    wall: float
    answer: Any


def in_turns(
    artifacts: Sequence[tuple[Artifact, Any]],
    settings: Mapping[str, str],
    rounds: int,
    *,
    page_cache: bool = True,
) -> list[list[Start]]:
    """Start each artifact with its event, one after the other, again and again."""
    starts: list[list[Start]] = [[] for _ in artifacts]
    for number in range(1 + rounds):
        for place, (artifact, event) in enumerate(artifacts):
            if not page_cache:
                _forget_files(artifact)
            made = start(artifact, settings, event)
            if number:  # the first filled the page cache
                starts[place].append(made)
    return starts


def profile(artifact: Artifact, settings: Mapping[str, str], rounds: int) -> dict[str, list[float]]:
    """Tell what the parts of a start cost: milliseconds of the processor, one after the other."""
    found: dict[str, list[float]] = {part: [] for part in PARTS}
    script = Path(__file__).with_name("parts.py")
    for _ in range(rounds):
        told = subprocess.run(
            [str(PYTHON), str(script), *PARTS.values()],
            env=artifact.environment(settings),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for part, milliseconds in zip(PARTS, told.split(), strict=True):
            found[part].append(float(milliseconds))
    return found


def start(artifact: Artifact, settings: Mapping[str, str], event: Any) -> Start:
    """Start a process with its first request, and end it."""
    address = f"127.0.0.1:{free_port()}"
    emulator = subprocess.Popen(
        [
            str(_runtime_interface_emulator()),
            "--runtime-interface-emulator-address", address,
            "--runtime-api-address", f"127.0.0.1:{free_port()}",
            str(PYTHON), "-m", "awslambdaric", f"{artifact.module}.lambda_handler",
        ],
        cwd=artifact.folders[0],
        env=artifact.environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        request = urllib.request.Request(f"http://{address}{PATH}", data=json.dumps(event).encode())
        _wait_for(address)
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            answer = json.load(response)
        wall = (time.perf_counter() - began) * 1e3
        cpu = sum(_cpu(child) for child in _children(emulator.pid))
    finally:
        emulator.kill()
        emulator.wait()
    if answer and ("errorMessage" in answer or answer.get("statusCode", 200) >= 500):
        raise RuntimeError(f"{artifact.name} failed: {answer}")
    return Start(cpu, wall, answer)


def _runtime_interface_emulator() -> Path:
    sam = Path(samcli.__file__).parent
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    binary = sam / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    copy = WORK / binary.name
    if not copy.exists():
        copy.write_bytes(binary.read_bytes())
        copy.chmod(0o755)
    return copy


def _wait_for(address: str) -> None:
    host, port = address.split(":")
    for _ in range(500):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("The emulator of the runtime interface does not answer")


def _children(pid: int) -> list[int]:
    """Find the processes below one, however deep."""
    found = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [*found, *(deeper for child in found for deeper in _children(child))]


def _cpu(pid: int) -> float:
    """Tell how many milliseconds of the processor all threads of a process had."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def _forget_files(artifact: Artifact) -> None:
    """Have the kernel drop the pages of all that is loaded: the artifact, and the runtime."""
    runtime = [file for file in PYTHON.parent.parent.rglob("*") if file.is_file()]
    for file in [*artifact.files(), *runtime]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
