"""Seeds the local stack, by the project's own command line."""

import hashlib
import json
import os
import subprocess
import sys
from typing import Any

from local import certificates
from local.stack import ROOT, Stack, StackError

type Json = dict[str, Any]


def version() -> str:
    """Return a hash of the seed: data seeded by another version is seeded again."""
    return hashlib.sha256((ROOT / "cli" / "billing_cli" / "demo.py").read_bytes()).hexdigest()


def run(stack: Stack, known: Json | None) -> Json:
    """Create the tokens, unless known before, and the data; return the content of stack.json."""
    asked = ["seed", "--url", stack.base_url, *(["--known", "-"] if known else [])]
    facts: Json = json.loads(_billing(stack, asked, json.dumps(known)))
    fiscal = facts["verifactu"]
    certificate = certificates.of_taxpayer(stack.tax_agency, fiscal["tax_id"], fiscal["legal_name"])
    _billing(stack, ["verifactu", "certificate", "--org", fiscal["org_id"], "-"], certificate)
    return facts


def _billing(stack: Stack, arguments: list[str], content: str) -> str:
    """Run the command line, and return what it printed."""
    path = f"{ROOT / 'layers' / 'billing'}:{ROOT / 'cli'}"
    done = subprocess.run(
        [sys.executable, "-m", "billing_cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **stack.aws_environment(), "PYTHONPATH": path},
        input=content,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"Seeding failed:\n{done.stderr}")
    return done.stdout
