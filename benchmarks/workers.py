"""Warm processes: one for each function that is measured, spoken to line by line."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.artifacts import PYTHON, Artifact

type Json = dict[str, Any]

WARM_UP = 5


@dataclass(frozen=True)
class Call:
    """One call: milliseconds of the processor, of that botocore's, and of the clock; megabytes."""

    cpu: float
    botocore: float
    wall: float
    calls: list[str]
    memory: float
    answer: Json

    @property
    def status(self) -> int:
        return int(self.answer.get("statusCode", 200))

    @property
    def json(self) -> Any:
        return json.loads(self.answer["body"])


class Worker:
    """A warm process of one function."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, event: Json, expect: int = 200) -> Call:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        while line := self._process.stdout.readline():
            message = json.loads(line)
            if "answer" in message:  # else it is a line of the function's log
                call = Call(**message)
                if call.status != expect:
                    raise RuntimeError(f"{event.get('routeKey')} answered {call.answer}")
                return call
        raise RuntimeError("The process of a function ended")


@contextmanager
def worker(artifact: Artifact, settings: Mapping[str, str]) -> Iterator[Worker]:
    process = subprocess.Popen(
        # -P: the worker finds the artifact, not what lies beside itself.
        [str(PYTHON), "-P", str(Path(__file__).with_name("worker.py")), artifact.module],
        env=artifact.environment(settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.wait()


def in_turns(
    pairs: Sequence[tuple[Worker, Iterator[Json]]], rounds: int, expect: int = 200
) -> list[list[Call]]:
    """Call workers in turns, each with the next of its events; a few calls first do not count."""
    calls: list[list[Call]] = [[] for _ in pairs]
    for number in range(WARM_UP + rounds):
        for place, (call, events) in enumerate(pairs):
            made = call(next(events), expect)
            if number >= WARM_UP:
                calls[place].append(made)
    return calls
