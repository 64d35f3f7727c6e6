"""The README tells the truth: its commands are run as they stand there."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from billing_cli.__main__ import cli
from local.stack import ROOT

README = (ROOT / "README.md").read_text()
TIMEOUT_SECONDS = 120

SHELL = r"""
set -e -u -o pipefail
[ -z "${BASH_VERSION:-}" ] || shopt -s inherit_errexit
TELL='%{stderr}answered %{http_code} %{url_effective}\n'
curl() { command curl --silent --show-error "$@" --write-out "$TELL"; }
make() { command make --directory "$REPOSITORY" "$@"; }
"""
"""What stands before the README's commands: each call tells its status, files go elsewhere."""


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_its_story_runs_as_it_is_written(stack: dict[str, Any], tmp_path: Path, shell: str) -> None:
    """It runs twice on one stack, and in the shell of macOS the second time where that is there."""
    program = shutil.which(shell) or "bash"
    [tested] = re.findall(r"<!-- test: begin -->(.*?)<!-- test: end -->", README, re.DOTALL)
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", tested, re.DOTALL))
    said = {
        "API": stack["base_url"],
        "ADMIN": stack["admin_token"],
        "VERIFACTU": stack["verifactu"]["admin_token"],
    }
    for name, value in said.items():
        commands, found = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", commands)
        assert found == 1, name
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}

    session = subprocess.run(
        [program, "-c", SHELL + commands],
        cwd=tmp_path,
        env={**inherited, "REPOSITORY": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )

    statuses = re.findall(r"(?m)^answered ([0-9]+)", session.stderr)
    assert session.returncode == 0, session.stderr
    assert len(statuses) >= len(re.findall(r"(?m)(?:^|\$\()(?:api|curl) ", commands))
    assert {status[0] for status in statuses} == {"2"}, session.stderr + session.stdout
    assert '"remaining": 0' in session.stdout
    assert re.search(r'evt_[0-9a-f]{32} {.*"type":"invoice.paid"}\n', session.stdout)
    assert '"kind": "CREDIT_NOTE"' in session.stdout
    assert '"type":"invoice.issued"' in session.stdout
    assert '"state":"accepted"' in session.stdout
    assert "certificate  there" in session.stdout
    assert "VATEX-EU-AE" in session.stdout
    assert "Reverse charge (art. 196, Directive 2006/112/EC)" in session.stdout
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_make_knows_every_target_it_names(target: str) -> None:
    targets = re.findall(r"(?m)^([a-z ]+):(?!=)", (ROOT / "Makefile").read_text())

    assert target in " ".join(targets).split()


@pytest.mark.parametrize("command", re.findall(r"-m cli (.+)|make billing ARGS='(.+)'", README))
def test_the_command_line_knows_what_it_is_given(command: tuple[str, str]) -> None:
    arguments = shlex.split("".join(command))

    assert CliRunner().invoke(cli, [*arguments, "--help"]).exit_code == 0
