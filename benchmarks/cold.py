"""
Cold starts: from the start of Lambda's runtime client to its first answer.

The runtime client finds the first request waiting, so that the time until its answer is the whole
start: interpreter, runtime client, imports, clients, one call of AWS.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from http.client import parse_headers
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import artifacts, likeness
from benchmarks.accounts import ACCOUNT, event, issue, seed, set_up
from benchmarks.artifacts import PYTHON, Artifact
from benchmarks.figures import how_many, in_turns, milliseconds, ratio, table
from benchmarks.workers import Json, Workers
from local import deploy
from local.stack import ROOT

TIMEOUT_SECONDS = 60
RUNTIME_HEAD = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Lambda-Runtime-Aws-Request-Id: first\r\nLambda-Runtime-Deadline-Ms: 4102444800000\r\n"
    b"Content-Length: %d\r\n\r\n"
)
FIRST_EVENTS = {"dispatch_billing_daily", "front_openapi"}
"""What is measured where a shorter name is not what the function is for."""
GOALS = {
    "of the bare handler": 1.6,
    "of the twin, compiled as ours": 0.72,
    "of the twin as stock `sam build` leaves it": 0.5,
    "of ourselves without byte code": None,
}


class Start(NamedTuple):
    """One cold start: milliseconds of the processor and of the clock, and what was answered."""

    cpu: float
    wall: float
    answer: Any


def measure(workers: Workers, run: str) -> str:
    """Write the section about cold starts."""
    org_id = f"bench-cold-{run}"
    settings = {**workers.settings, "BARE_ACCOUNT": f"account#{org_id}#{ACCOUNT}"}
    set_up(workers, org_id)
    seed(workers, org_id)
    for what in ("Invoices", artifacts.TWIN):
        issue(workers.of(what), org_id, 1)

    def started(turns: Sequence[tuple[Artifact, Json]], rounds: int) -> list[list[Start]]:
        return in_turns([partial(_start, settings, *turn) for turn in turns], rounds)

    ours, twin, bare = artifacts.function("InvoicesFunction"), artifacts.TWIN, artifacts.BARE
    get = event("invoices_get", org_id)
    all_kinds = [ours, bare, twin, twin.without_byte_code(), ours.without_byte_code()]
    starts = started([(each, get) for each in all_kinds], how_many("COLD_ROUNDS", 11))
    likeness.check("cold", starts[0][0].answer, starts[2][0].answer, org_id)
    rows = [[each.name, *_times(made)] for each, made in zip(all_kinds, starts, strict=True)]
    ratios = []
    for (name, goal), others in zip(GOALS.items(), starts[1:], strict=True):
        cpu, wall = (ratio(starts[0], others, what) for what in ("cpu", "wall"))
        ratios.append([name, cpu.text(), wall.text(), cpu.verdict(goal) if goal else ""])
    names = sorted(path.name for path in (deploy.BUILD / "out").glob("*Function"))
    each = [(artifacts.function(name), _first_event(name, org_id)) for name in names]
    rounds = how_many("EACH_FUNCTION_ROUNDS", 3)
    bares, twins, *firsts = started([(bare, get), (twin, get), *each], rounds)
    functions = [
        [name, *_times(made), *(ratio(made, others, "cpu").text() for others in (bares, twins))]
        for name, made in zip(names, firsts, strict=True)
    ]
    return f"""## Cold: from the start of the runtime client to the first answered GET of an invoice

{table(["", "CPU", "wall"], rows)}
{table(["ours as a part", "CPU", "wall", "goal"], ratios)}
Each function, with its first request:

{table(["", "CPU", "wall", "CPU, of bare", "of the twin"], functions)}"""


def _first_event(function: str, org_id: str) -> Json:
    """Choose what a function is first asked for: its GET with the shortest name, if any."""
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function.removesuffix("Function")).lower()
    names = [file.stem for file in (ROOT / "events").glob(f"{folder}_*.json")]
    names.sort(key=lambda name: (name not in FIRST_EVENTS, len(name), name))
    events = [event(name, org_id) for name in names]
    reads = [each for each in events if each.get("routeKey", "").startswith("GET")]
    return (reads or events)[0]


def _times(starts: list[Start]) -> list[str]:
    return [milliseconds(starts, what, 0) for what in ("cpu", "wall")]


def _start(settings: dict[str, str], artifact: Artifact, event: Json) -> Start:
    """Start a process with its first request, and end it."""
    command = [str(PYTHON), "-m", "awslambdaric", f"{artifact.module}.lambda_handler"]
    with socket.create_server(("127.0.0.1", 0)) as runtime, Path(os.devnull).open("w") as null:
        runtime.settimeout(TIMEOUT_SECONDS)
        address = {"AWS_LAMBDA_RUNTIME_API": "{}:{}".format(*runtime.getsockname())}
        environment = artifact.environment({**settings, **address})
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=artifact.folders[0], env=environment, stdout=null, stderr=null
        )
        try:
            _exchange(runtime, json.dumps(event).encode())
            answer = json.loads(_exchange(runtime))
            wall = time.perf_counter() - began
        finally:
            os.kill(process.pid, signal.SIGKILL)
            used = os.wait4(process.pid, 0)[2]
            process.returncode = 0  # as it was waited for
    if answer and ("errorMessage" in answer or answer.get("statusCode", 200) >= 500):
        raise RuntimeError(f"{artifact.name} failed: {answer}")
    return Start((used.ru_utime + used.ru_stime) * 1e3, wall * 1e3, answer)


def _exchange(runtime: socket.socket, body: bytes = b"") -> bytes:
    """Answer what the runtime client asks: its next request, or what to do after the last one."""
    connection, _ = runtime.accept()
    with connection, connection.makefile("rb") as asked:
        asked.readline()
        sent = asked.read(int(parse_headers(asked).get("Content-Length", 0)))
        connection.sendall(RUNTIME_HEAD % len(body) + body)
    return sent
