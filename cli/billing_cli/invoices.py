"""Look at one invoice."""

import click

from billing.dialects.v1.invoices import InvoiceResponseDTO
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.payments import PaymentRepository
from billing.services.read_invoice import read_invoice
from billing_cli.orgs import check_org, org_option, time_of
from billing_cli.stack import StackGroup


@click.group(cls=StackGroup)
def invoice() -> None:
    """Look at invoices and credit notes."""


@invoice.command("show")
@org_option
@click.argument("number")
def show_invoice(org: str, number: str) -> None:
    """
    Print a document by its number, such as F2026-000001.

    It is JSON, as `GET …/invoices/{id}` has it.
    """
    check_org(org)
    invoices = InvoiceRepository()
    key = invoices.find_number(org, number)
    if key is None:
        raise click.ClickException(f"{org} has no document {number}.")
    whole = read_invoice(key, invoices=invoices, payments=PaymentRepository())
    click.echo(InvoiceResponseDTO.from_whole(whole, time_of(org)).model_dump_json(indent=2))
