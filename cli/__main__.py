"""
`python -m cli`: tokens and audits, against the local stack or AWS.

It finds the tables by the outputs of the CloudFormation stack (`--stack`, by default `billing`),
with whatever credentials and endpoint boto3 finds.
"""

import os
import re
from datetime import datetime

import boto3
import click

from billing import clock
from billing.domain.errors import BillingError
from billing.domain.tokens import Role
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.tokens import TokenRepository
from billing.services.audit import audit_invoices
from billing.services.issue_token import issue_token

@click.group()
@click.option("--stack", default="billing", show_default=True, help="The CloudFormation stack.")
def cli(stack: str) -> None:
    """Run the billing API: tokens and audits."""
    described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    for output in described["Outputs"]:
        setting = re.sub(r"(?<!^)(?=[A-Z])", "_", output["OutputKey"]).upper()
        os.environ.setdefault(setting, output["OutputValue"])


@cli.group()
def token() -> None:
    """Make, list and revoke tokens."""


@token.command("create")
@click.option("--org", required=True, help="The org that the token reaches.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--name", required=True, help="To know the token by.")
@click.option(
    "--accounts", default="all", show_default=True, help="The accounts it reaches, with commas."
)
@click.option("--expires", type=click.DateTime(), help="When it ends (UTC); never without.")
def create_token(
    org: str, role: str, name: str, accounts: str, expires: datetime | None
) -> None:
    """Make a token and print it: the only time it is shown."""
    _, secret = issue_token(
        org,
        name,
        Role(role),
        None if accounts == "all" else frozenset(accounts.split(",")),
        expires.replace(tzinfo=clock.now().tzinfo) if expires else None,
        now=clock.now(),
        tokens=TokenRepository(),
    )
    click.echo(secret)


@token.command("list")
@click.option("--org", required=True, help="The org whose tokens to list.")
def list_tokens(org: str) -> None:
    """List the tokens of an org, without their secrets."""
    for grant in TokenRepository().list_grants(org):
        accounts = "all accounts" if grant.accounts is None else ",".join(sorted(grant.accounts))
        expires = f"until {grant.expires_at:%Y-%m-%d %H:%M}Z" if grant.expires_at else "for ever"
        click.echo(
            f"{grant.id}  …{grant.last_four}  {grant.role:<6}  {accounts}  {expires}  {grant.name}"
        )


@token.command("revoke")
@click.option("--org", required=True, help="The org whose token it is.")
@click.argument("token_id")
def revoke_token(org: str, token_id: str) -> None:
    """Revoke a token; the gateway forgets it within a minute."""
    TokenRepository().revoke(org, token_id)


@cli.command()
@click.option("--org", required=True, help="The org whose invoices to verify.")
def audit(org: str) -> None:
    """Verify numbers, hash chain and totals of all invoices of an org."""
    numbers = faults = 0
    for number, found in audit_invoices(org, invoices=InvoiceRepository()):
        numbers += 1
        faults += len(found)
        for fault in found:
            click.secho(f"{number}: {fault}", fg="red")
        if numbers % 1000 == 0:
            click.echo(f"{numbers} documents …")
    click.echo(f"{numbers} documents, {faults} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    try:
        cli(standalone_mode=True)
    except BillingError as error:
        raise SystemExit(error.message) from error
