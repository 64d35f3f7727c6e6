"""
The stack that integration and e2e tests run against.

`make test` starts a fresh one and says where by STACK_FILE; without that, the one that
`make start` left running is used: `make start && pytest tests/e2e`.
"""

import json
import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local import deploy
from local.stack import from_environment


@pytest.fixture(scope="session")
def stack() -> dict[str, Any]:
    """Read what runs: base_url, org_id, tokens and accounts, as in stack.json."""
    file = Path(os.environ.get("STACK_FILE") or from_environment().file)
    if not file.exists():
        pytest.fail("No stack runs: `make start` first, or run everything by `make test`")
    facts: dict[str, Any] = json.loads(file.read_text())
    return facts


@pytest.fixture(scope="session")
def aws(stack: dict[str, Any]) -> None:
    """Point this process at the stack's AWS, with the settings that its functions have."""
    local = from_environment()
    os.environ.update(local.aws_environment())
    os.environ["POWERTOOLS_SERVICE_NAME"] = "billing"
    for output, value in deploy.outputs(local).items():
        os.environ[re.sub(r"(?<!^)(?=[A-Z])", "_", output).upper()] = value


@pytest.fixture
def org_id() -> str:
    """Name an org that nobody else has."""
    return f"org-{uuid4().hex}"
