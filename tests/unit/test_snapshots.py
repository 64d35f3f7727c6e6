"""Functions that start from a snapshot have their client in it, and do not share what is random."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace

import pytest

from billing import aws, snapshots
from billing.api.app import BillingApp
from local.stack import ROOT


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Stand in for the module that Lambda has, and collect what is registered."""
    hooks: list[Callable[[], None]] = []
    module = SimpleNamespace(register_after_restore=hooks.append)
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
    monkeypatch.setenv("AWS_REGION", "eu-south-2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-2")
    monkeypatch.setattr(snapshots, "dynamodb", cache(aws.dynamodb.__wrapped__))
    return hooks


def test_a_snapshot_holds_the_client(
    hooks: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")

    BillingApp()

    assert vars(snapshots)["dynamodb"].cache_info().currsize == 1


def test_two_that_start_from_a_snapshot_pause_differently(
    hooks: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    snapshots.prepare()
    snapshot = random.getstate()

    drawn = []
    for _ in range(2):
        random.setstate(snapshot)
        for hook in hooks:
            hook()
        drawn.append(random.random())

    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(
    ("how", "is_built"),
    [
        pytest.param("snap-start", True, id="in the snapshot"),
        pytest.param("on-demand", False, id="when a route first needs them"),
    ],
)
def test_dtos_are_built(how: str, is_built: bool) -> None:
    built = subprocess.run(
        [
            sys.executable,
            "-c",
            "from billing.dialects import v3\nprint(v3.Failure.__pydantic_complete__)",
        ],
        cwd=ROOT / "layers" / "billing",
        env={**os.environ, "AWS_LAMBDA_INITIALIZATION_TYPE": how},
        capture_output=True,
        text=True,
        check=True,
    )

    assert built.stdout == f"{is_built}\n"


def test_without_snapshots_nothing_is_made_at_import(hooks: list[Callable[[], None]]) -> None:
    BillingApp()

    assert hooks == []
    assert vars(snapshots)["dynamodb"].cache_info().currsize == 0
