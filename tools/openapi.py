"""
Writes the OpenAPI document of the whole API.

    python -m tools.openapi            write functions/front/openapi.json
    python -m tools.openapi --check    fail where the file is not what the code says

Paths, parameters and schemas are what the functions declare. The examples of requests are those of
events/, the examples and headers of answers are what the functions answered to them, and failures
are worded by the same code that words them for clients.
"""

import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from types import ModuleType
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import (
    APIKey,
    APIKeyIn,
    HTTPBearer,
    SecurityScheme,
)

from billing.api.access import ALL_ACCOUNTS_SCOPE, BEARER, TOKEN
from billing.api.app import BillingApp
from billing.api.errors import render, status_of
from billing.dialects.registry import NAMES, dialect
from local.stack import ROOT
from tools.failures import EXAMPLES
from tools.pages import GUIDES
from tools.samples import samples

FILE = ROOT / "functions" / "front" / "openapi.json"
EVENTS = ROOT / "events"

type Json = dict[str, Any]

TITLE = "Billing API"
DIALECTS = "\n".join(f"- {dialect(name).description}" for name in NAMES)
GUIDE_LINKS = " · ".join(f"[{name}](/docs#/{name})" for name in GUIDES)
DESCRIPTION = f"""\
Movements and usage in, numbered invoices, refunds and credit notes out: {len(NAMES)} dialects over
one set of data.

{DIALECTS}

**Guides.** {GUIDE_LINKS}. To look at data without a program: the [console](/console).

**Access.** Every call carries a token, in the header `{TOKEN}` or as `Authorization: {BEARER}`;
if both are sent, the tokens must be the same. A token belongs to one org, may use some or all of
its accounts, and has a role. It ends, at the latest, with the token that created it.

**Idempotency.** Requests that create something take an external id, which you choose. The same
request sent again returns the first id, with the header `idempotent-replayed`; a different request
with the same external id is refused with 409, and `Location` is the path of what the first one
created. So after any failure, send the same request again: [retries](/docs#/retries).

**Texts** are printed on documents, in Latin, Greek, Cyrillic, Hebrew, Arabic, Thai, Armenian,
Georgian, Chinese, Japanese and Korean letters. A text with a character that no font of documents
has, such as an emoji, is refused with 400; external ids may have any character.

**Lists** come in pages, each at the cost of its rows: [paging](/docs#/paging).

**Failures** have the format of the path's dialect. Every answer has an id in `x-request-id`. What
each code means, and what to do: [errors](/docs#/errors).
"""
SECURITY = """\
A token: `bil_…`. Its role is what it may do, and includes the roles before it: `reader` reads,
`writer` also issues, charges, refunds and pays, `admin` also manages the org and its tokens.
"""

SCHEMES: dict[str, SecurityScheme] = {
    TOKEN: APIKey(name=TOKEN, in_=APIKeyIn.header, description=SECURITY),
    BEARER: HTTPBearer(bearerFormat="bil_…", description=SECURITY),
}

MEANINGS = {
    400: "The request could not be processed because it was malformed",
    401: "The call carries no token, or one that is unknown, expired or revoked",
    403: "The user does not have permission to access that resource",
    404: "The specified resource was not found",
    409: "The state of the resource forbids it",
    410: "What is asked for was erased, for ever",
    412: "`If-Match` does not name the current version",
    413: "The request is too large",
    500: "The request failed to be processed",
    502: "A third party connection failed",
    503: "A third party is busy; try again",
    504: "The request timed out",
}
"""What each status means to a client."""
ALWAYS = (
    "INVALID_REQUEST",
    "UNAUTHENTICATED",
    "ACCESS_DENIED",
    "NOT_FOUND",
    "INTERNAL_ERROR",
    "UPSTREAM_FAILED",
    "UPSTREAM_BUSY",
    "UPSTREAM_TIMEOUT",
)
"""The errors of every operation. Those of one alone are named in the docstring of its route."""
NO_SUCH_METHOD = "The path does not have this method; the answer has no body"
"""What the publisher of v2 documents for each operation."""
TOO_MANY = "Too many requests; answered by the gateway"

