"""
Calls one function again and again, as a warm Lambda process does, and measures each call.

It runs with what the function was built with and with no more: see workers.py. Requests and
answers are lines of JSON. Of a call it tells the processor's time, botocore's part of that, the
wall clock's time, what was asked of AWS, and how many items DynamoDB read for it.
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
asked: list[tuple[str, int, int]] = []
"""What was asked of AWS in a call, the nanoseconds that botocore took, the items that were read."""


def watch() -> None:
    """Watch all that goes through botocore."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def watched(client: Any, operation: str, *arguments: Any) -> Any:
        began, answer = time.process_time_ns(), dict[str, Any]()
        try:
            answer = call(client, operation, *arguments)
            return answer
        finally:
            asked.append((operation, time.process_time_ns() - began, _items_read(answer)))

    BaseClient._make_api_call = watched  # type: ignore[attr-defined]


def _items_read(answer: dict[str, Any]) -> int:
    """Count what DynamoDB read: with a filter, also what it did not return."""
    found = [len(items) for items in answer.get("Responses", {}).values()]
    return int(answer.get("ScannedCount", sum(found) + ("Item" in answer)))


def main() -> None:
    watch()
    handler = importlib.import_module(sys.argv[1]).lambda_handler
    for line in sys.stdin:
        event = json.loads(line)
        asked.clear()
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        answer = handler(event, CONTEXT)
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        spent, read = sum(took for _, took, _ in asked), sum(read for *_, read in asked)
        measured = {"cpu": cpu / 1e6, "botocore": spent / 1e6, "wall": wall / 1e6, "read": read}
        calls = [operation for operation, *_ in asked]
        print(json.dumps({**measured, "calls": calls, "answer": answer}), flush=True)


if __name__ == "__main__":
    main()
