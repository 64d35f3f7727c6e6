"""That one folder of packaging/ builds: in a container `sam build` has no more of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aws_lambda_powertools
import botocore
import pytest

from local.stack import ROOT

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
"""Where python3.13 is, as it is in a container."""


def _makefile(architecture: str) -> str:
    return (ROOT / "packaging" / architecture / "Makefile").read_text()


def test_both_processors_are_built_for_alike() -> None:
    heads, bodies = zip(*(_makefile(each).split("\n", 1) for each in MACHINES), strict=True)

    assert list(heads) == [f"MACHINE := {machine}" for machine in MACHINES.values()]
    assert len(set(bodies)) == 1
    assert {each.name for each in (ROOT / "packaging").iterdir()} == MACHINES.keys()


@pytest.mark.parametrize("architecture", MACHINES)
def test_a_function_is_built_where_nothing_else_of_the_project_is(
    architecture: str, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder"
    shutil.copytree(ROOT / "packaging" / architecture, folder / "manifest")
    shutil.copytree(ROOT / "functions" / "tokens", folder / "source")

    subprocess.run(
        ["make", "--makefile", str(folder / "manifest" / "Makefile"), "build-TokensFunction"],
        cwd=folder / "source",
        env={**os.environ, "PATH": PATH, "ARTIFACTS_DIR": str(folder / "artifacts")},
        check=True,
    )

    assert (folder / "artifacts" / "app.py").exists()
    assert list((folder / "artifacts").glob("__pycache__/app.*.pyc"))


@pytest.mark.parametrize(
    ("settings", "platforms"),
    [
        pytest.param({}, 3, id="for AWS, on whatever machine"),
        pytest.param({"WHEELS_FOR": ""}, 0, id="for the machine that builds, such as a Mac"),
    ],
)
def test_wheels_are_those_of_where_functions_run(settings: dict[str, str], platforms: int) -> None:
    shown = subprocess.run(
        ["make", "-n", "--makefile", str(ROOT / "packaging" / "arm64" / "Makefile"), "build-X"],
        env={**os.environ, "ARTIFACTS_DIR": "artifacts"} | settings,
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout.count("--platform ") == platforms
    assert shown.stdout.count("--only-binary :all:") == 1


def test_the_sdk_is_cut_to_what_the_code_calls() -> None:
    source = (ROOT / "layers" / "billing" / "billing" / "aws.py").read_text()
    [services] = re.findall(r"^SERVICES := (.*)$", _makefile("arm64"), re.MULTILINE)

    assert set(re.findall(r'_client\("(\w+)"', source)) == set(services.split())


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a layer of Powertools and botocore, with one service more than is called."""
    folder = tmp_path_factory.mktemp("layer") / "a folder"
    whole = Path(botocore.__file__).parent
    kept = {"acm", "dynamodb", "events", "lambda", "s3", "secretsmanager", "sesv2", "sqs"}

    def others(where: str, names: list[str]) -> set[str]:
        is_data = Path(where) == whole / "data"
        return {each for each in names if is_data and "." not in each and each not in kept}

    shutil.copytree(whole, folder / "source" / "botocore", ignore=others)
    powertools = Path(aws_lambda_powertools.__file__).parent
    shutil.copytree(powertools, folder / "source" / "aws_lambda_powertools")
    makefile = ROOT / "packaging" / "x86_64" / "Makefile"
    subprocess.run(
        ["make", "--makefile", str(makefile), "build-BillingLayer"],
        cwd=folder / "source",
        env={**os.environ, "PATH": PATH, "ARTIFACTS_DIR": str(folder / "artifacts")},
        check=True,
    )
    return folder / "artifacts" / "python"


def test_nothing_else_is_left_of_its_data(layer: Path) -> None:
    data = layer / "botocore" / "data"
    endpoints = json.loads((data / "endpoints.json").read_text())
    services = {name for each in endpoints["partitions"] for name in each["services"]}

    kept = {each.name for each in data.iterdir() if each.is_dir()}
    assert kept == {"dynamodb", "events", "lambda", "s3", "secretsmanager", "sesv2", "sqs"}
    assert services == kept - {"sesv2"} | {"email"}  # as its endpoints are called
    assert len(endpoints["partitions"]) > 3


def test_what_is_left_finds_the_same_hosts(layer: Path) -> None:
    """In regions of three partitions, one of them newer than the rules that botocore once had."""
    script = """if True:
        import botocore, botocore.session, sys
        session = botocore.session.Session()
        for region in ("us-east-1", "eu-south-2", "cn-north-1", "us-gov-west-1"):
            for service in (
                "dynamodb", "events", "lambda", "s3", "secretsmanager", "sesv2", "sqs",
            ):
                print(session.create_client(service, region).meta.endpoint_url)
        print(botocore.__file__, file=sys.stderr)
        """

    cut, whole = _run(script, PYTHONPATH=str(layer)), _run(script)

    assert cut.stdout == whole.stdout
    assert cut.stderr.startswith(str(layer))
    assert "dynamodb.eu-south-2" in cut.stdout


def test_tables_are_where_the_rules_of_the_whole_sdk_find_them(layer: Path) -> None:
    script = """if True:
        import botocore.session
        from botocore.awsrequest import AWSResponse
        def answer(request, **_):
            print(request.url)
            return AWSResponse(request.url, 400, {}, None)
        AWSResponse.content = b"{}"
        session = botocore.session.Session()
        for partition in session.get_available_partitions():
            for region in session.get_available_regions("dynamodb", partition):
                client = session.create_client("dynamodb", region)
                client.meta.events.register("before-send", answer)
                try:
                    client.list_tables()
                except client.exceptions.ClientError:
                    pass
        """

    cut, whole = _run(script, PYTHONPATH=str(layer)), _run(script)

    assert cut.stdout == whole.stdout
    assert "https://dynamodb.eu-south-2.amazonaws.com/\n" in cut.stdout
    assert len(set(cut.stdout.split())) > 30


def test_powertools_imports_what_is_asked_for(layer: Path) -> None:
    script = """if True:
        import sys
        from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, content_types
        print("asyncio" in sys.modules)
        import aws_lambda_powertools.event_handler as resolvers
        import aws_lambda_powertools.utilities.data_classes as events
        assert not hasattr(events, "Unknown")
        for package in (resolvers, events):
            for name in package.HOMES:
                assert callable(getattr(package, name)), name
                assert callable(getattr(package, name)), name  # as its home module is called
        """

    assert _run(script, PYTHONPATH=str(layer)).stdout == "False\n"


def _run(script: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: each for name, each in os.environ.items() if not name.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment | keys | more,
        capture_output=True,
        text=True,
        check=True,
    )
