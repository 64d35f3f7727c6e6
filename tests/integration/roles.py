"""
What functions ask of AWS, held against what their roles allow: tests/roles.yaml.

Tests call functions with rights to everything. So each call that a function makes on the way is
looked up in the list that template.yaml is held to, and fails the test where it is not in there.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import yaml

from local.stack import ROOT
from tests import template

type Json = dict[str, Any]

ALLOWED: dict[str, dict[str, list[str]]] = {
    role: {where: what.split() for where, what in grants.items()}
    for role, grants in yaml.safe_load((ROOT / "tests" / "roles.yaml").read_text()).items()
}
ROLES = {folder: role for role, folder in template.functions().items()}

_calling: ContextVar[str | None] = ContextVar("calling", default=None)
"""The function that calls, for the threads that it starts."""
used: set[tuple[str, str, str]] = set()
"""Role, resource and action of all calls so far."""
_tests = count(1)


def note(folder: Path) -> None:
    """Write down which calls there were in this process, and in how many tests: one more now."""
    ran = next(_tests)
    file = folder / f"roles-{os.getpid()}.json"
    file.with_suffix(".new").write_text(json.dumps({"ran": ran, "used": sorted(used)}))
    file.with_suffix(".new").replace(file)


def noted(folder: Path, ran: int) -> set[tuple[str, str, str]]:
    """Wait until so many tests ran, in all processes; return which calls there were."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        notes = [json.loads(file.read_text()) for file in folder.glob("roles-*.json")]
        if sum(each["ran"] for each in notes) >= ran:
            return {tuple(call) for each in notes for call in each["used"]}
        time.sleep(0.2)
    pytest.fail(f"{ran} tests did not end in time")


def check(params: Json, model: Any, **_: Any) -> None:
    """Look a call of a client up, just before it is made; register it for all that clients do."""
    function = _function(sys._getframe(1))
    if function is None:
        return
    role = ROLES[function]
    for action, resource in _needed(model.service_model.service_name, model.name, params):
        # What a role may do with all objects of a bucket, it may do with some of them.
        wider = re.sub(r"/logos/\*$", "/*", resource)
        matching = [
            (role, where, each)
            for where in {resource, wider}
            for each in ALLOWED[role].get(where, [])
            if fnmatchcase(action, each)
        ]
        if not matching:
            pytest.fail(f"{role} may not {action} {resource}")
        used.update(matching)


def _function(frame: FrameType | None) -> str | None:
    """Tell which function calls, unless a test does."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if match := re.fullmatch(r"functions\.(\w+)\.app", module):
            _calling.set(match[1])
            return match[1]
        if module.startswith("tests."):
            _calling.set(None)
            return None
        frame = frame.f_back
    return _calling.get()


def _needed(service: str, operation: str, params: Json) -> Iterator[tuple[str, str]]:
    """Tell what actions an operation takes, on which resources of the template."""
    if operation == "TransactWriteItems":
        for write in params["TransactItems"]:
            [(kind, item)] = write.items()
            action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield f"dynamodb:{action}", _resource(item["TableName"])
    elif operation == "BatchGetItem":
        for table in params["RequestItems"]:
            yield "dynamodb:BatchGetItem", _resource(table)
    elif service == "dynamodb":
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        yield f"dynamodb:{operation}", _resource(params["TableName"]) + index
    elif service == "s3":
        action = operation.replace("Head", "Get")
        folder = "logos/" if params.get("Key", "").startswith("logos/") else ""
        kind = ".xml" if action == "PutObject" and params["Key"].endswith(".xml") else ""
        yield f"s3:{action}", f"{_resource(params['Bucket'])}/{folder}*{kind}"
    elif service == "sqs":
        yield f"sqs:{operation.removesuffix('Batch')}", _resource(params["QueueUrl"])
    elif service == "events":
        for bus in {each["EventBusName"] for each in params["Entries"]}:
            yield f"events:{operation}", _resource(bus)
    elif service == "sesv2":  # of raw mails
        for action in ("ses:SendEmail", "ses:SendRawEmail"):
            yield action, "identity/*"
            yield action, "configuration-set/mail"
    elif service == "secretsmanager":
        folder, slash, _ = params["SecretId"].rpartition("/")
        secret = f"{_resource(folder + slash)}/*" if slash else _resource(params["SecretId"])
        yield f"secretsmanager:{operation}", secret
    else:
        yield f"lambda:{operation}Function", _resource(params["FunctionName"])


def _resource(value: str) -> str:
    """Find the resource by the setting that has its name."""
    [setting] = [name for name in os.environ if os.environ[name] == value and "_" in name]
    return "".join(part.capitalize() for part in setting.split("_"))
