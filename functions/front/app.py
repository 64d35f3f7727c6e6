"""
Front: the routes that belong to no other function.

The route `$default` comes here: an unknown path is a 404, a method that a path does not have
is a 405. The OpenAPI document, its reference page and the console are open to everybody: the
console asks for a token, and keeps it in the browser.
"""

import json
import re
from functools import cache
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types
from aws_lambda_powertools.utilities.typing import LambdaContext

from billing.api.access import OPEN
from billing.api.app import BillingApp
from billing.api.logger import logger
from billing.api.static import Static
from billing.domain.errors import MethodNotAllowedError, NotFoundError

HERE = Path(__file__).parent

app = BillingApp()


@app.get("/", security=OPEN, include_in_schema=False)
def get_root() -> Response[str]:
    """Send whoever opens the address of the API to its reference"""
    return Response(HTTPStatus.FOUND, body="", headers={"Location": "docs"})


@app.get("/openapi.json", security=OPEN, include_in_schema=False)
def get_openapi() -> Response[str]:
    """Get this API as an OpenAPI document"""
    return _openapi().answer(app)


@app.get("/docs", security=OPEN, include_in_schema=False)
def get_docs() -> Response[str]:
    """Get a page to read this API and to try it"""
    return _docs().answer(app)


@app.get("/console", security=OPEN, include_in_schema=False)
def get_console() -> Response[str]:
    """Get a page to look at the data of an org, with a token of it"""
    return _console().answer(app)


@app.not_found
def refuse(_: Exception) -> Response[str]:
    """Return a 405 for a method that a path does not have, a 404 for an unknown path."""
    path = app.current_event.path
    for template, methods in _methods().items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            raise MethodNotAllowedError(methods)
    raise NotFoundError("There is no such path. GET /openapi.json lists all paths.")


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)


@cache
def _openapi() -> Static:
    return Static.of(content_types.APPLICATION_JSON, (HERE / "openapi.json").read_text())


@cache
def _methods() -> dict[str, list[str]]:
    """Return the methods of each path."""
    paths = json.loads(_openapi().text)["paths"]
    return {path: [method.upper() for method in operations] for path, operations in paths.items()}


@cache
def _docs() -> Static:
    page = (HERE / "docs.html").read_text()
    page = page.replace("/* guides */", "\n" + (HERE / "guides.md").read_text())
    page = page.replace("/* script */", _for_html(_viewer().read_text()))
    return Static.page(page, any_style=True)


def _viewer() -> Path:
    """Return the script of Scalar; the package around it, which needs Flask, is not imported."""
    [folder] = getattr(find_spec("flask_openapi_scalar"), "submodule_search_locations", [])
    return Path(folder, "templates", "scalar", "js", "scalar.standalone.js")


def _for_html(script: str) -> str:
    """Return a script that means the same, and has nothing that HTML reads in it."""
    return re.sub(r"<(?=!--|/?script)", r"\\x3C", script)


@cache
def _console() -> Static:
    return Static.page((HERE / "console.html").read_text())