HEADERS: dict[str, tuple[str, Json]] = {
    "x-request-id": ("Id of this request, to find it in the logs.", {"type": "string"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer"}),
    "idempotent-replayed": (
        "The request was sent before; this is its first result.",
        {"type": "string", "enum": ["true"]},
    ),
    "Location": (
        "Path of the resource that was created; on a 409, of what the external id created before.",
        {"type": "string"},
    ),
    "Allow": ("Methods that the path has.", {"type": "string"}),
    "ETag": ("Version, for `If-Match`; of a PDF, its hash.", {"type": "string"}),
    "RANGED-DATA": (
        "Rows in this answer, and their total number.",
        {"type": "string", "examples": ["start=0,results=25,total=1"]},
    ),
    "next-cursor": ("Where the next page begins, if there is one.", {"type": "string"}),
    "Content-Disposition": ("Name of the file to save.", {"type": "string"}),
    "X-Content-Type-Options": (
        "Browsers must not guess a content type other than the one stated.",
        {"type": "string", "enum": ["nosniff"]},
    ),
    "Cache-Control": ("The answer must not be stored.", {"type": "string"}),
}
"""The headers of answers; the answers in events/ show where they appear."""
ANSWERS = {"200": "Ok", "201": "Created", "204": "Ok with empty body"}

SPELLINGS = {name.lower(): name for name in [*HEADERS, "If-Match"]}
"""Headers as they are known; in any case they are the same."""

KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
"""What JSON Schema calls the bounds of a parameter, which Powertools writes as pydantic does."""
EXTERNAL_ID = re.compile(r"external_\w+_unique_id")


def document() -> Json:
    """Return the merged and completed documents of all functions."""
    modules = {
        name: importlib.import_module(f"functions.{name}.app")
        for name in sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
    }
    whole: Json = {"paths": {}, "components": {"schemas": {}}}
    tags: dict[str, str] = {}
    for module in modules.values():
        app = getattr(module, "app", None)
        if isinstance(app, BillingApp):
            part = _document_of(app)
            for path, method, operation in operations(part):
                _name(operation, path, method, module)
                tags |= {tag: _tag(tag, modules) for tag in operation["tags"]}
                # The methods of a path may be of several functions.
                whole["paths"].setdefault(path, {})[method] = operation
            schemas = whole["components"]["schemas"] | part["components"].get("schemas", {})
            whole = {**part, **whole, "components": {**part["components"], "schemas": schemas}}
    schemas = whole["components"]["schemas"]
    for model in (dialect(name).error_schema for name in NAMES):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    examples = events()
    for path, method, operation in operations(whole):
        _complete(operation, path, method, examples.get(f"{method.upper()} {path}", []), schemas)
    for path, method, operation in operations(whole):
        if links := _links(whole, path, method):
            operation["responses"]["201"]["links"] = links
    _leave_out_titles(whole["paths"])
    _leave_out_titles(schemas)
    finished = {
        "openapi": whole["openapi"],
        "info": {**whole["info"], "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "tags": [{"name": tag, "description": tags[tag]} for tag in sorted(tags)],
        "paths": dict(sorted(whole["paths"].items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": _failures(),
            "examples": _examples(),
            "headers": {
                name: {"description": description, "schema": schema}
                for name, (description, schema) in HEADERS.items()
            },
            "securitySchemes": whole["components"]["securitySchemes"],
        },
    }
    _leave_out_unused(finished)
    return finished


def operations(of: Json) -> Iterator[tuple[str, str, Json]]:
    """Return all operations of a document: path, method, operation."""
    for path, methods in of.get("paths", {}).items():
        for method, operation in methods.items():
            yield path, method, operation


def text() -> str:
    """Write the document as the file has it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file, or check it."""
    if "--check" in sys.argv:
        if FILE.read_text() == text():
            return 0
        print("functions/front/openapi.json is not what the code says: make openapi")
        return 1
    FILE.write_text(text())
    return 0


def _document_of(app: BillingApp) -> Json:
    schema = app.get_openapi_json_schema(
        title=TITLE,
        version=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        description=DESCRIPTION,
        security_schemes=SCHEMES,
    )
    parsed: Json = json.loads(schema)
    return parsed


def _name(operation: Json, path: str, method: str, module: ModuleType) -> None:
    """Set the name and the description of an operation to those of its function."""
    name = operation["operationId"].removesuffix(re.sub(r"\W", "_", f"{path}_{method}"))
    summary, _, more = (getattr(module, name).__doc__ or "").partition("\n")
    role, *reach = operation["security"][0][TOKEN]
    said = " ".join(more.split())
    operation["operationId"] = name
    operation["summary"] = summary
    token = f"role `{role}`" + (" that reaches all accounts" if ALL_ACCOUNTS_SCOPE in reach else "")
    operation["description"] = f"{said}\n\nTakes a token of the {token}."


def _tag(tag: str, modules: dict[str, ModuleType]) -> str:
    """Describe a tag (`v3 invoices`) as its function does."""
    group = tag.partition(" ")[2].replace(" ", "_")
    folder = next(name for name in modules if group.startswith(name))
    about = (modules[folder].__doc__ or "").strip().partition("\n")[0]
    return about.partition(": ")[2].capitalize()


def events() -> dict[str, list[str]]:
    """Return the names of the events of each route, the simplest first."""
    found: dict[str, list[str]] = {}
    for path in sorted(EVENTS.glob("*.json"), key=lambda path: (len(path.stem), path.stem)):
        event = json.loads(path.read_text())
        found.setdefault(event.get("routeKey", ""), []).append(path.stem)
    return found


def _complete(operation: Json, path: str, method: str, events: list[str], schemas: Json) -> None:
    """Add the possible answers of every operation, and the events as examples."""
    answers = operation["responses"]
    answers.pop("422", None)
    sent = [json.loads((EVENTS / f"{event}.json").read_text()) for event in events]
    takes_if_match = False
    for parameter in operation.get("parameters", []):
        parameter["name"] = SPELLINGS.get(parameter["name"], parameter["name"])
        takes_if_match |= parameter["name"] == "If-Match"
        parameter["schema"] = _of_parameter(parameter["schema"])
        if sent and parameter["in"] == "path":
            value = sent[0]["pathParameters"][parameter["name"]]
            is_number = parameter["schema"].get("type") == "integer"
            parameter["example"] = int(value) if is_number else value
    request = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if request:
        request["examples"] = {
            name: {"value": json.loads(event["body"])}
            for name, event in zip(events, sent, strict=True)
        }
    files = {event["headers"]["content-type"] for event in sent if _sends_a_file(event)}
    if files:
        file = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(sorted(files), file)}
    for status in answers:
        answers[status]["description"] = ANSWERS[status]
    for event in events:
        recorded = EVENTS / "answers" / f"{event}.json"
        if recorded.exists():
            _show(answers, event, json.loads(recorded.read_text()))
    takes_external_id = bool(
        request and method == "post" and _takes_external_id(request["schema"], schemas)
    )
    if takes_external_id:
        headers = answers["201"].setdefault("headers", {})
        headers["idempotent-replayed"] = _header("idempotent-replayed")
    codes = _codes(operation, takes_external_id, takes_if_match=takes_if_match)
    operation["x-error-codes"] = codes
    name = path.split("/")[1]
    answers |= _failed(name, codes)
    retried = _retried(operation, method, takes_if_match=takes_if_match)
    said = [operation["description"], retried, _expected(codes)]
    operation["description"] = "\n\n".join(filter(None, said))
    if name == "v2":
        answers["405"] = {"$ref": "#/components/responses/v2-405"}
    answers["429"] = {"$ref": f"#/components/responses/{name}-429"}
    operation["responses"] = dict(sorted(answers.items()))
    if sent:
        operation["x-codeSamples"] = samples(sent[0], operation["responses"])


def _sends_a_file(event: Json) -> bool:
    return str(event["headers"].get("content-type", "")).startswith("image/")


def _of_parameter(schema: Json) -> Json:
    """Remove what Powertools repeats, and null: a parameter can only be left out."""
    for choice in schema.pop("anyOf", []):
        if choice != {"type": "null"}:
            schema |= choice
    return {KEYWORDS.get(key, key): value for key, value in schema.items() if key != "description"}


def _show(answers: Json, event: str, answered: Json) -> None:
    """Document an answer as it was given: its headers, its type, itself as an example."""
    status, headers = str(answered["status"]), dict(answered["headers"])
    content_type = headers.pop("content-type", None)
    answer = answers[status]
    if content_type is None:
        answer.pop("content", None)
    else:
        declared = answer["content"].get("application/json", {}).get("schema", {})
        if content_type != "application/json":
            declared = {"type": "string"}
            if "body" not in answered:
                declared["format"] = "binary"
            answer["content"].pop("application/json", None)
        content = answer["content"].setdefault(content_type, {"schema": declared})
        if "body" in answered:
            content.setdefault("examples", {})[event] = {"value": answered["body"]}
    for header in headers:
        name = SPELLINGS.get(header, header)
        answer.setdefault("headers", {})[name] = _header(name)


def _takes_external_id(schema: Json, schemas: Json) -> bool:
    name = schema["$ref"].rpartition("/")[2]
    return any(EXTERNAL_ID.fullmatch(field) for field in schemas[name]["properties"])


def _links(whole: Json, path: str, method: str) -> Json:
    """Link what an operation creates to what can be read about it."""
    if method != "post":
        return {}
    known = set(re.findall(r"\{(\w+)\}", path))
    given_out = {
        parameter
        for other in whole["paths"]
        for parameter in re.findall(rf"{re.escape(path)}/\{{(\w+)\}}", other)
    }
    links = {}
    for other, read, operation in operations(whole):
        needed = set(re.findall(r"\{(\w+)\}", other))
        if read == "get" and needed & given_out and needed <= known | given_out:
            links[operation["operationId"]] = {
                "operationId": operation["operationId"],
                "parameters": {
                    name: "$response.body#/id" if name in given_out else f"$request.path.{name}"
                    for name in sorted(needed)
                },
            }
    return links


def _codes(operation: Json, takes_external_id: bool, *, takes_if_match: bool) -> list[str]:
    """Return the codes of the errors that an operation can answer with, by status."""
    named = re.findall("`([A-Z_]+)`", operation["description"])
    found = {
        *ALWAYS,
        *(each for each in named if each in EXAMPLES),
        *(["TOO_LARGE"] if "requestBody" in operation else []),
        *(["EXTERNAL_ID_REUSED"] if takes_external_id else []),
        *(["PRECONDITION_FAILED"] if takes_if_match else []),
    }
    return sorted(found, key=lambda code: (status_of(EXAMPLES[code]), code))


def _by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for code in codes:
        found.setdefault(status_of(EXAMPLES[code]).value, []).append(code)
    return found


def _failed(name: str, codes: Iterable[str]) -> Json:
    """Return the failures of an operation: those of all operations, and what is its own."""
    return {
        str(status): {"$ref": f"#/components/responses/{name}-{status}"}
        if some == [_usual(status)]
        else _failure(name, status, some)
        for status, some in _by_status(codes).items()
    }


def _usual(status: int) -> str | None:
    """Return the one code that most failures of a status have; of a 409 there is none."""
    usual = [*ALWAYS, "TOO_LARGE", "PRECONDITION_FAILED", "ERASED"]
    return next((code for code in usual if status_of(EXAMPLES[code]) == status), None)


def _failure(name: str, status: int, codes: list[str]) -> Json:
    """Return a failure with an example for each of its codes."""
    headers = ["x-request-id"]
    if any(EXAMPLES[code].retry_after is not None for code in codes):
        headers.append("Retry-After")
    if {"EXTERNAL_ID_REUSED", "PAYMENT_REVERSED"} & {*codes}:
        headers.append("Location")
    schema = {"$ref": f"#/components/schemas/{dialect(name).error_schema.__name__}"}
    examples = {code: {"$ref": f"#/components/examples/{name}-{code}"} for code in codes}
    return {
        "description": MEANINGS[status],
        "headers": {header: _header(header) for header in headers},
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def _failures() -> Json:
    """Return the failures that operations have in common, in every dialect."""
    found: Json = {}
    for name in NAMES:
        for status in MEANINGS:
            if code := _usual(status):
                found[f"{name}-{status}"] = _failure(name, status, [code])
        found[f"{name}-429"] = {"description": TOO_MANY}
    shown = {name: _header(name) for name in ("x-request-id", "Allow")}
    found["v2-405"] = {"description": NO_SUCH_METHOD, "headers": shown}
    return dict(sorted(found.items()))


def _examples() -> Json:
    """Return the body of every failure in every dialect."""
    return {
        f"{name}-{code}": {
            "value": json.loads(render(f"/{name}/", error, error.message, "JKJaXmPLvHcESHA="))
        }
        for name in NAMES
        for code, error in sorted(EXAMPLES.items())
        if status_of(error) != HTTPStatus.METHOD_NOT_ALLOWED
    }


def _retried(operation: Json, method: str, *, takes_if_match: bool) -> str:
    """Say what a request does that is sent again, unless the route says it."""
    codes = operation["x-error-codes"]
    if "Sent again" in operation["description"]:
        return ""
    if method == "get":
        return "Sent again, it reads again, and changes nothing."
    if method == "put":
        same = ", also with the `If-Match` of the first time" if takes_if_match else ""
        return f"Sent again, it changes nothing more{same}."
    if method == "delete":
        return "Sent again, it is a 404 `NOT_FOUND`, as it is gone."
    if "EXTERNAL_ID_REUSED" in codes:
        return (
            "Sent again, it creates nothing more: the answer is the first one, with the header "
            "`idempotent-replayed`."
        )
    return ""


def _expected(codes: Iterable[str]) -> str:
    """Say which errors an operation has."""
    own = _by_status(code for code in codes if code not in ALWAYS)
    named = "; ".join(
        f"{status} {', '.join(f'`{code}`' for code in some)}" for status, some in own.items()
    )
    common = "[those of all operations](/docs#/errors)"
    return f"Errors: {named}, and {common}." if named else f"Errors: {common}."


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _leave_out_titles(part: Any, *, names: bool = False) -> None:
    """Remove the titles that pydantic makes of the names of fields; `names` are no keywords."""
    if isinstance(part, list):
        for each in part:
            _leave_out_titles(each)
    elif isinstance(part, dict):
        if not names and isinstance(part.get("title"), str):
            del part["title"]
        for key, each in part.items():
            if key not in ("example", "examples"):
                _leave_out_titles(each, names=key == "properties" and not names)


def _leave_out_unused(whole: Json) -> None:
    """Remove the components that nothing refers to, and then those that only they did."""
    while True:
        referred = set(re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(whole)))
        unused = [
            (kind, name)
            for kind in ("schemas", "responses", "headers", "examples")
            for name in whole["components"][kind]
            if (kind, name) not in referred
        ]
        if not unused:
            return
        for kind, name in unused:
            del whole["components"][kind][name]


if __name__ == "__main__":
    sys.exit(main())
