"""
Samples of requests in curl, Python and JavaScript, for the OpenAPI document.

Each is a whole program that sends the first example of its operation. It takes the address of the
API and a token from the environment, as docs/start.md sets them.
"""

import json
import re
import shlex
from dataclasses import dataclass
from mimetypes import guess_extension
from typing import Any, Self

type Json = dict[str, Any]

JSON = "application/json"
SAID = ("content-type", "ranged-data")
"""Headers that requests need besides the token; clients add the rest themselves."""
WORDS = {"true": "True", "false": "False", "null": "None"}
"""What JSON and Python write differently."""


def samples(event: Json, answers: Json) -> list[Json]:
    """Return the samples of an operation: of an event, and the answers that the operation has."""
    request = _Request.of(event, answers)
    return [
        {"lang": "shell", "label": "curl", "source": _curl(request)},
        {"lang": "python", "label": "Python", "source": _python(request)},
        {"lang": "javascript", "label": "JavaScript", "source": _javascript(request)},
    ]


@dataclass(frozen=True)
class _Request:
    """What a sample sends: JSON, a file or nothing; and gets: JSON, a file or nothing."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any
    sent_file: str
    got_file: str
    gets_json: bool

    @classmethod
    def of(cls, event: Json, answers: Json) -> Self:
        headers = {name: event["headers"][name] for name in SAID if name in event["headers"]}
        kind = headers.get("content-type", JSON)
        [success] = [status for status in answers if status.startswith("2")]
        kinds = list(answers[success].get("content", {}))
        gets_json = JSON in kinds
        query = event["rawQueryString"]
        return cls(
            event["requestContext"]["http"]["method"],
            event["rawPath"] + (f"?{query}" if query else ""),
            headers,
            json.loads(event["body"]) if kind == JSON and "body" in event else None,
            "" if kind == JSON else f"logo{guess_extension(kind)}",
            f"answer{guess_extension(kinds[0])}" if kinds and not gets_json else "",
            gets_json,
        )

    @property
    def is_v3(self) -> bool:
        """Whether the token has a header of its own, as v3 is published; else it is a Bearer."""
        return self.target.startswith("/v3/")


def _curl(request: _Request) -> str:
    method = "" if request.method == "GET" else f"-X {request.method} "
    header = "PRIVATE-TOKEN: " if request.is_v3 else "Authorization: Bearer "
    parts = [
        f'curl -sS --fail-with-body {method}"$API{request.target}"',
        f'-H "{header}$TOKEN"',
        *(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items()),
    ]
    if request.body is not None:
        parts.append(f"-d {shlex.quote(_json(request.body, 2))}")
    if request.sent_file:
        parts.append(f"--data-binary @{request.sent_file}")
    if request.got_file:
        parts.append(f"-o {request.got_file}")
    return " \\\n  ".join(parts)


def _python(request: _Request) -> str:
    token = '"PRIVATE-TOKEN": TOKEN' if request.is_v3 else '"Authorization": f"Bearer {TOKEN}"'
    headers = [
        token,
        *(
            f"{json.dumps(name)}: {json.dumps(value)}"
            for name, value in request.headers.items()
            if request.body is None or name != "content-type"  # which `json=` sets
        ),
    ]
    sends = []
    if request.body is not None:
        sends.append(f"    json={_indented(_in_python(request.body), 4)},")
    if request.sent_file:
        sends.append(f'    data=Path("{request.sent_file}").read_bytes(),')
    gets = []
    if request.gets_json:
        gets.append("print(answer.json())")
    if request.got_file:
        gets.append(f'Path("{request.got_file}").write_bytes(answer.content)')
    return _lines(
        "import os",
        *(["from pathlib import Path"] if request.sent_file or request.got_file else []),
        "",
        "import requests",
        "",
        'API, TOKEN = os.environ["API"], os.environ["TOKEN"]',
        "",
        f"answer = requests.{request.method.lower()}(",
        f'    f"{{API}}{request.target}",',
        f"    headers={{{', '.join(headers)}}},",
        *sends,
        "    timeout=30,",
        ")",
        "answer.raise_for_status()",
        *gets,
    )


def _javascript(request: _Request) -> str:
    token = '"PRIVATE-TOKEN": TOKEN' if request.is_v3 else '"Authorization": `Bearer ${TOKEN}`'
    headers = [
        token,
        *(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in request.headers.items()),
    ]
    needs, sends, gets = [], [], []
    if request.method != "GET":
        sends.append(f'  method: "{request.method}",')
    sends.append(f"  headers: {{ {', '.join(headers)} }},")
    if request.body is not None:
        sends.append(f"  body: JSON.stringify({_indented(_json(request.body, 2), 2)}),")
    if request.sent_file:
        needs = ['import { readFile } from "node:fs/promises"', ""]
        sends.append(f'  body: await readFile("{request.sent_file}"),')
    if request.gets_json:
        gets.append("console.log(await answer.json())")
    if request.got_file:
        needs = ['import { writeFile } from "node:fs/promises"', ""]
        gets.append(
            f'await writeFile("{request.got_file}", Buffer.from(await answer.arrayBuffer()))'
        )
    return _lines(
        *needs,
        "const { API, TOKEN } = process.env",
        f"const answer = await fetch(`${{API}}{request.target}`, {{",
        *sends,
        "})",
        "if (!answer.ok) throw new Error(await answer.text())",
        *gets,
    )


def _json(value: Any, indent: int) -> str:
    """Write a value as JSON, which JavaScript reads too."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def _in_python(value: Any) -> str:
    """Write a value as Python does: as JSON, but for three words, where they are no strings."""
    tokens = re.compile(r'"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b')
    return tokens.sub(lambda token: WORDS.get(token[0], token[0]), _json(value, 4))


def _indented(text: str, spaces: int) -> str:
    """Indent all lines but the first."""
    return text.replace("\n", "\n" + " " * spaces)


def _lines(*lines: str) -> str:
    return "\n".join(lines)
