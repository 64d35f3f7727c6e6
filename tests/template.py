"""template.yaml as tests read it."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from local.stack import ROOT


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as if they were plain values: `!Ref X` is `X`."""


_Loader.add_multi_constructor(
    "!",
    lambda loader, _, node: (
        loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None
    ),
)


@dataclass(frozen=True)
class Source:
    """What calls a function: one of its `Events`."""

    function: str
    """The folder of the function under functions/."""
    type: str
    properties: dict[str, Any]

    @property
    def route(self) -> str:
        """The key of an HTTP route, as the gateway has it."""
        if "Path" not in self.properties:
            return "$default"
        return f"{self.properties['Method']} {self.properties['Path']}"


@cache
def resources() -> dict[str, Any]:
    """Read all resources."""
    loaded = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a SafeLoader
    return dict(loaded["Resources"])


def functions() -> dict[str, str]:
    """Name the folder of every function, by its logical id."""
    return {
        name: resource["Properties"]["CodeUri"].removeprefix("functions/")
        for name, resource in resources().items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def sources() -> list[Source]:
    """List what calls the functions."""
    return [
        Source(folder, event["Type"], event.get("Properties", {}))
        for name, folder in functions().items()
        for event in resources()[name]["Properties"].get("Events", {}).values()
    ]


def routes() -> set[str]:
    """List the HTTP routes."""
    return {source.route for source in sources() if source.type == "HttpApi"}
