"""
Writes the OpenAPI document of the whole API, from the code of its functions.

    python -m local.openapi            write functions/front/openapi.json
    python -m local.openapi --check    fail where the file is not what the code says
"""

import importlib
import json
import re
import sys
from types import ModuleType
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn

from billing.api.access import SCHEME
from billing.api.app import BillingApp
from billing.dto.base import Dto
from billing.dto.v1_common import GenericResponseDTO
from billing.dto.v2_invoices import ErrorMessage
from billing.dto.v3_invoices import ErrorResponse
from local.stack import ROOT

FILE = ROOT / "functions" / "front" / "openapi.json"
ERRORS: dict[str, type[Dto]] = {"v1": GenericResponseDTO, "v2": ErrorMessage, "v3": ErrorResponse}
FAILURES = {
    "400": "The request could not be processed because it was malformed",
    "401": "The user is not authorized",
    "403": "The user does not have permission to access that resource",
    "404": "The specified resource was not found",
    "409": "The state of the resource forbids it",
    "413": "The request is too large",
    "429": "Too many requests",
    "500": "The request failed to be processed by the server",
    "502": "A third party connection failed",
    "503": "A third party is busy; try again",
    "504": "The request timed out",
}
"""What every operation may answer; `409` and `413` where it writes."""


def document() -> dict[str, Any]:
    """Put the documents of all functions together."""
    whole: dict[str, Any] = {}
    for name in sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")):
        module = importlib.import_module(f"functions.{name}.app")
        app = getattr(module, "app", None)
        if isinstance(app, BillingApp):
            part = _document_of(app)
            for path, operations in part.get("paths", {}).items():
                for method, operation in operations.items():
                    _finish(operation, path, method, module)
            whole = whole or {
                **part,
                "paths": {},
                "components": {**part["components"], "schemas": {}},
            }
            whole["paths"] |= part.get("paths", {})
            whole["components"]["schemas"] |= part["components"].get("schemas", {})
    schemas = whole["components"]["schemas"]
    for model in ERRORS.values():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    for unused in ("HTTPValidationError", "ValidationError", "ResponseValidationError", "Range"):
        schemas.pop(unused, None)
    whole["paths"] = dict(sorted(whole["paths"].items()))
    whole["components"]["schemas"] = dict(sorted(schemas.items()))
    return whole


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


def _document_of(app: BillingApp) -> dict[str, Any]:
    schema = app.get_openapi_json_schema(
        title="Billing API",
        version="1.0.0",
        description=(
            "Movements and usage in, numbered invoices, refunds and credit notes out: three "
            "dialects over one set of data."
        ),
        security_schemes={
            SCHEME: APIKey(name=SCHEME, in_=APIKeyIn.header, description="`bil_…`, a token.")
        },
    )
    parsed: dict[str, Any] = json.loads(schema)
    parsed.pop("servers", None)
    return parsed


def _finish(operation: dict[str, Any], path: str, method: str, module: ModuleType) -> None:
    """Name the operation as its function, and say what every operation may answer."""
    name = operation["operationId"].removesuffix(re.sub(r"\W", "_", f"{path}_{method}"))
    operation["operationId"] = name
    operation["summary"] = getattr(module, name).__doc__
    answers = operation["responses"]
    answers.pop("422", None)
    if "204" in answers:
        answers["204"] = {"description": "Ok with empty body"}
    dialect = path.split("/")[1]
    for status, description in FAILURES.items():
        if status in ("409", "413") and method == "get":
            continue
        schema = {"$ref": f"#/components/schemas/{ERRORS[dialect].__name__}"}
        answers[status] = {
            "description": description,
            "content": {"application/json": {"schema": schema}},
        }


if __name__ == "__main__":
    sys.exit(main())
