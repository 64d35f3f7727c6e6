"""
Cold starts: from the start of Lambda's runtime client to the first answer.

The emulator of Lambda's runtime interface that sam carries starts the process with the first
request, so that the time of this request is the whole start: interpreter, runtime client, imports,
clients, one call of AWS. Its own figure of the initialisation tells nothing.
"""

import json
import platform
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import samcli

from benchmarks import artifacts, likeness
from benchmarks.accounts import ACCOUNT, event, issue, seed, set_up
from benchmarks.artifacts import PYTHON, WORK, Artifact
from benchmarks.figures import figure, ratio, table
from benchmarks.workers import Json, Workers
from local.emulator import free_port
from local.stack import ROOT

PATH = "/2015-03-31/functions/function/invocations"
TIMEOUT_SECONDS = 60
FIRST_EVENTS = {"dispatch_billing_daily", "front_openapi"}
"""What is measured where a shorter name is not what the function is for."""
COMPARED = [
    ("of the bare handler", 2, 1.25),
    ("of the twin, compiled as ours", 1, 0.5),
    ("of the twin as stock `sam build` leaves it", 4, 0.5),
    ("of ourselves without byte code", 3, None),
]
"""What ours is compared with, by its place in the turns, and the goal."""
HEAD = ["CPU", "wall"]


@dataclass(frozen=True)
class Start:
    """One cold start: milliseconds of the processor and of the clock, and what was answered."""

    cpu: float
    wall: float
    answer: Any


def measure(workers: Workers, run: str, rounds: int, rounds_of_each: int) -> str:
    """Write the section about cold starts."""
    org_id = f"bench-cold-{run}"
    settings = {**workers.settings, "BARE_ACCOUNT": f"account#{org_id}#{ACCOUNT}"}
    set_up(workers.start("BillingInfoFunction"), org_id)
    seed(workers.start(artifacts.TWIN_SEED), org_id)
    for what in ("InvoicesFunction", artifacts.TWIN):
        issue(workers.start(what), org_id, 1)

    ours, twin, bare = artifacts.function("InvoicesFunction"), artifacts.TWIN, artifacts.BARE
    get = event("invoices_get", org_id)
    compared = [ours, twin, bare, ours.without_byte_code(), twin.without_byte_code()]
    turns = [(each, get) for each in compared]
    starts = _in_turns(turns, settings, rounds)
    likeness.check("cold", starts[0][0].answer, starts[1][0].answer, org_id)
    rows = [
        [each.name, *_milliseconds(started)] for each, started in zip(compared, starts, strict=True)
    ]
    ratios = []
    for name, place, goal in COMPARED:
        cpu, wall = (ratio(starts[0], starts[place], what) for what in ("cpu", "wall"))
        ratios.append([name, cpu.text(2), wall.text(2), cpu.verdict(goal) if goal else ""])
    names = artifacts.functions()
    each = [(artifacts.function(name), _first_event(name, org_id)) for name in names]
    *firsts, bares, twins = _in_turns([*each, (bare, get), (twin, get)], settings, rounds_of_each)
    functions = [
        [
            name,
            *_milliseconds(started),
            ratio(started, bares, "cpu").text(2),
            ratio(started, twins, "cpu").text(2),
        ]
        for name, started in zip(names, firsts, strict=True)
    ]
    return f"""## Cold: from the start of the runtime client to the first answered GET of an invoice

{table(["", *HEAD], rows)}
{table(["ours as a part", "CPU", "wall", "goal"], ratios)}
Each function, with its first request:

{table(["", *HEAD, "CPU, of bare", "of the twin"], functions)}"""


def _first_event(function: str, org_id: str) -> Json:
    """Choose what a function is first asked for: its GET with the shortest name, if any."""
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function.removesuffix("Function")).lower()
    names = [file.stem for file in (ROOT / "events").glob(f"{folder}_*.json")]
    names.sort(key=lambda name: (name not in FIRST_EVENTS, len(name), name))
    events = [event(name, org_id) for name in names]
    reads = [each for each in events if each.get("routeKey", "").startswith("GET")]
    return (reads or events)[0]


def _milliseconds(starts: list[Start]) -> list[str]:
    return [figure(starts, what).text(0, " ms") for what in ("cpu", "wall")]


def _in_turns(
    turns: Sequence[tuple[Artifact, Any]], settings: dict[str, str], rounds: int
) -> list[list[Start]]:
    """Start each artifact with its event, one after the other, again and again."""
    starts: list[list[Start]] = [[] for _ in turns]
    for number in range(1 + rounds):
        for place, (artifact, request) in enumerate(turns):
            made = _start(artifact, settings, request)
            if number:  # the first filled the page cache
                starts[place].append(made)
    return starts


def _start(artifact: Artifact, settings: dict[str, str], event: Any) -> Start:
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
    """Return the milliseconds of the processor that all threads of a process had."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6
