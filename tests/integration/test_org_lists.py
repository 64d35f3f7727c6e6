"""Lists of a whole org: its accounts by name, and its billing runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing import aws, clock, config
from billing.domain.billing_runs import BillingRun
from billing.domain.names import MAX_BYTES, folded, sortable
from billing.persistence.accounts import account_key
from billing.persistence.billing_runs import BillingRunRepository
from billing.persistence.dynamodb import key_of
from billing.persistence.lanes import lane_of
from tests.integration.billing import have_lanes
from tests.integration.callers import TOKEN_ID
from tests.integration.conftest import Answer, Invoker

pytestmark = pytest.mark.moto

EVERYWHERE = {"accounts": "*"}
ACCOUNTS, RUNS = "billing_info_list_accounts", "billing_run_list"
NAMES = {
    "1": "Ana",
    "2": "ÁNA Pérez",
    "3": "ana\u0301 perez",
    "4": "Anabel",
    "5": "Bea",
    "6": "Ánxel",
    "7": "Œuvre & Søn",
    "8": "Straße 9",
    "9": "李雷",
}

type Json = dict[str, Any]


@pytest.fixture
def named(invoke: Invoker) -> Invoker:
    """Call functions in the name of an org with accounts of several names."""
    assert invoke("billing_info_put_org").status == 204
    for account_id, name in NAMES.items():
        _put(invoke, account_id, name)
    return invoke


# ---------------------------------------------------------------- accounts


def test_lists_accounts_by_name(named: Invoker) -> None:
    pages = _pages(named, ACCOUNTS, "accounts", limit=4)

    assert [len(page) for page in pages] == [4, 4, 1]
    listed = [each["account_id"] for page in pages for each in page]
    assert listed == ["1", "2", "3", "4", "6", "5", "8", "7", "9"]
    assert pages[0][0] == {
        "account_id": "1",
        "name": "Ana",
        "company_name": None,
        "email": "ana@example.com",
        "country": "ES",
        "closed": False,
    }


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ana", ["1", "2", "3", "4"]),
        ("ANÁ", ["1", "2", "3", "4"]),
        ("a\u0301na p", ["2", "3"]),
        ("an", ["1", "2", "3", "4", "6"]),
        ("STRASSE", ["8"]),
        ("stra\u00dfe 9", ["8"]),
        ("李", ["9"]),
        ("perez", []),
        ("%", []),
        ("ana\t", []),
        ("z", []),
        ("\U0010ffff", []),
        ("", sorted(NAMES)),
    ],
)
def test_finds_accounts_by_the_beginning_of_their_names(
    named: Invoker, name: str, found: list[str]
) -> None:
    pages = _pages(named, ACCOUNTS, "accounts", limit=2, name=name)

    assert sorted(each["account_id"] for page in pages for each in page) == found


def test_an_account_is_listed_by_its_name_of_today(named: Invoker) -> None:
    _put(named, "5", "Ánabella", closed=True)

    found = [each for page in _pages(named, ACCOUNTS, "accounts", 9, name="anab") for each in page]

    assert [(each["account_id"], each["closed"]) for each in found] == [("4", False), ("5", True)]
    assert _pages(named, ACCOUNTS, "accounts", 9, name="bea") == [[]]


def test_who_was_renamed_before_the_index_saw_it_is_left_out(
    named: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.dynamodb().update_item(
        TableName=config.accounts_table(),
        Key=key_of(account_key(named.org_id, "5")),
        UpdateExpression="SET by_name = :name",
        ExpressionAttributeValues={":name": {"S": "ana\t5"}},
    )

    found = [each for page in _pages(named, ACCOUNTS, "accounts", 2, name="ana") for each in page]

    assert sorted(each["account_id"] for each in found) == ["1", "2", "3", "4"]


def test_long_names_are_sorted_by_their_beginning_and_found_by_all_of_it(named: Invoker) -> None:
    same = "Ⓐ" * 199  # each takes one byte once folded, and three before
    longer = "木" * 150
    for account_id, name in {"10": same + "b", "11": same + "c", "12": longer}.items():
        _put(named, account_id, name)

    assert _found(named, same) == ["10", "11"]
    assert _found(named, same + "C") == ["11"]
    assert _found(named, longer) == ["12"]
    assert _found(named, longer[:-1] + "林") == []


def test_folding_is_bounded_whole_characters() -> None:
    assert (folded("ÅNGSTRÖM İ ﬁ"), folded(folded("ﷺ"))) == ("angstrom i fi", folded("ﷺ"))
    assert len(sortable("ﷺ" * 200).encode()) <= MAX_BYTES
    assert sortable("木" * 200) == "木" * (MAX_BYTES // 3)


def test_the_lanes_of_an_org_are_merged(named: Invoker) -> None:
    have_lanes(named, 2)
    for account_id in ("2", "5", "9"):
        aws.dynamodb().update_item(
            TableName=config.accounts_table(),
            Key=key_of(account_key(named.org_id, account_id)),
            UpdateExpression="SET org = :org",
            ExpressionAttributeValues={":org": {"S": lane_of(named.org_id, "B")}},
        )

    pages = _pages(named, ACCOUNTS, "accounts", limit=4)

    listed = [each["account_id"] for page in pages for each in page]
    assert listed == ["1", "2", "3", "4", "6", "5", "8", "7", "9"]


# ---------------------------------------------------------------- runs


def test_lists_runs_newest_first_and_those_of_the_schedule_too(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime(2026, 11, 26, 12, tzinfo=UTC)
    ids = []
    for minutes in range(3):
        at = began + timedelta(minutes=minutes)
        monkeypatch.setattr("billing.clock.now", lambda at=at: at)
        run = BillingRun(billed.org_id, f"daily-2026-11-{minutes:02}", at.date(), at)
        BillingRunRepository().add(run, None)
        ids += [run.id, _start(billed, str(minutes))]

    pages = _pages(billed, RUNS, "billing_runs", limit=4)

    assert [len(page) for page in pages] == [4, 2]
    listed = [each for page in pages for each in page]
    assert {each["id"] for each in listed} == set(ids)
    assert [each["created_at"][14:16] for each in listed] == ["02", "02", "01", "01", "00", "00"]
    for each in listed:
        whole = billed("billing_run_get", runId=each["id"]).json
        assert whole == {**each, "failures": []}


def test_a_replay_lists_a_run_once(billed: Invoker) -> None:
    assert _start(billed, "one") == _start(billed, "one")

    assert len(_pages(billed, RUNS, "billing_runs", 9)[0]) == 1


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("event", [ACCOUNTS, RUNS, "billing_run_get", "invoices_list_of_org"])
def test_a_reader_of_all_accounts_may_read_and_one_of_some_may_not(
    billed: Invoker, event: str
) -> None:
    path: Any = {"runId": _start(billed, "one")} if event == "billing_run_get" else {}

    answers = [
        billed(event, caller={"role": role, "accounts": accounts}, **path)
        for role, accounts in [("reader", "*"), ("admin", "100001"), ("reader", "100001,100002")]
    ]

    assert [each.status for each in answers] == [200, 403, 403]


def test_a_cursor_is_of_one_list_caller_and_query(named: Invoker) -> None:
    for external_id in "ab":
        _start(named, external_id)
    accounts = _page(named, ACCOUNTS, name="ana").json["next_cursor"]
    runs = _page(named, RUNS).json["next_cursor"]

    assert _page(named, ACCOUNTS, name="ana", cursor=accounts).status == 200
    assert _page(named, RUNS, cursor=runs).status == 200
    other = {"accounts": "*", "token_id": TOKEN_ID[::-1]}
    assert {
        _page(named, ACCOUNTS, cursor=accounts).status,
        _page(named, ACCOUNTS, name="an", cursor=accounts).status,
        _page(named, ACCOUNTS, name="ana", cursor=accounts[:-2]).status,
        _page(named, ACCOUNTS, name="ana", cursor=accounts, caller=other).status,
        _page(named, ACCOUNTS, name="ana", cursor=runs).status,
        _page(named, RUNS, cursor=accounts).status,
        _page(named, RUNS, cursor=runs, caller=other).status,
        _page(named, RUNS, cursor="x").status,
    } == {400}


@pytest.mark.parametrize(
    ("event", "calls"),
    [(ACCOUNTS, ["GetItem", "Query", "BatchGetItem"]), (RUNS, ["Query", "BatchGetItem"])],
)
def test_a_page_costs_its_rows_at_any_depth(
    named: Invoker, aws_calls: Callable[[], list[str]], event: str, calls: list[str]
) -> None:
    for number in range(9):
        _start(named, str(number))
    read: list[int] = []

    def count(parsed: Json, **_: Any) -> None:
        read.append(parsed.get("ScannedCount", 0))

    aws.dynamodb().meta.events.register("after-call.dynamodb.Query", count, unique_id="rows")
    cursor, pages = None, 0
    while cursor or not pages:
        aws_calls()
        answer = _page(named, event, limit="4", **({"cursor": cursor} if cursor else {}))
        cursor, pages = answer.json["next_cursor"], pages + 1
        assert aws_calls() == calls
    aws.dynamodb().meta.events.unregister("after-call.dynamodb.Query", unique_id="rows")

    assert read == [5, 5, 1]


def _put(invoke: Invoker, account_id: str, name: str, **more: Any) -> None:
    answer = invoke(
        "billing_info_put_account", {"name": name, **more}, caller=EVERYWHERE, accountId=account_id
    )
    assert answer.status == 204, answer


def _found(invoke: Invoker, name: str) -> list[str]:
    pages = _pages(invoke, ACCOUNTS, "accounts", 9, name=name)
    return [each["account_id"] for page in pages for each in page]


def _start(invoke: Invoker, external_id: str) -> str:
    until = (clock.now() - timedelta(days=3)).date().isoformat()
    body = {"until": until, "external_billing_run_unique_id": external_id}
    answer = invoke("billing_run_create", body)
    assert answer.status == 201, answer
    return str(answer.json["id"])


def _page(invoke: Invoker, event: str, caller: Json | None = None, **query: str) -> Answer:
    return invoke(event, caller=caller, query={"limit": "1", **query})


def _pages(invoke: Invoker, event: str, things: str, limit: int, **query: str) -> list[list[Json]]:
    """Read all pages of a list."""
    pages: list[list[Json]] = []
    cursor = None
    while cursor or not pages:
        asked = {**query, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        answer = invoke(event, query=asked)
        assert answer.status == 200, answer
        pages.append(answer.json[things])
        cursor = answer.json["next_cursor"]
    return pages
