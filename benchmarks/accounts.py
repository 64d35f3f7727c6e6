"""Orgs and accounts to measure with, made and asked by the API's own functions."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from typing import Any

from benchmarks.artifacts import TWIN_SEED
from benchmarks.workers import Json, Worker, Workers
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
        given = {name: str(value) for name, value in path.items()}
        made["pathParameters"] = made.get("pathParameters", {}) | given
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


def many(
    name: str, org_id: str, account_id: str = ACCOUNT, prefix: str = "bench", **path: str
) -> Iterator[Json]:
    """Make requests of a kind without end, each with an external id of its own."""
    made = event(name, org_id, account_id, **path)
    external_id = next(field for field in json.loads(made["body"]) if field.endswith("_unique_id"))
    for number in count(1):
        yield with_body(made, **{external_id: f"{prefix}-{number}"})


def many_of_invoices(name: str, org_id: str) -> Iterator[Json]:
    """Make requests for one invoice after the other, each with an external id of its own."""
    for ordinal in count(1):
        yield next(many(name, org_id, prefix=str(ordinal), invoiceId=str(ordinal)))


def new_refunds(workers: Workers, org_id: str, account_id: str = ACCOUNT) -> Iterator[Json]:
    """Record a movement with room for many refunds, and make requests for them without end."""
    made = event("movements_create", org_id, account_id)
    tax = json.loads(made["body"])["amount"]["tax"]
    amount = {"value_with_taxes": 1_210_000, "value_without_taxes": 1_000_000, "tax": tax}
    movement = workers.of("Movements")(with_body(made, amount=amount), expect=201).json
    return many("refunds_create", org_id, account_id, movementId=movement["id"])


def set_up(workers: Workers, org_id: str, account_id: str = ACCOUNT, **fields: Any) -> None:
    """Give an org and an account their profiles."""
    billing_info = workers.of("BillingInfo")
    billing_info(event("billing_info_put_org", org_id), expect=204)
    put = event("billing_info_put_account", org_id, account_id)
    billing_info(with_body(put, **fields), expect=204)


def issue(invoices: Worker, org_id: str, number: int) -> None:
    for request in islice(many("invoices_create", org_id, prefix="first"), number):
        invoices(request, expect=201)


def seed(workers: Workers, org_id: str, **more: Any) -> None:
    """Give the twin what an org has before it issues anything."""
    put = {of: event(f"billing_info_put_{of}", org_id) for of in ("org", "account")}
    profiles = {of: json.loads(each["body"]) for of, each in put.items()}
    tokens = {token(org_id, accounts): accounts for accounts in (ACCOUNT, "all")}
    made = {"org_id": org_id, "account_id": ACCOUNT, "tokens": tokens, **profiles, **more}
    workers.of(TWIN_SEED)(made)
