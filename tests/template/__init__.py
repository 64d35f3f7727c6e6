"""template.yaml as tests read it."""

from copy import deepcopy
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
    """What calls a function: a route, a queue, a stream or a schedule."""

    function: str
    """The folder of the function under functions/."""
    type: str
    """HttpApi, SQS, DynamoDB or Schedule."""
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
    folders = functions()
    routes = [
        Source(folder, event["Type"], event["Properties"])
        for name, folder in folders.items()
        for event in resources()[name]["Properties"].get("Events", {}).values()
    ]
    mappings = [
        Source(
            folders[properties["FunctionName"].removesuffix(".Alias")],
            _kind(properties["EventSourceArn"]),
            properties,
        )
        for properties in _properties("AWS::Lambda::EventSourceMapping")
    ]
    takers = {source.properties["EventSourceArn"]: source.function for source in mappings}
    schedules = [
        Source(takers[properties["Target"]["Arn"]], "Schedule", properties)
        for properties in _properties("AWS::Scheduler::Schedule")
    ]
    return routes + mappings + schedules


def _properties(kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in resources().values() if each["Type"] == kind]


def _kind(source_arn: str) -> str:
    return "DynamoDB" if source_arn.endswith(".StreamArn") else "SQS"


@cache
def written() -> dict[str, Any]:
    """Read the template as it is written, with `!Ref X` as `{"Ref": "X"}`."""
    from samcli.yamlhelper import yaml_parse

    return dict(yaml_parse((ROOT / "template.yaml").read_text()))


@cache
def expanded(region: str = "eu-west-1", **parameters: str) -> dict[str, Any]:
    """Read the template as CloudFormation gets it, once SAM has expanded it."""
    from samcli.lib.translate.sam_template_validator import SamTemplateValidator
    from samcli.yamlhelper import yaml_parse
    from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader

    validator = SamTemplateValidator(
        deepcopy(written()),
        ManagedPolicyLoader(None),
        region=region,
        parameter_overrides=parameters,
    )
    return dict(yaml_parse(validator.get_translated_template_if_valid()))


def routes() -> set[str]:
    """List the HTTP routes."""
    return {source.route for source in sources() if source.type == "HttpApi"}
