"""The OpenAPI document: what the code says, and what the template routes."""

import json
import re
from typing import Any

import yaml

from local import openapi
from local.stack import ROOT


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as if they were plain values."""


_Loader.add_multi_constructor(
    "!",
    lambda loader, _, node: (
        loader.construct_scalar(node)  # type: ignore[no-untyped-call]
        if isinstance(node, yaml.ScalarNode)
        else None
    ),
)


def _template() -> Any:
    return yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a SafeLoader


def test_the_committed_document_is_what_the_code_says() -> None:
    assert openapi.FILE.read_text() == openapi.text(), "run `make openapi`"


def test_the_template_routes_what_the_document_has_and_nothing_else() -> None:
    document = json.loads(openapi.FILE.read_text())
    documented = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    }

    routed = {
        f"{event['Properties']['Method']} {event['Properties']['Path']}"
        for resource in _template()["Resources"].values()
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" in event["Properties"]
    }

    assert routed == documented | {"GET /openapi.json", "GET /docs"}


def test_every_operation_asks_for_a_role_and_says_what_it_does() -> None:
    document = json.loads(openapi.FILE.read_text())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            [[roles]] = [list(entry.values()) for entry in operation["security"]]
            assert roles in (["reader"], ["writer"], ["admin"]), (method, path)
            assert re.match(r"[A-Z]", operation["summary"]), (method, path)
