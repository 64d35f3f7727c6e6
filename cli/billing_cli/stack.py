"""The stack that commands work on: its tables and queues, by the outputs of CloudFormation."""

import os
import re
from functools import cache
from typing import Any

import boto3
import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from billing.domain.errors import BillingError


class StackCommand(click.Command):
    """A command that finds its stack before it runs, and not before its --help is shown."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command, and word what goes wrong."""
        try:
            connect(context.find_root().params["stack"])
            return super().invoke(context)
        except BillingError as error:
            raise click.ClickException(error.message) from error
        except NoRegionError as error:
            raise click.ClickException(
                "No AWS region is set: export AWS_DEFAULT_REGION=… with that of the stack."
            ) from error
        except NoCredentialsError as error:
            raise click.ClickException(
                "No AWS credentials were found: run `aws configure`, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            ) from error
        except EndpointConnectionError as error:
            raise click.ClickException(
                f"{error} Is AWS_DEFAULT_REGION a region of AWS, and the network up?"
            ) from error
        except (BotoCoreError, ClientError) as error:
            raise click.ClickException(f"AWS: {error}") from error


class StackGroup(click.Group):
    """A group of such commands."""

    command_class = StackCommand
    group_class = type


def connect(name: str) -> None:
    """Set what the code of the functions reads from its environment."""
    for output, value in outputs(name).items():
        setting = re.sub(r"(?<!^)(?=[A-Z])", "_", output).upper()
        os.environ.setdefault(setting, value)


@cache
def outputs(name: str) -> dict[str, str]:
    """Read the outputs of the stack."""
    cloudformation = boto3.client("cloudformation")
    try:
        described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            raise click.ClickException(
                f"There is no stack {name} in {cloudformation.meta.region_name}: name it with "
                "--stack, and its region with AWS_DEFAULT_REGION."
            ) from error
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def resources(name: str, kind: str) -> dict[str, str]:
    """Read what was created of a kind: physical ids by their names in the template."""
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources")
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages.paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == kind
    }
