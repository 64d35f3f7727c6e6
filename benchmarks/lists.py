"""
Lists at size: a page of each list of the API where there are ten things, and where there are many.

Ten of each are made by the API's own functions, in two orgs. In one of them, the oldest is then
written again and again, in batches, under other ids and otherwise as the API wrote it. In the other
org, as many items stand in the same partitions, but not where a list reads: the emulator looks at
each item of a partition, and while a function waits for it, others take its place in the caches.
Nothing is to follow from those items, so the streams of the tables end here.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import batched, count, islice, repeat
from typing import Any
from urllib.parse import parse_qsl, urlencode

import boto3

from benchmarks.accounts import event, many, set_up, with_body
from benchmarks.figures import how_many, milliseconds, ratio, table
from benchmarks.workers import Call, Json, Workers, called_in_turns

TEN = 10
ROWS = 5
"""Rows of the pages that are compared: both answers have a next cursor."""
FIRST_ID = 200_000
"""Behind all that the API has counted; ids that it made at random are longer."""
INDEXED = {"by_name", "due"}
"""Attributes that indexes list items by."""
BEHIND = "\U0010ffff"
"""Behind all that lists read."""
WAIT_SECONDS = 60

HEADS = "INVOICES account#{org}#100001 invoice#0", "INVOICES account#{org}#100001 unpaid#0"
LISTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "accounts": (
        "BillingInfo", "billing_info_list_accounts", ("ACCOUNTS account#{org}#100002 profile",)
    ),
    "subscriptions": (
        "BillingInfo",
        "billing_info_list_subscriptions",
        ("ACCOUNTS account#{org}#100001 subscription#",),
    ),
    "invoices": ("Invoices", "invoices_list_of_account", HEADS),
    "invoices, unpaid": ("Invoices", "invoices_list_of_account?status=unpaid", HEADS),
    "invoices of the org, unpaid": ("Invoices", "invoices_list_of_org?status=unpaid", HEADS),
    "invoices of the org, overdue": ("Invoices", "invoices_list_of_org?status=overdue", HEADS),
    "invoices, v3": ("Invoices", "invoices_list", HEADS),
    "invoices, v3, unpaid": ("Invoices", "invoices_list_unpaid", HEADS),
    "payments": (
        "Invoices", "invoices_list_payments", ("INVOICES invoice#{org}#100001#1 payment#",)
    ),
    "payouts": ("Invoices", "invoices_list_payouts", ("INVOICES invoice#{org}#100001#1 payout#",)),
    "links": ("Share", "share_list", ("LINKS invoice#{org}#100001#1 link#",)),
    "movements": (
        "Movements", "movements_list", ("MOVEMENTS subscription#{org}#600123456 movement#",)
    ),
    "refunds": (
        "Movements",
        "movements_list_refunds",
        ("REFUNDS movement#{org}#600123456#{movementId} refund#",),
    ),
    "adjustments": (
        "Movements",
        "movements_list_adjustments",
        ("MOVEMENTS adjustment#{org}#100001 adjustment#",),
    ),
    "usage": (
        "Consumptions",
        "consumptions_list?type=voice&fromDate=2026-11-01&toDate=2026-11-30",
        ("CONSUMPTIONS subscription#{org}#600123456 voice#",),
    ),
    "billing runs": ("BillingRun", "billing_run_list", ("BILLING_RUNS runs#{org} run#",)),
    "tokens": ("Tokens", "tokens_list", ("TOKENS org#{org} token#",)),
    "events": ("Webhooks", "webhooks_list_events", ("EVENTS feed#{org} 0",)),
    "webhook deliveries": (
        "Webhooks", "webhooks_list_deliveries", ("WEBHOOKS endpoint#{org}#{endpointId} delivery#",)
    ),
}  # fmt: skip
"""
Each list: the function that answers it, the event that asks for it, and the items that it reads:
the table, the partition, and the beginning of their sort keys.
"""


def measure(workers: Workers, run: str) -> str:
    """Write the section about lists at size."""
    size, rounds = how_many("LISTED", 2000), how_many("WARM_ROUNDS", 60)
    workers.settings |= {"WEBHOOKS_TO_LOOPBACK": "false", "PUBLIC_URL": ""}
    orgs = [f"bench-{name}-{run}" for name in ("few", "more")]
    made = [{"org": org_id, **_make(workers, org_id)} for org_id in orgs]
    for ids in made:
        for last in ("events", "webhook deliveries"):
            _wait_for(workers.settings, LISTS[last][2][0].format(**ids))
    _end_streams()
    began = time.monotonic()
    for ids, listed in zip(made, (False, True), strict=True):
        for place in sorted({each.format(**ids) for *_, some in LISTS.values() for each in some}):
            _multiply(workers.settings, place, size, listed=listed)
    took = time.monotonic() - began
    rows = []
    for name, (function, asked, _) in LISTS.items():
        turns = [(workers.of(function), repeat(_page(asked, **ids))) for ids in made]
        few, more = called_in_turns(turns, rounds)
        cpu, requests = ratio(more, few, "cpu"), [calls[0].requests for calls in (few, more)]
        same = requests[1] if requests[1] != requests[0] else "the same"
        times = [milliseconds(calls) for calls in (few, more)]
        read = " / ".join(str(calls[0].read) for calls in (few, more))
        rows.append([name, *times, cpu.text(), requests[0], same, read, cpu.verdict(1.1)])
    head = [
        "a page of",
        "of ten",
        f"of {size:,}",
        "CPU",
        "requests, of ten",
        f"of {size:,}",
        "items read",
        "goal",
    ]
    return f"""### Lists at size

