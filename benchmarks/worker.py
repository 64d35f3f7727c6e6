"""
Calls one function again and again, as a warm Lambda process does, and measures each call.

It runs with what the function was built with and with no more: see workers.py. Requests and
answers are lines of JSON. Of a call it tells the processor's time, botocore's part of that, the
wall clock's time, and what was asked of AWS.
"""

import importlib
import json
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.client

CONTEXT = SimpleNamespace(
    function_name="function",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:function",
    aws_request_id="00000000-0000-0000-0000-000000000000",
    get_remaining_time_in_millis=lambda: 20_000,
)


calls: list[str] = []
"""What was asked of AWS since the list was cleared."""
spent: list[int] = []
"""The nanoseconds that botocore took for each of them."""


def watch() -> None:
    """Watch all that goes through botocore."""
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def watched(client: Any, operation: str, *arguments: Any) -> Any:
        began = time.process_time_ns()
        try:
            return call(client, operation, *arguments)
        finally:
            spent.append(time.process_time_ns() - began)
            calls.append(operation)

    botocore.client.BaseClient._make_api_call = watched  # type: ignore[attr-defined]


def peak_megabytes() -> float:
    """Return the most memory so far; what getrusage knows is as much as the parent had."""
    status = Path("/proc/self/status").read_text()
    [kilobytes] = re.findall(r"VmHWM:\s+([0-9]+) kB", status)
    return int(kilobytes) / 1024


def main() -> None:
    watch()
    handler = importlib.import_module(sys.argv[1]).lambda_handler
    for line in sys.stdin:
        event = json.loads(line)
        calls.clear()
        spent.clear()
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        answer = handler(event, CONTEXT)
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        measured = {"cpu": cpu / 1e6, "botocore": sum(spent) / 1e6, "wall": wall / 1e6}
        measured["memory"] = peak_megabytes()
        print(json.dumps({**measured, "calls": calls, "answer": answer}), flush=True)


if __name__ == "__main__":
    main()
