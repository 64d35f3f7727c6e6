"""The programs of docs/clients.md do what the page says, as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from billing.domain.tokens import Role
from local.stack import ROOT
from tests.e2e.conftest import Client

PAGE = (ROOT / "docs" / "clients.md").read_text()
NODE = shutil.which("node")
STRICT = "set -e -u -o pipefail; shopt -s inherit_errexit\n"
TIMEOUT_SECONDS = 120


def _blocks(client: str, kind: str) -> str:
    """Return what stands in the blocks of a kind under the heading of a client."""
    section = re.search(rf"(?ms)^## {client}$(.*?)(?=^## |\Z)", PAGE)
    assert section is not None
    blocks = re.findall(rf"```{kind}\n(.*?)```", section[1], re.DOTALL)
    assert blocks
    return "\n".join(blocks)


def _run(command: list[str], folder: Path, client: Client) -> str:
    """Run a program of the page with what it asks for; return what it prints."""
    tools = Path(sys.executable).parent
    told = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "API": client.base_url,
        "ORG": client.org_id,
        "TOKEN": client.token or "",
    }
    done = subprocess.run(
        command, cwd=folder, env=os.environ | told,
        capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _curl(folder: Path, client: Client) -> str:
    return _run(["bash", "-c", STRICT + _blocks("curl", "sh")], folder, client)


def _python(folder: Path, client: Client) -> str:
    (folder / "client.yaml").write_text(_blocks("Python", "yaml"))
    _run(["bash", "-c", STRICT + _blocks("Python", "sh")], folder, client)
    (folder / "story.py").write_text(_blocks("Python", "python"))
    return _run([sys.executable, "story.py"], folder, client)


def _javascript(folder: Path, client: Client) -> str:
    (folder / "story.mjs").write_text(_blocks("JavaScript", "js"))
    return _run([NODE or "node", "story.mjs"], folder, client)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(_curl, id="curl"),
        pytest.param(_python, id="python"),
        pytest.param(
            _javascript, id="javascript", marks=pytest.mark.skipif(not NODE, reason="needs Node.js")
        ),
    ],
)
def test_its_story_comes_out_as_it_must(
    program: Callable[[Path, Client], str],
    make_client: Callable[..., Client],
    tmp_path: Path,
) -> None:
    client = make_client(Role.ADMIN)

    said = program(tmp_path, client)

    def read(path: str) -> Any:
        answer = client.get(f"/v1/orgs/{client.org_id}{path}")
        assert answer.status == 200
        return answer.json

    invoice = "/accounts/100001/invoices/1"
    assert "114.95" in said
    assert [(each["kind"], each["gross"], each["status"]) for each in _documents(read)] == [
        ("CREDIT_NOTE", -114.95, "paid"),
        ("INVOICE", 114.95, "credited"),
    ]
    payments = read(f"{invoice}/payments")["payments"]
    assert [(each["amount"], "reversal" in each) for each in payments] == [
        (114.95, False),
        (114.95, True),
    ]
    assert [each["amount"] for each in read(f"{invoice}/payouts")["payouts"]] == [114.95]
    assert read("/accounts/100001/balance")["balances"] == [
        {"currency": "EUR", "unpaid": 0, "credit": 0}
    ]
    assert len(read("/subscription/s-1/movement")["movements"]) == 1
    [run] = read("/billing_runs")["billing_runs"]
    assert (run["status"], run["invoices_issued"]) == ("completed", 1)


def _documents(read: Callable[[str], Any]) -> Any:
    return read("/accounts/100001/invoices")["invoices"]
