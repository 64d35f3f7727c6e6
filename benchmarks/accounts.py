"""Orgs and accounts to measure with: small ones by the API's functions, a large one directly."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import batched
from multiprocessing.pool import ThreadPool
from typing import Any

from benchmarks.workers import Json, Worker
from billing import clock, config
from billing.aws import dynamodb
from billing.domain.invoices import InvoiceKey
from billing.domain.tokens import EVERY_ACCOUNT, Reach, Role
from billing.persistence import invoices as stored
from billing.persistence.dynamodb import Key, joined, key_of
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.tokens import TokenRepository
from billing.services.issue_token import issue_token
from local.stack import ROOT

UNPAID_EVERY = 4
"""In the large account, one of so many invoices is unpaid."""
OF_ALL_ACCOUNTS = {"billing_info_put_org", "billing_run_create", "location_tax_put"}
"""Events that take a token of all accounts."""


def event(name: str, org_id: str, account_id: str = "100001", **path: str | int) -> Json:
    """Read an event of events/, for another org, account and other path parameters."""
    text = (ROOT / "events" / f"{name}.json").read_text()
    made: Json = json.loads(text.replace("demo", org_id).replace("100001", account_id))
    parameters = {**made.get("pathParameters", {}), **{k: str(v) for k, v in path.items()}}
    if parameters:
        url = made["routeKey"].split(" ")[-1]
        for parameter, value in parameters.items():
            url = url.replace(f"{{{parameter}}}", value)
        made["pathParameters"] = parameters
        made["rawPath"] = made["requestContext"]["http"]["path"] = url
    if "private-token" in made.get("headers", {}):
        accounts = "*" if name in OF_ALL_ACCOUNTS else account_id
        made["headers"]["private-token"] = token(org_id, accounts)
        # What an authorizer would say, for the functions that ours are compared with.
        caller = {"org_id": org_id, "role": "admin", "accounts": accounts, "expires_at": ""}
        made["requestContext"]["authorizer"] = {"lambda": caller}
    return made


@cache
def token(org_id: str, accounts: str) -> str:
    """Make an admin's token that reaches one account, or all: `*`."""
    reach = EVERY_ACCOUNT if accounts == "*" else Reach.of([accounts])
    now, tokens = clock.now(), TokenRepository()
    return issue_token(org_id, "bench", Role.ADMIN, reach, None, now=now, tokens=tokens)[1]


def with_body(made: Json, **fields: Any) -> Json:
    """Change fields of a request's body."""
    return {**made, "body": json.dumps({**json.loads(made["body"]), **fields})}


def page(org_id: str, start: int, results: int, account_id: str = "100001") -> Json:
    """Ask for a page of an account's invoices."""
    made = event("invoices_list", org_id, account_id)
    made["headers"] = {**made["headers"], "ranged-data": f"start={start},results={results}"}
    return made


def new_invoices(org_id: str, account_id: str = "100001", prefix: str = "b") -> Iterator[Json]:
    """Make requests for invoices without end."""
    made = event("invoices_create", org_id, account_id)
    number = 0
    while True:
        number += 1
        yield with_body(made, external_invoice_unique_id=f"{prefix}-{account_id}-{number}")


def set_up(billing_info: Worker, org_id: str, account_id: str = "100001", **fields: Any) -> None:
    """Give an org and an account their profiles."""
    billing_info(event("billing_info_put_org", org_id), expect=204)
    put = event("billing_info_put_account", org_id, account_id)
    billing_info(with_body(put, **fields), expect=204)


def issue(invoices: Worker, org_id: str, count: int, account_id: str = "100001") -> None:
    for _, request in zip(range(count), new_invoices(org_id, account_id, "first"), strict=False):
        invoices(request, expect=201)


def fill(org_id: str, account_id: str, count: int) -> None:
    """Fill an account that has one invoice up to a count: see rows()."""
    with ThreadPool(4) as pool:
        made = batched(rows(org_id, account_id, count), 25, strict=False)
        for _ in pool.imap_unordered(_write, made):
            pass


def _write(items: tuple[tuple[Key, Json], ...]) -> None:
    table = config.invoices_table()
    request: Any = {
        table: [{"PutRequest": {"Item": {**key_of(key), **item}}} for key, item in items]
    }
    while request:
        request = dynamodb().batch_write_item(RequestItems=request).get("UnprocessedItems")


def rows(org_id: str, account_id: str, count: int) -> Iterator[tuple[Key, Json]]:
    """
    Make the rows of a large account out of its one invoice, in the repository's own shapes.

    The heads of all invoices are there, what lists and counts read of them, and the number of
    each; only the whole records are left out, as nothing that is measured reads those.
    """
    _, first = InvoiceRepository().get(InvoiceKey(org_id, account_id, 1))
    yield stored._summary_key(first.key), stored._summary_item(first)
    yield stored._unpaid_key(first.key), {"description": {"S": first.description}}
    series = first.number.rsplit("-", 1)[0]
    account = stored._account(org_id, account_id)
    today = datetime.now(UTC).date()
    days: dict[date, list[int]] = {}
    blocks: dict[int, int] = {}
    for ordinal in range(2, count + 1):
        day = today - timedelta(days=(count - ordinal) * 365 // count)
        unpaid = ordinal % UNPAID_EVERY == 0
        number = f"{series}-{ordinal:06}"
        key = InvoiceKey(org_id, account_id, ordinal)
        settled = replace(first.settlement, paid=first.gross, settled_at=first.issued_at)
        summary = replace(
            first,
            key=key,
            number=number,
            issue_date=day,
            settlement=first.settlement if unpaid else settled,
        )
        days.setdefault(day, []).append(ordinal)
        yield stored._summary_key(key), stored._summary_item(summary)
        yield (
            (joined("number", org_id, series), f"{ordinal:010}"),
            {
                "account_id": {"S": account_id},
                "ordinal_of_account": {"N": str(ordinal)},
                "hash_of_record": {"S": first.hash},
                "previous_hash": {"S": first.hash},
            },
        )
        if unpaid:
            blocks[ordinal // 1000] = blocks.get(ordinal // 1000, 0) + 1
            yield stored._unpaid_key(key), {"description": {"S": first.description}}
    blocks[0] = blocks.get(0, 0) + 1  # the first invoice itself
    for block, unpaid_there in blocks.items():
        key_of_block = (account, joined("unpaid-block", f"{block:010}"))
        yield key_of_block, {"unpaid": {"N": str(unpaid_there)}}
    for day, ordinals in days.items():
        item = {
            "first_ordinal": {"N": str(ordinals[0])},
            "last_ordinal": {"N": str(ordinals[-1])},
        }
        yield (account, joined("day", day.isoformat())), item
    yield (
        stored._totals_key(org_id, account_id),
        {
            "invoices": {"N": str(count)},
            "issue_date": {"S": today.isoformat()},
            "unpaid": {"N": str(sum(blocks.values()))},
        },
    )
    yield (
        stored._series_key(org_id, series),
        {
            "last_sequence": {"N": str(count)},
            "last_hash": {"S": first.hash},
            "issue_date": {"S": today.isoformat()},
        },
    )