{ROWS} rows of each list, where there are ten things that the API has made, and where the oldest
of them was written {size:,} times more, as it is but for its id (in {took:.0f} s, by batches).
`items read` is what DynamoDB looked at for the page, of ten and of {size:,}: where that is alike,
what lies behind the page costs nothing, however much it is.

{table(head, rows)}"""


def _make(workers: Workers, org_id: str) -> dict[str, str]:
    """Make ten of everything that is listed; return the ids that are parts of paths."""

    def make(function: str, requests: Iterator[Json], expect: int = 201) -> list[Call]:
        return [workers.of(function)(each, expect) for each in islice(requests, TEN)]

    set_up(workers, org_id)
    endpoint = with_body(event("webhooks_create_endpoint", org_id), types=["invoice.issued"])
    ids = {"endpointId": make("Webhooks", iter([endpoint]))[0].json["id"]}
    for name, parameter in (("account", "accountId"), ("subscription", "subscriptionId")):
        numbers = count(100_002 if name == "account" else 600_123_457)
        puts = (
            event(f"billing_info_put_{name}", org_id, **{parameter: str(each)}) for each in numbers
        )
        make("BillingInfo", puts, 204)
    make("Invoices", many("invoices_create", org_id))
    make("Invoices", (with_body(each, amount=1) for each in many("invoices_pay", org_id)))
    make("Invoices", iter([event("invoices_credit", org_id)]))
    make("Invoices", (with_body(each, amount=1) for each in many("invoices_pay_out", org_id)))
    ids["movementId"] = make("Movements", many("movements_create", org_id))[0].json["id"]
    make("Refunds", many("refunds_create", org_id, **ids))
    make("Movements", many("movements_adjust", org_id))
    make("Consumptions", map(_usage, repeat(event("consumptions_create", org_id)), count()))
    make("BillingRun", many("billing_run_create", org_id))
    make("Tokens", repeat(event("tokens_create", org_id)))
    make("Share", repeat(event("share_create", org_id)))
    return ids


def _usage(made: Json, number: int) -> Json:
    """Change the ids of the records of a request."""
    return {**made, "body": made["body"].replace("cdr-", f"cdr-{number}-")}


def _page(asked: str, org: str, **ids: str) -> Json:
    """Make the request for a page of a list."""
    name, _, options = asked.partition("?")
    made = event(name, org, **ids)
    query = {**dict(parse_qsl(options)), "limit": str(ROWS)}
    if "/v3/" in made["rawPath"]:
        made["headers"]["ranged-data"] = f"start=0,results={ROWS}"
        return made
    return {**made, "queryStringParameters": query, "rawQueryString": urlencode(query)}


def _items(settings: Mapping[str, str], place: str) -> tuple[str, list[Json]]:
    """Read the items of a place, in their order, and the name of their table."""
    table_of, partition, beginning = place.split()
    name = settings[f"{table_of}_TABLE"]
    found = boto3.client("dynamodb").query(
        TableName=name,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :beginning)",
        ExpressionAttributeValues={":pk": {"S": partition}, ":beginning": {"S": beginning}},
    )
    return name, found["Items"]


def _wait_for(settings: Mapping[str, str], place: str) -> None:
    """Wait until ten things have come by a stream."""
    for _ in range(WAIT_SECONDS):
        if len(_items(settings, place)[1]) >= TEN:
            return
        time.sleep(1)
    raise RuntimeError(f"Nothing has come to {place}")


def _end_streams() -> None:
    """Have no function follow the tables any more."""
    functions: Any = boto3.client("lambda")
    for each in functions.list_event_source_mappings()["EventSourceMappings"]:
        if ":dynamodb:" in each["EventSourceArn"]:
            functions.delete_event_source_mapping(UUID=each["UUID"])


def _multiply(settings: Mapping[str, str], place: str, size: int, *, listed: bool) -> None:
    """Write the first item of a place again and again; behind all lists, if not `listed`."""
    name, [first, *_] = _items(settings, place)
    own = first["pk" if first["sk"]["S"] == "profile" else "sk"]["S"].split("#")[-1]
    if not listed:
        apart = {"sk", *(INDEXED & first.keys())}
        first |= {each: {"S": f"{BEHIND}{first[each]['S']}"} for each in apart}
    client: Any = boto3.client("dynamodb")
    for numbers in batched(range(FIRST_ID, FIRST_ID + size), 25, strict=False):
        puts = [{"PutRequest": {"Item": _renamed(first, own, number)}} for number in numbers]
        if client.batch_write_item(RequestItems={name: puts})["UnprocessedItems"]:
            raise RuntimeError(f"{name} is too busy")


def _renamed(item: Json, own: str, number: int) -> Json:
    """Return an item under another id, wherever that stands in it."""
    new = str(number).zfill(len(own))

    def text(value: Any) -> Any:
        return value.replace(own, new) if isinstance(value, str) else value

    more = {"ordinal": {"N": str(number)}} if "ordinal" in item else {}
    return {
        name: {kind: text(value) for kind, value in each.items()} for name, each in item.items()
    } | more
