"""Warm processes: one for each function that is measured, spoken to line by line."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.artifacts import PYTHON, Artifact, function

type Json = dict[str, Any]

WARM_UP = 5
"""Calls that do not count, before those that do."""


@dataclass(frozen=True)
class Call:
    """
    One call: milliseconds of the processor, of that botocore's, and of the clock; items that
    DynamoDB read.
    """

    cpu: float
    botocore: float
    wall: float
    read: int
    calls: list[str]
    answer: Json

    @property
    def json(self) -> Any:
        return json.loads(self.answer["body"])

    @property
    def requests(self) -> str:
        """Name what was asked of AWS."""
        counted = Counter(self.calls).items()
        return " + ".join(f"{times} {name}" for name, times in counted) or "none"


class Worker:
    """A warm process of one function."""

    def __init__(self, artifact: Artifact, settings: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            # -P: the worker finds the artifact, not what lies beside itself.
            [str(PYTHON), "-P", str(Path(__file__).with_name("worker.py")), artifact.module],
            env=artifact.environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, event: Json, expect: int = 200) -> Call:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            message = json.loads(line)
            if "answer" in message:  # else it is a line of the function's log
                call = Call(**message)
                if call.answer.get("statusCode", 200) != expect:
                    raise RuntimeError(f"{event.get('routeKey')} answered {call.answer}")
                return call
        raise RuntimeError("The process of a function ended")

    def peak_megabytes(self) -> float:
        """Return the most memory so far; what getrusage knows is as much as the parent had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+([0-9]+) kB", status)[0]) / 1024


class Workers(ExitStack):
    """Processes that are started when first asked for, and end together."""

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__()
        self.settings, self.started = settings, dict[str | Artifact, Worker]()

    def of(self, what: str | Artifact) -> Worker:
        """Return the process of a function, or of the twin."""
        if what not in self.started:
            artifact = function(f"{what}Function") if isinstance(what, str) else what
            self.started[what] = started = Worker(artifact, self.settings)
            self.callback(started.process.wait)
            self.callback(started.process.kill)
        return self.started[what]


def called_in_turns(
    pairs: Sequence[tuple[Worker, Iterator[Json]]], rounds: int, expect: int = 200
) -> list[list[Call]]:
    """Call workers in turns, each with the next of its events."""

    def step(call: Worker, events: Iterator[Json]) -> Call:
        return call(next(events), expect)

    return figures.in_turns([partial(step, *each) for each in pairs], rounds, warm_up=WARM_UP)
