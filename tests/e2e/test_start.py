"""The requests of docs/start.md lead to an invoice and its PDF, as they stand there."""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Callable

from billing.domain.tokens import Role
from local.stack import ROOT
from tests.e2e.conftest import Client

PAGE = (ROOT / "docs" / "start.md").read_text()


def test_its_requests_lead_to_a_pdf(make_client: Callable[..., Client]) -> None:
    client = make_client(Role.ADMIN)
    script = "\n".join(["set -eu", *re.findall(r"(?s)```sh\n(.*?)```", PAGE)])
    told = {"API": client.base_url, "ORG": client.org_id, "TOKEN": client.token or ""}

    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | told,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    created, invoice, link = re.findall(r"\{.*?\}(?=\{\"|\Z)", done.stdout.replace("\n", ""))
    assert json.loads(created) == {"id": "1"}
    assert json.loads(invoice)["gross"] == 121
    with urllib.request.urlopen(json.loads(link)["url"]) as answer:
        assert answer.read(5) == b"%PDF-"
