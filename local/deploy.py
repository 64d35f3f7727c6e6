"""
Builds template.yaml and deploys it with stock sam, then adds what the emulator leaves out.

What was deployed is noted in the emulator itself, as a parameter, so that the note is lost and
kept together with the thing it is about.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from local import stand_ins
from local.stack import ARCHITECTURE, NAME, REGION, ROOT, Stack, StackError

# Not .aws-sam, which is for AWS: a build for its processors would be deployed here by mistake.
BUILD = ROOT / ".local" / "build"
FOR_CONTAINERS = BUILD if sys.platform == "linux" else ROOT / ".local" / "containers"
"""Containers need functions built for Linux; the emulator runs them as this machine's processes."""
SOURCES = ("template.yaml", "packaging", "functions", "layers")
ARTIFACTS = "local-artifacts"
SINGLE = {"sqs:ChangeMessageVisibility", "sqs:SendMessage"}
"""Actions that AWS asks for where a batch is meant; the emulator asks for one of their own."""
MAIL_DOMAIN = "example.com"
"""The domain that orgs of the local stack may mail documents from."""
DEPLOYED = "/local/deployed"
RELOADED = "/local/reloaded"
"""Notes: which sources the emulator runs, and which of them never went through CloudFormation."""
HEALTHY = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}


def sources_hash() -> str:
    """Return a hash of everything that goes into a deployment, this module included."""
    digest = hashlib.sha256(f"{ARCHITECTURE} {sys.version}".encode())
    for file in sorted(source_files()):
        digest.update(f"{file.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def is_built(sources: str, folder: Path = BUILD) -> bool:
    """Return whether the last complete build in a folder was made from these sources."""
    return _stamp(folder).exists() and _stamp(folder).read_text() == sources


def build(sources: str, folder: Path = BUILD) -> None:
    """Run `sam build` for this machine's processor, and for its system or for containers."""
    with one_at_a_time():
        if is_built(sources, folder):
            return
        _stamp(folder).unlink(missing_ok=True)
        _sam(
            "build", "--cached", "--parallel",
            "--build-dir", str(folder / "out"),
            "--cache-dir", str(folder / "cache"),
            "--parameter-overrides", f"Architecture={ARCHITECTURE}",
            settings={} if folder == FOR_CONTAINERS else {"WHEELS_FOR": ""},
        )  # fmt: skip
        _stamp(folder).write_text(sources)


def deployed(stack: Stack) -> str | None:
    """Read which sources the emulator runs; None where the last deployment did not end well."""
    status = _stack_status(stack)
    if status is None:
        return None
    return _noted(stack, DEPLOYED) if status in HEALTHY else None


def is_reloaded(stack: Stack) -> bool:
    """Return whether sources were put into functions since the last deployment."""
    return _noted(stack, RELOADED) == "yes"


def note(stack: Stack, sources: str, *, is_reload: bool = False) -> None:
    """Note which sources the emulator runs."""
    for name, value in ((RELOADED, "yes" if is_reload else "no"), (DEPLOYED, sources)):
        client(stack, "ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    if is_reload:
        _stamp(BUILD).write_text(sources)


def _noted(stack: Stack, name: str) -> str | None:
    ssm = client(stack, "ssm")
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None


def is_broken(stack: Stack) -> bool:
    """Return whether an interrupted deployment left a stack that cannot be updated."""
    status = _stack_status(stack)
    return status is not None and status not in HEALTHY


def deploy(stack: Stack) -> None:
    """Run `sam deploy` with the build, and finish what the emulator does not do itself."""
    with one_at_a_time():
        _make_artifacts_bucket(stack)
        _sam(
            "deploy",
            "--template-file", str(_for_emulator(BUILD / "out" / "template.yaml")),
            "--stack-name", NAME,
            "--s3-bucket", ARTIFACTS,
            "--capabilities", "CAPABILITY_IAM",
            "--parameter-overrides", f"Architecture={ARCHITECTURE}", "DeletionProtection=false",
            f"ExchangeRatesUrl={stack.endpoint}{stand_ins.EXCHANGE_RATES}",
            f"ViesUrl={stack.endpoint}{stand_ins.VAT_NUMBERS}",
            f"TaxAgencyUrl=https://127.0.0.1:{stack.tax_agency_port}",
            "WebhooksToLoopback=true",
            f"PublicUrl={stack.base_url}",
            "VerifactuProducer=Ejemplo", "VerifactuProducerTaxId=B75777847",
            "VerifactuService=test",
            f"MailDomains={MAIL_DOMAIN}",
            "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar",
            settings=stack.aws_environment(),
        )  # fmt: skip
    # As whoever deploys to AWS does by hand: nobody may mail from a domain that is not verified.
    with contextlib.suppress(ClientError):
        client(stack, "sesv2").create_email_identity(EmailIdentity=MAIL_DOMAIN)
    finish(stack)


def finish(stack: Stack) -> None:
    """
    Create what the template asks for and the emulator passes over: routes and TTLs.

    The concurrency of queues, a parameter, reaches the emulator as a text that it cannot compare.
    Aliases are moved to the functions as they are: changed code needs no version to be live.
    """
    cloudformation = client(stack, "cloudformation")
    template = cloudformation.get_template(StackName=NAME, TemplateStage="Processed")
    resources: Mapping[str, Any] = template["TemplateBody"]["Resources"]
    physical_ids = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=NAME)
        for resource in page["StackResourceSummaries"]
    }
    for logical_id, resource in resources.items():
        if logical_id not in physical_ids:  # its condition does not hold
            continue
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::ApiGatewayV2::Api" and "Body" in properties:
            api_id = physical_ids[logical_id]
            _create_routes(stack, api_id, properties["Body"], physical_ids)
            stack.api_id_file.parent.mkdir(parents=True, exist_ok=True)
            stack.api_id_file.touch(mode=0o600)
            stack.api_id_file.write_text(api_id)
        elif resource["Type"] == "AWS::Lambda::Alias":
            client(stack, "lambda").update_alias(
                FunctionName=physical_ids[properties["FunctionName"]["Ref"]],
                Name=properties["Name"],
                FunctionVersion="$LATEST",
            )
        elif resource["Type"] == "AWS::Lambda::EventSourceMapping":
            _set_concurrency(stack, physical_ids[logical_id])
        elif resource["Type"] == "AWS::DynamoDB::Table" and "TimeToLiveSpecification" in properties:
            _set_time_to_live(
                stack, physical_ids[logical_id], properties["TimeToLiveSpecification"]
            )


