"""`make call`: a function in this process, on the tables of the running stack."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from local.stack import ROOT

type Call = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def call(stack: dict[str, Any]) -> Call:
    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "local", "call", name]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    return run


def test_answers_as_the_deployed_function_does(call: Call) -> None:
    called = call("billing_run_get")

    assert called.returncode == 0, called.stderr
    answer = json.loads(called.stdout[called.stdout.index("{\n") :])
    assert answer["statusCode"] == 404


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("invoices_lst", "Did you mean invoices_list?"),
        ("events/invoices_get.json", "invoices_get?"),
    ],
)
def test_says_which_event_may_be_meant(call: Call, name: str, hint: str) -> None:
    failed = call(name)

    assert failed.returncode == 1
    assert f"There is no event {name!r}. " in failed.stderr
    assert hint in failed.stderr
