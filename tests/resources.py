"""
The tables, queues and bucket of template.yaml, created by CloudFormation without any function.

It takes milliseconds, as nothing is built. `create` makes a set of its own under each name.
"""

import json
import re
from copy import deepcopy
from typing import Any

import boto3

from tests import template

KINDS = (
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)


def create(name: str, *, impatient: bool = False) -> dict[str, str]:
    """
    Create them under a name, and return their physical ids by their names in the template.

    Impatient queues hide no message, and give up on one that was received once.
    """
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(_template(name, impatient)),
        Parameters=[{"ParameterKey": "DeletionProtection", "ParameterValue": "false"}],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    made = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
        if resource["LogicalResourceId"]
    }
    return made | _secrets(name, made)


def _secrets(name: str, made: dict[str, str]) -> dict[str, str]:
    """Create the secrets that are missing: moto's CloudFormation makes none."""
    secrets = boto3.client("secretsmanager")
    return {
        logical_id: secrets.create_secret(
            Name=f"{name}-{logical_id}",
            SecretString=secrets.get_random_password(PasswordLength=64)["RandomPassword"],
        )["ARN"]
        for logical_id, each in template.resources().items()
        if each["Type"] == "AWS::SecretsManager::Secret" and logical_id not in made
    }


def delete(name: str) -> None:
    """Delete what was created under a name, with all that is in it."""
    cloudformation = boto3.client("cloudformation")
    listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    s3: Any = boto3.client("s3")
    for each in listed:
        if each["ResourceType"] == "AWS::S3::Bucket":
            bucket = each["PhysicalResourceId"]
            for version in s3.list_object_versions(Bucket=bucket).get("Versions", []):
                s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    cloudformation.delete_stack(StackName=name)


def settings(names: dict[str, str]) -> dict[str, str]:
    """Return the environment of functions that use them: INVOICES_TABLE for InvoicesTable."""
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): names[name] for name in names}


def _template(stack: str, impatient: bool) -> dict[str, Any]:
    """Cut these resources out of the template, and the outputs that name them."""
    whole = template.written()
    resources = {
        name: {"Type": each["Type"], "Properties": deepcopy(each["Properties"])}
        for name, each in whole["Resources"].items()
        if each["Type"] in KINDS
    }
    for name, each in resources.items():
        properties = each["Properties"]
        if properties.get("FifoQueue"):  # moto gives a name that no FIFO queue can have
            properties["QueueName"] = f"{stack}-{name}.fifo"
        if impatient and each["Type"] == "AWS::SQS::Queue":
            properties["VisibilityTimeout"] = 0
            properties.get("RedrivePolicy", {})["maxReceiveCount"] = 1
    outputs = {
        name: output
        for name, output in whole["Outputs"].items()
        if output["Value"].get("Ref") in resources
    }
    settings = {name: whole[name] for name in ("Parameters", "Conditions")}
    return {**settings, "Resources": resources, "Outputs": outputs}