def outputs(stack: Stack) -> dict[str, str]:
    """Read the outputs of the template: the names of tables, buckets and queues."""
    described = client(stack, "cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def physical_id(stack: Stack, logical_id: str) -> str:
    """Find the name under which a resource of the template was created."""
    detail = client(stack, "cloudformation").describe_stack_resource(
        StackName=NAME, LogicalResourceId=logical_id
    )
    return str(detail["StackResourceDetail"]["PhysicalResourceId"])


def settings(stack: Stack) -> dict[str, dict[str, str]]:
    """Read the environment of every deployed function, by its name in the template."""
    pages = client(stack, "cloudformation").get_paginator("list_stack_resources")
    lambda_ = client(stack, "lambda")
    return {
        resource["LogicalResourceId"]: lambda_.get_function_configuration(
            FunctionName=resource["PhysicalResourceId"]
        )["Environment"]["Variables"]
        for page in pages.paginate(StackName=NAME)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def client(stack: Stack, service: str) -> Any:
    """Create a boto3 client of this stack, whatever the caller's environment is."""
    session = boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
    )
    return session.client(  # type: ignore[call-overload]
        service,
        endpoint_url=stack.endpoint,
        config=Config(retries={"mode": "standard"}, proxies={}),
    )


def _create_routes(
    stack: Stack, api_id: str, body: Mapping[str, Any], physical_ids: Mapping[str, str]
) -> None:
    """Create the integrations and routes of an API's OpenAPI document anew."""
    api = client(stack, "apigatewayv2")
    for route in api.get_routes(ApiId=api_id)["Items"]:
        api.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    for integration in api.get_integrations(ApiId=api_id)["Items"]:
        api.delete_integration(ApiId=api_id, IntegrationId=integration["IntegrationId"])

    integrations: dict[str, str] = {}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            uri = _alias_arn(operation["x-amazon-apigateway-integration"]["uri"], physical_ids)
            if uri not in integrations:
                integrations[uri] = api.create_integration(
                    ApiId=api_id,
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=uri,
                    PayloadFormatVersion="2.0",
                )["IntegrationId"]
            api.create_route(
                ApiId=api_id,
                RouteKey=_route_key(path, method),
                Target=f"integrations/{integrations[uri]}",
            )


def _route_key(path: str, method: str) -> str:
    if path == "$default":
        return "$default"
    return f"{'ANY' if method == 'x-amazon-apigateway-any-method' else method.upper()} {path}"


def _alias_arn(uri: Any, physical_ids: Mapping[str, str]) -> str:
    """Return the ARN of the function's alias that an integration's URI names."""
    match = re.search(r"functions/\$\{(\w+)\}/invocations", json.dumps(uri))
    if match is None:
        raise StackError(f"An integration names no alias of this template: {uri}")
    return physical_ids[match[1]]


def _set_concurrency(stack: Stack, mapping: str) -> None:
    functions = client(stack, "lambda")
    wanted = functions.get_event_source_mapping(UUID=mapping).get("ScalingConfig")
    if wanted:
        limit = {"MaximumConcurrency": int(wanted["MaximumConcurrency"])}
        functions.update_event_source_mapping(UUID=mapping, ScalingConfig=limit)


def _set_time_to_live(stack: Stack, table: str, wanted: Mapping[str, Any]) -> None:
    dynamodb = client(stack, "dynamodb")
    current = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if (current["TimeToLiveStatus"] == "ENABLED") != wanted["Enabled"]:
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=dict(wanted))


