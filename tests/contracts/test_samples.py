"""The samples of the OpenAPI document: each, as it stands, sends the example of its operation."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools import openapi

ENVIRONMENT = {"API": "https://api.example.com", "TOKEN": "bil_sample"}
LANGUAGES = ["curl", "Python", "JavaScript"]
FILE = "<svg/>"

NODE = """
const { promises: files } = await import("node:fs")
const sent = {}
for (const name of process.argv.slice(2)) {
  globalThis.fetch = async (url, { method = "GET", headers, body }) => {
    sent[name] = { url, method, headers, body: body?.toString() }
    return { ok: true, json: async () => ({}), arrayBuffer: async () => new ArrayBuffer(1) }
  }
  console.log = () => {}
  await import(process.cwd() + "/" + name)
}
await files.writeFile("sent.json", JSON.stringify(sent))
"""
"""Runs each sample with a `fetch` that writes down what it is given."""

type Sent = dict[str, Any]


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    document = json.loads(openapi.FILE.read_text())
    return {each["operationId"]: each for _, _, each in openapi.operations(document)}


@pytest.fixture(scope="module")
def expected() -> dict[str, Sent]:
    """Return what the first event of each operation sends."""
    document = json.loads(openapi.FILE.read_text())
    events = openapi.events()
    found = {}
    for path, method, operation in openapi.operations(document):
        name = events[f"{method.upper()} {path}"][0]
        event = json.loads((openapi.EVENTS / f"{name}.json").read_text())
        query = event["rawQueryString"]
        token = ENVIRONMENT["TOKEN"]
        headers = {
            **({"private-token": token} if path.startswith("/v3/") else {}),
            **({} if path.startswith("/v3/") else {"authorization": f"Bearer {token}"}),
            **{
                each: event["headers"][each]
                for each in ("content-type", "ranged-data")
                if each in event["headers"]
            },
        }
        body = FILE if event["isBase64Encoded"] else json.loads(event.get("body") or "null")
        found[operation["operationId"]] = {
            "method": method.upper(),
            "url": ENVIRONMENT["API"] + event["rawPath"] + (f"?{query}" if query else ""),
            "headers": headers,
            "body": body,
        }
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with the file that some samples send."""
    (tmp_path / "logo.svg").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_every_operation_has_one_in_each_language(operations: dict[str, Any]) -> None:
    languages = {
        name: [each["label"] for each in operation.get("x-codeSamples", [])]
        for name, operation in operations.items()
    }

    assert languages == dict.fromkeys(operations, LANGUAGES)


def test_curl_sends_the_example(
    operations: dict[str, Any], expected: dict[str, Sent], folder: Path
) -> None:
    record = r"""curl() { printf '%s\037' "$@"; printf '\036'; }"""
    script = "\n".join(
        ["set -eu", record, *(_source(each, "curl") for each in operations.values())]
    )
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)

    calls = ran.stdout.split("\036")[:-1]
    sent = [_of_curl(call.split("\037")[:-1]) for call in calls]
    assert dict(zip(operations, sent, strict=True)) == expected


def test_python_sends_the_example(
    operations: dict[str, Any],
    expected: dict[str, Sent],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: dict[str, Sent] = {}
    for name, operation in operations.items():
        (folder / "sample.py").write_text(_source(operation, "Python"))
        monkeypatch.setitem(sys.modules, "requests", _Requests())
        runpy.run_path("sample.py")
        [sent[name]] = sys.modules["requests"].sent

    assert sent == expected


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
def test_javascript_sends_the_example(
    operations: dict[str, Any], expected: dict[str, Sent], folder: Path
) -> None:
    (folder / "run.mjs").write_text(NODE)
    for name, operation in operations.items():
        (folder / f"{name}.mjs").write_text(_source(operation, "JavaScript"))
    ran = subprocess.run(
        ["node", "run.mjs", *(f"{name}.mjs" for name in operations)],
        capture_output=True, text=True, check=False, env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr

    read = json.loads((folder / "sent.json").read_text())
    sent = {name: _read(**read[f"{name}.mjs"]) for name in operations}
    assert sent == expected


class _Requests:
    """Stands in for `requests`: writes down what it is given."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def __getattr__(self, method: str) -> Any:
        def call(
            url: str, *, headers: Any, timeout: int, json: Any = None, data: Any = None
        ) -> Any:
            headers = headers | ({} if json is None else {"content-type": "application/json"})
            sent = _read(url, method.upper(), headers, None)
            self.sent.append({**sent, "body": data.decode() if data else json})
            return SimpleNamespace(raise_for_status=lambda: None, json=dict, content=b"%PDF")

        return call


def _source(operation: Any, label: str) -> str:
    [sample] = [each for each in operation["x-codeSamples"] if each["label"] == label]
    return str(sample["source"])


def _of_curl(arguments: list[str]) -> Sent:
    """Read the arguments of curl."""
    method, headers, body, url = "", {}, None, ""
    rest = iter(arguments)
    for each in rest:
        match each:
            case "-sS" | "--fail-with-body":
                pass
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d":
                body = next(rest)
            case "--data-binary":
                body = Path(next(rest).removeprefix("@")).read_text()
            case "-o":
                assert next(rest).startswith("answer.")
            case _:
                url = each
    return _read(url, method or "GET", headers, body)


def _read(url: str, method: str, headers: dict[str, str], body: str | None = None) -> Sent:
    lower = {name.lower(): value for name, value in headers.items()}
    if body is not None and lower.get("content-type") == "application/json":
        return {"method": method, "url": url, "headers": lower, "body": json.loads(body)}
    return {"method": method, "url": url, "headers": lower, "body": body}
