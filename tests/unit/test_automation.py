"""What runs the checks without being asked: workflows, hooks, the container to work in."""

import json
import re
from typing import Any

import pytest
import yaml

from local.stack import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()


def workflow(name: str) -> dict[Any, Any]:
    return dict(yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text()))


def commands_of(of: dict[Any, Any]) -> list[str]:
    return [step["run"] for job in of["jobs"].values() for step in job["steps"] if "run" in step]


def test_every_change_runs_what_ci_runs() -> None:
    ci = workflow("ci")

    # YAML reads the key `on` as true.
    assert ci[True].keys() == {"push", "pull_request"}
    assert commands_of(ci) == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_every_night_runs_what_takes_longer() -> None:
    nightly = workflow("nightly")

    [schedule] = nightly[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    assert commands_of(nightly) == ["make nightly"]
    assert re.search(r"^nightly:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_only_and_ends(path: Any) -> None:
    loaded = workflow(path.stem)

    # A deployment asks AWS for its rights by a token that GitHub signs.
    signed = {"id-token": "write"} if path.stem == "deploy" else {}
    assert loaded["permissions"] == {"contents": "read"} | signed
    assert all(job["timeout-minutes"] <= 180 for job in loaded["jobs"].values())


def test_hooks_call_the_projects_own_tools() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())

    assert [each["repo"] for each in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        tool, target = hook["entry"].split()
        assert tool == "make"
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_the_container_has_the_python_of_the_functions() -> None:
    folder = ROOT / ".devcontainer"
    config = json.loads((folder / "devcontainer.json").read_text())
    image = (folder / config["build"]["dockerfile"]).read_text().split()[1]

    assert image == f"python:{(ROOT / '.python-version').read_text().strip()}"


def test_help_names_every_target() -> None:
    help_, _, rest = MAKEFILE.partition("\n\n")
    named = re.findall(r"\bmake (\w+)", help_)
    [phony] = re.findall(r"^\.PHONY: (.*)$", rest, re.MULTILINE)
    defined = re.findall(r"^([a-z][\w ]*):(?!=)", rest, re.MULTILINE)

    assert set(named) == set(phony.split()) == {each for line in defined for each in line.split()}