def _stack_status(stack: Stack) -> str | None:
    cloudformation = client(stack, "cloudformation")
    try:
        return str(cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"])
    except cloudformation.exceptions.ClientError:
        return None


def _for_emulator(built: Path) -> Path:
    """
    Allow calls in batches too, where a template allows the single ones, as AWS does.

    What is asked of SES names no resource that the emulator knows.
    """
    template = yaml.safe_load(built.read_text())
    for resource in template["Resources"].values():
        for policy in resource.get("Properties", {}).get("Policies", []):
            for statement in policy.get("Statement", []):
                actions = statement["Action"]
                actions = [actions] if isinstance(actions, str) else actions
                batches = [f"{each}Batch" for each in actions if each in SINGLE]
                statement["Action"] = [*actions, *batches]
                if actions[0].startswith("ses:"):
                    statement["Resource"] = "*"
    file = built.with_name("emulator.yaml")
    file.write_text(yaml.safe_dump(template))
    return file


def _make_artifacts_bucket(stack: Stack) -> None:
    s3 = client(stack, "s3")
    if ARTIFACTS not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=ARTIFACTS)


def source_files() -> Iterator[Path]:
    """List all that goes into a deployment, this module included."""
    yield Path(__file__)
    for name in SOURCES:
        path = ROOT / name
        if path.is_file():
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield from (Path(folder) / file for file in files if not file.startswith("."))


def _stamp(folder: Path) -> Path:
    return folder / "sources"


def _sam(*arguments: str, settings: Mapping[str, str] | None = None) -> None:
    """Run sam of this environment; its output is shown only where it fails."""
    binaries = Path(sys.executable).parent
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))
    }
    environment["PATH"] = f"{binaries}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["SAM_CLI_TELEMETRY"] = "0"
    environment.update(settings or {})
    run = subprocess.run(
        [str(binaries / "sam"), *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        tail = "\n".join(run.stdout.splitlines()[-40:])
        raise StackError(f"`sam {arguments[0]}` failed:\n{tail}")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock, so that two stacks do not use the build at once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
