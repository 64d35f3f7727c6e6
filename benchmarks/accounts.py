"""Orgs and accounts to measure with, made and asked by the API's own functions."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from typing import Any

from benchmarks.workers import Json, Worker
from local.stack import ROOT

SANDBOX = "sandbox"
ACCOUNT = "100001"
"""The account of the events."""


def event(name: str, org_id: str, account_id: str = ACCOUNT, **path: str | int) -> Json:
    """Read an event of events/, for another org, account and other path parameters."""
    text = (ROOT / "events" / f"{name}.json").read_text()
    made: Json = json.loads(text.replace("demo", org_id).replace(ACCOUNT, account_id))
    if "routeKey" in made:
        url = made["routeKey"].split(" ")[-1]
        made["pathParameters"] = made.get("pathParameters", {}) | {
            k: str(v) for k, v in path.items()
        }
        for parameter, value in made["pathParameters"].items():
            url = url.replace(f"{{{parameter}}}", value)
        made["headers"]["private-token"] = token(org_id, account_id if "/v3/" in url else "all")
        made["rawPath"] = made["requestContext"]["http"]["path"] = url
    return made


@cache
def token(org_id: str, accounts: str) -> str:
    """
    Make an admin's token, by the command line as an operator does: v3 takes one account's.

    Where it is the org's first, the org is a sandbox if its name says so.
    """
    options = ["--org", org_id, "--role", "admin", "--accounts", accounts, "--name", "bench"]
    options += ["--sandbox"] if SANDBOX in org_id else []
    command = [sys.executable, "-m", "billing_cli", "token", "create", *options]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return told.split()[-1]


def with_body(made: Json, **fields: Any) -> Json:
    """Change fields of a request's body."""
    return {**made, "body": json.dumps({**json.loads(made["body"]), **fields})}


def page(
    org_id: str, start: int, results: int, account_id: str = ACCOUNT, name: str = "invoices_list"
) -> Json:
    """Ask for a page of an account's invoices."""
    made = event(name, org_id, account_id)
    made["headers"]["ranged-data"] = f"start={start},results={results}"
    return made


def new_invoices(org_id: str, account_id: str = ACCOUNT, prefix: str = "b") -> Iterator[Json]:
    """Make requests for invoices without end."""
    made = event("invoices_create", org_id, account_id)
    for number in count(1):
        yield with_body(made, external_invoice_unique_id=f"{prefix}-{account_id}-{number}")


def new_refunds(org_id: str, movement_id: str, account_id: str = ACCOUNT) -> Iterator[Json]:
    """Make requests for refunds of a movement without end."""
    made = event("refunds_create", org_id, account_id, movementId=movement_id)
    for number in count(1):
        yield with_body(made, external_refund_unique_id=f"{account_id}-{movement_id}-{number}")


def new_movement(movements: Worker, org_id: str, account_id: str = ACCOUNT) -> str:
    """Record a movement with room for many refunds, and return its id."""
    made = event("movements_create", org_id, account_id)
    tax = json.loads(made["body"])["amount"]["tax"]
    amount = {"value_with_taxes": 1_210_000, "value_without_taxes": 1_000_000, "tax": tax}
    request = with_body(made, external_movement_unique_id=f"m-{account_id}", amount=amount)
    return str(movements(request, expect=201).json["id"])


def set_up(billing_info: Worker, org_id: str, account_id: str = ACCOUNT, **fields: Any) -> None:
    """Give an org and an account their profiles."""
    billing_info(event("billing_info_put_org", org_id), expect=204)
    put = event("billing_info_put_account", org_id, account_id)
    billing_info(with_body(put, **fields), expect=204)


def issue(invoices: Worker, org_id: str, number: int, account_id: str = ACCOUNT) -> None:
    for request in islice(new_invoices(org_id, account_id, "first"), number):
        invoices(request, expect=201)


def seed(twins: Worker, org_id: str, **more: Any) -> None:
    """Give the twin what an org has before it issues anything."""
    put_org, put_account = (event(f"billing_info_put_{of}", org_id) for of in ("org", "account"))
    twins(
        {
            "org_id": org_id,
            "account_id": ACCOUNT,
            "tokens": {token(org_id, accounts): accounts for accounts in (ACCOUNT, "all")},
            "org": json.loads(put_org["body"]),
            "account": json.loads(put_account["body"]),
            **more,
        }
    )
