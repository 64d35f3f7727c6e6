"""What the functions log, as lines for people: one for each request, and what went wrong."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError

from local import deploy
from local.stack import Stack

_STANDARD = {
    *("timestamp", "level", "message", "location", "service", "correlation_id", "cold_start"),
    *("function_name", "function_memory_size", "function_arn", "function_request_id"),
    *("xray_trace_id", "org_id", "token_id"),
}
"""What every line has, and nobody wants to read on each."""


class Log:
    """The log of a stack's functions, read on from where the last reading ended."""

    def __init__(self, stack: Stack, since: float) -> None:
        self._cloudwatch = deploy.client(stack, "logs")
        self._group = deploy.physical_id(stack, "LogGroup")
        self._since = int(since * 1000)
        self._seen: set[tuple[str, int, str]] = set()

    def lines(self) -> Iterator[str]:
        """Read what was logged since the last time; lines that tell nothing are left out."""
        pages = self._cloudwatch.get_paginator("filter_log_events")
        try:
            read = list(pages.paginate(logGroupName=self._group, startTime=self._since))
        except BotoCoreError:  # the emulator is being stopped: it does not answer any more
            return
        found = []
        for event in (event for page in read for event in page["events"]):
            key = (event["logStreamName"], event["timestamp"], event["message"])
            if key not in self._seen:
                self._seen.add(key)
                found.append((event["timestamp"], event["message"]))
        if found:
            self._since = max(moment for moment, _ in found)
            self._seen = {key for key in self._seen if key[1] == self._since}
        for moment, message in sorted(found, key=lambda each: each[0]):
            line = to_line(moment, message)
            if line:
                yield line


def to_line(moment: int, message: str) -> str | None:
    """Write an event of the log as a line; None for what Lambda says of each call."""
    at = datetime.fromtimestamp(moment / 1000, UTC).astimezone().strftime("%H:%M:%S")
    try:
        logged: dict[str, Any] = json.loads(message)
        said = logged["message"]
    except (ValueError, KeyError, TypeError):
        noise = message.startswith(("START ", "END ", "REPORT ", "INIT_START "))
        return None if noise or not message.strip() else f"  {at}  {message.rstrip()}"
    if said == "request":
        # A route begins with the method where it is not $default.
        method, path = logged["method"], logged["route"].split(" ")[-1]
        words = [
            f"{method:<6} {path}",
            str(logged["status"]),
            f"{logged['ms']} ms",
            logged["trace_id"],
            logged.get("code", ""),
        ]
        return f"  {at}  {'  '.join(words).rstrip()}"
    more = " ".join(f"{name}={value}" for name, value in logged.items() if name not in _STANDARD)
    return f"  {at}  {logged['level']:<6} {said}  {more}".rstrip()
