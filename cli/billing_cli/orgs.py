"""The org that a command is about: how it is named, whether there is one, and what time it has."""

from datetime import datetime

import click
from pydantic import TypeAdapter, ValidationError

from billing import clock
from billing.dialects.fields import Id
from billing.domain.errors import NotFoundError
from billing.persistence.accounts import AccountRepository
from billing.persistence.org_time import get_clock
from billing.persistence.tokens import TokenRepository


def _org(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        org_id: str = TypeAdapter(Id).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"]) from error
    return org_id


org_option = click.option("--org", required=True, callback=_org, help="Id of the org.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print a line of JSON for each, as the API has it."
)


def check_org(org: str) -> None:
    """Raise an error if an org has neither a profile nor a token."""
    try:
        AccountRepository().get_org(org)
    except NotFoundError:
        if not TokenRepository().list_page(org, None, 1):
            raise click.ClickException(f"There is no org {org}.") from None


def time_of(org: str) -> datetime:
    """Return the current time of an org; a sandbox may have set its own."""
    return get_clock(org).now or clock.now()
