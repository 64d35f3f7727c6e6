"""What a deployment of template.yaml promises: regions, parameters, how new code goes live."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.stack import ROOT
from tests import template

type Json = dict[str, Any]

REGIONS = {
    "us-east-1": "aws",
    "eu-south-2": "aws",
    "eu-central-1": "aws",
    "cn-north-1": "aws-cn",
    "us-gov-west-1": "aws-us-gov",
}
"""Where it has to be deployable, and the partition of each."""
EXPANSIONS = {"as it is": {}, "gradual": {"GradualDeployment": "true"}}
"""The parameters that SAM itself looks at; cfn-lint tries both sides of all other conditions."""


def of_type(kind: str, **parameters: str) -> dict[str, Json]:
    return {
        name: resource
        for name, resource in template.expanded(**parameters)["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


# ---------------------------------------------------------------- where


@pytest.mark.parametrize("expansion", EXPANSIONS)
def test_cfn_lint_finds_nothing_in_any_region(expansion: str, tmp_path: Path) -> None:
    cfn_lint = str(Path(sys.executable).with_name("cfn-lint"))
    file = tmp_path / "expanded.json"
    file.write_text(json.dumps(template.expanded(**EXPANSIONS[expansion])))
    # W2001: a parameter that SAM has put in place is not used any more.
    command = [cfn_lint, "--ignore-checks", "W2001", "--regions", *REGIONS, "--", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("region", REGIONS)
def test_arns_are_those_of_the_partition(region: str) -> None:
    whole = json.dumps(template.expanded(region, GradualDeployment="true"))
    partitions = set(re.findall(r"\barn:(\$\{AWS::Partition\}|[^:]+):", whole))

    assert partitions - {"${AWS::Partition}"} <= {REGIONS[region]}
    assert "amazonaws.com/" not in whole  # but ${AWS::URLSuffix}, which is another in China


# ---------------------------------------------------------------- parameters


def test_every_parameter_says_what_it_is_and_has_a_default() -> None:
    for name, parameter in template.written()["Parameters"].items():
        assert "Default" in parameter, name
        assert parameter["Description"].endswith("."), name


def test_every_parameter_is_used_and_explained() -> None:
    whole = (ROOT / "template.yaml").read_text()
    page = (ROOT / "docs" / "deploy.md").read_text()
    for name in template.written()["Parameters"]:
        assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}", whole), name
        assert f"`{name}`" in page, name


def test_environments_of_samconfig_set_parameters_that_there_are() -> None:
    import tomllib

    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for environment in ("dev", "prod"):
        settings = config[environment]["deploy"]["parameters"]
        for override in settings["parameter_overrides"]:
            name, _, value = override.partition("=")
            parameter = template.written()["Parameters"][name]
            assert value in map(str, parameter.get("AllowedValues", [value])), override
        assert settings["tags"], environment


def test_a_new_deployment_asks_of_no_route_whether_it_may_be_open() -> None:
    from samcli.commands.deploy.auth_utils import auth_per_resource
    from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

    [stack] = SamLocalStackProvider.get_stacks(str(ROOT / "template.yaml"))[0]
    asked = auth_per_resource([stack])

    assert len(asked) == len(template.routes())
    assert {known for _, known in asked} == {True}


# ---------------------------------------------------------------- how new code goes live


def test_every_function_is_called_by_its_alias() -> None:
    aliases = {f"{name}Aliaslive" for name in of_type("Lambda::Function")}

    assert of_type("Lambda::Alias").keys() == aliases
    for permission in of_type("Lambda::Permission").values():
        assert permission["Properties"]["FunctionName"]["Ref"] in aliases
    for mapping in of_type("Lambda::EventSourceMapping").values():
        assert mapping["Properties"]["FunctionName"]["Ref"] in aliases
    [api] = of_type("ApiGatewayV2::Api").values()
    targets = re.findall(r"functions/([^/]+)/invocations", json.dumps(api["Properties"]["Body"]))
    assert {target.strip("${}") for target in targets} <= aliases


@pytest.mark.parametrize("what", ["CodeUri", "ContentUri"])
def test_a_change_of_a_function_or_of_the_layer_publishes_a_version(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def versions() -> set[str]:
        return set(of_type("Lambda::Version"))

    before = versions()
    changed = json.loads(json.dumps(template.written()))
    for resource in changed["Resources"].values():
        if what in resource.get("Properties", {}):
            resource["Properties"][what] = "s3://bucket/another"
    monkeypatch.setattr(template, "written", lambda: changed)
    template.expanded.cache_clear()
    after = versions()
    template.expanded.cache_clear()

    assert len(after) == len(before) == len(template.functions())
    assert after & before == set()


def test_versions_that_nothing_calls_any_more_are_deleted() -> None:
    assert {each["DeletionPolicy"] for each in of_type("Lambda::Version").values()} == {"Delete"}


def test_a_gradual_deployment_goes_back_where_an_alarm_is_raised() -> None:
    gradual = of_type("CodeDeploy::DeploymentGroup", GradualDeployment="true")

    assert len(gradual) == len(template.functions())
    for group in gradual.values():
        assert group["Properties"]["AlarmConfiguration"] == {
            "Enabled": True,
            "Alarms": [{"Name": {"Ref": name}} for name in ("FailuresAlarm", "BreachesAlarm")],
        }
        assert (
            "DEPLOYMENT_STOP_ON_ALARM" in group["Properties"]["AutoRollbackConfiguration"]["Events"]
        )
    assert of_type("CodeDeploy::DeploymentGroup") == {}


def test_snapshots_are_for_the_functions_that_somebody_waits_for() -> None:
    called = {source.function for source in template.sources() if source.type == "HttpApi"}
    functions = of_type("Lambda::Function")
    with_snapshots = {
        folder
        for name, folder in template.functions().items()
        if "SnapStart" in functions[name]["Properties"]
    }

    assert with_snapshots == called


# ---------------------------------------------------------------- what it costs, what is kept


def test_what_is_open_to_everybody_is_throttled() -> None:
    [stage] = of_type("ApiGatewayV2::Stage").values()
    rates = stage["Properties"]["RouteSettings"]
    usual = stage["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"]

    assert rates.keys() == {"GET /", "GET /docs", "GET /console", "GET /openapi.json"}
    for rate in rates.values():
        assert rate["ThrottlingRateLimit"] < usual / 100


def test_backups_have_every_table_and_the_bucket() -> None:
    [selection] = of_type("Backup::BackupSelection").values()
    chosen = selection["Properties"]["BackupSelection"]["Resources"]

    kept = [*of_type("DynamoDB::Table"), *of_type("S3::Bucket")]
    assert sorted(each["Fn::GetAtt"][0] for each in chosen) == sorted(kept)


def test_old_versions_of_documents_end_some_day() -> None:
    [bucket] = of_type("S3::Bucket").values()
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]

    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert rules[0]["NoncurrentVersionExpiration"]["NoncurrentDays"] > 35
