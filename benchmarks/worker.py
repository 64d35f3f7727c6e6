"""
Calls one function again and again, as a warm Lambda process does, and measures each call.

It runs with what the function was built with and with no more: see workers.py. Requests and
answers are lines of JSON. Of a call it tells the processor's time, botocore's part of that, the
wall clock's time, and what was asked of AWS.
"""

import importlib
import json
import sys
import time
from typing import Any

from awslambdaric.lambda_context import LambdaContext
from botocore.client import BaseClient

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:function"
IN_A_CENTURY = 5 * 10**12
CONTEXT = LambdaContext("request", None, None, IN_A_CENTURY, ARN)
asked: list[tuple[str, int]] = []
"""What was asked of AWS in a call, and the nanoseconds that botocore took for it."""


def watch() -> None:
    """Watch all that goes through botocore."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def watched(client: Any, operation: str, *arguments: Any) -> Any:
        began = time.process_time_ns()
        try:
            return call(client, operation, *arguments)
        finally:
            asked.append((operation, time.process_time_ns() - began))

    BaseClient._make_api_call = watched  # type: ignore[attr-defined]


def main() -> None:
    watch()
    handler = importlib.import_module(sys.argv[1]).lambda_handler
    for line in sys.stdin:
        event = json.loads(line)
        asked.clear()
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        answer = handler(event, CONTEXT)
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        spent = sum(nanoseconds for _, nanoseconds in asked)
        measured = {"cpu": cpu / 1e6, "botocore": spent / 1e6, "wall": wall / 1e6}
        calls = [operation for operation, _ in asked]
        print(json.dumps({**measured, "calls": calls, "answer": answer}), flush=True)


if __name__ == "__main__":
    main()
