"""Example events: read for a function of the running stack, and called in this process."""

import difflib
import importlib
import json
import os
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from local import deploy, emulator
from local.stack import ROOT, Stack, StackError

NOTHING_RUNS = "No stack runs: `make start` first"
SECONDS = 3600
"""How long a function may take that is called here: somebody may be at a debugger."""


class Context:
    """What Lambda tells a function about its invocation."""

    function_name = "local"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:local"

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        return SECONDS * 1000


def call(stack: Stack, name: str) -> int:
    """
    Call a function on an event in this process, where `breakpoint()` stops, and print its answer.

    It has the settings of the deployed function and the rights of the caller. An error of the
    handler is raised as it is.
    """
    if not emulator.is_running(stack):
        raise StackError(NOTHING_RUNS)
    event = json.loads(read(stack, name))
    folder = max(
        (path.name for path in (ROOT / "functions").iterdir() if name.startswith(f"{path.name}_")),
        key=len,
    )
    function = "".join(word.capitalize() for word in folder.split("_")) + "Function"
    os.environ.update(deploy.settings(stack)[function] | stack.aws_environment())
    sys.path.insert(0, str(ROOT / "layers" / "billing"))
    answer = importlib.import_module(f"functions.{folder}.app").lambda_handler(event, Context())
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


def read(stack: Stack, name: str) -> str:
    """Read an event; the token in it, an example, becomes one of the running stack."""
    folder = ROOT / "events"
    one_of(name, sorted(path.stem for path in folder.glob("*.json")), "event")
    event = json.loads((folder / f"{name}.json").read_text())
    if "private-token" in event.get("headers", {}):
        if not stack.file.exists():
            raise StackError(NOTHING_RUNS)
        facts = json.loads(stack.file.read_text())
        of_account = event["rawPath"].startswith("/v3/")
        token = facts["accounts"]["100001"] if of_account else facts["admin_token"]
        event["headers"]["private-token"] = token
    return json.dumps(event)


def one_of(name: str, known: Sequence[str], what: str) -> None:
    """Raise StackError where there is no such name, with the one that may be meant."""
    if name in known:
        return
    bare = name.rsplit("/", 1)[-1].removesuffix(".json")
    near = [bare] if bare in known else difflib.get_close_matches(bare, known, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise StackError(f"There is no {what} {name!r}. {hint}Choose one of {', '.join(known)}")


def is_failure(answer: str) -> bool:
    """Return whether what a container printed last is the error of a handler."""
    try:
        said: Any = json.loads(answer.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return True
    return isinstance(said, dict) and "errorType" in said
