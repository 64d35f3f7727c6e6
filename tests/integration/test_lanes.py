"""Lanes: an org's documents in several chains and series, which do not wait for each other."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from billing import aws, clock, config
from billing.domain.billing_runs import BillingRun
from billing.domain.errors import InvalidRequestError
from billing.domain.invoices import InvoiceKey
from billing.domain.numbering import lane_of_account
from billing.domain.parties import FiscalRegime
from billing.persistence.accounts import AccountRepository
from billing.persistence.billing_runs import BillingRunRepository, lane_key, run_key
from billing.persistence.chains import ChainRepository
from billing.persistence.dynamodb import get_items_of, key_of
from billing.persistence.fiscal_items import fiscal_system
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.invoice_items import unpaid_key
from billing.persistence.lanes import behind, lane_of, list_org_wide
from billing.persistence.orgs import OrgRepository
from billing.persistence.upgrades import UpgradeRepository
from billing.services.replace_profile import replace_org
from tests.integration.billing import NOW, Runs, audited, charge, have_lanes, issued, subscribers
from tests.integration.conftest import Invoker

type Json = dict[str, Any]

EVERYWHERE = {"accounts": "*"}
UNTIL = "2026-12-27"


def _accounts(lanes: int) -> dict[str, str]:
    """Return an account of each lane, by its letter."""
    found: dict[str, str] = {}
    number = 100_001
    while len(found) < lanes:
        found.setdefault(lane_of_account(str(number), lanes).letter, str(number))
        number += 1
    return found


@pytest.fixture
def three(billed: Invoker) -> Iterator[dict[str, str]]:
    """Have three lanes, with an account in each, by their letters; and check the books after."""
    accounts = _accounts(3)
    have_lanes(billed, 3)
    for account_id in accounts.values():
        put = billed("billing_info_put_account", accountId=account_id, caller=EVERYWHERE)
        assert put.status == 204
    yield accounts
    audited(billed.org_id)


def _issue(invoke: Invoker, account_id: str, **more: Any) -> str:
    """Issue an invoice; return its number."""
    body = {"external_invoice_unique_id": uuid4().hex, **more}
    answer = invoke("invoices_create", body, caller=EVERYWHERE, accountId=account_id)
    assert answer.status == 201, answer
    [*_, newest] = issued(invoke.org_id, account_id)
    assert newest.key.ordinal == int(answer.json["id"])
    return newest.number


# ---------------------------------------------------------------- numbers and chains


def test_each_lane_numbers_in_series_of_its_own(billed: Invoker, three: dict[str, str]) -> None:
    numbers = {letter: _issue(billed, each) for letter, each in three.items()}
    again = _issue(billed, three["B"])
    noted = billed("invoices_credit", caller=EVERYWHERE, accountId=three["C"], invoiceId="1")

    year = again[2:6]
    assert numbers == {letter: f"F{letter}{year}-000001" for letter in "ABC"}
    assert again == f"FB{year}-000002"
    assert noted.status == 201
    [_, note] = issued(billed.org_id, three["C"])
    assert note.number == f"RC{year}-000001"
    ends = ChainRepository().list_lanes(billed.org_id)
    assert {lane: end.position for lane, end in ends.items()} == {"A": 1, "B": 2, "C": 2}


def test_every_dialect_reads_them(billed: Invoker, three: dict[str, str]) -> None:
    number = _issue(billed, three["C"])

    whole = billed("invoices_get_whole_by_number", invoiceNumber=number, caller=EVERYWHERE)
    v3 = billed("invoices_get_by_number", invoiceNumber=number, caller={"accounts": three["C"]})
    v2 = billed("invoices_list_of_period", accountId=three["C"], caller=EVERYWHERE, query={})

    assert (whole.status, whole.json["account_id"]) == (200, three["C"])
    assert v3.json[0]["invoiceNumber"] == number
    assert number in json.dumps(v2.json)


def test_lane_a_goes_on_with_the_chain_of_the_one_lane(billed: Invoker) -> None:
    account_id = _accounts(3)["A"]
    billed("billing_info_put_account", accountId=account_id, caller=EVERYWHERE)
    numbers = []
    for lanes in (1, 3, 1, 2):
        have_lanes(billed, lanes)
        numbers.append(_issue(billed, account_id)[:-11])

    assert numbers == ["F", "FA", "F", "FA"]
    assert ChainRepository().list_lanes(billed.org_id)["A"].position == 4
    assert audited(billed.org_id) == 4


def test_invoices_of_different_lanes_do_not_meet(
    billed: Invoker, three: dict[str, str], aws_calls: Callable[[], list[str]]
) -> None:
    for account_id in three.values():
        _issue(billed, account_id)
    others = [three["B"], three["C"]]

    def meanwhile(**_: Any) -> None:
        if others:
            _issue(billed, others.pop())

    aws_calls()
    with _before_transactions(meanwhile):
        _issue(billed, three["A"])

    assert aws_calls().count("TransactWriteItems") == 3


@contextmanager
def _before_transactions(act: Callable[..., None]) -> Iterator[None]:
    events, name = aws.dynamodb().meta.events, "before-call.dynamodb.TransactWriteItems"
    events.register(name, act, unique_id="meanwhile")
    try:
        yield
    finally:
        events.unregister(name, unique_id="meanwhile")


# ---------------------------------------------------------------- profiles and clocks


def test_what_one_lane_numbers_no_other_does(billed: Invoker, three: dict[str, str]) -> None:
    _issue(billed, three["B"])

    taken = billed("billing_info_put_org", {"invoice_series": "FB", "credit_series": "R"})
    of_notes = billed("billing_info_put_org", {"invoice_series": "G", "credit_series": "FB"})

    assert [(each.status, each.json["code"]) for each in (taken, of_notes)] == [
        (409, "SERIES_TAKEN")
    ] * 2
    assert "FB" in taken.json["message"]


def test_a_series_of_the_one_lane_is_none_of_another_lane_later(billed: Invoker) -> None:
    assert billed("billing_info_put_org", {"invoice_series": "FB"}).status == 204
    _issue(billed, "100001")

    taken = billed("billing_info_put_org", {"invoice_series": "F", "lanes": 3})

    assert (taken.status, taken.json["code"]) == (409, "SERIES_TAKEN")
    assert "FB" in taken.json["message"]


@pytest.mark.parametrize("pair", [("F", "FA"), ("FA", "F"), ("AB", "ABZ")])
def test_series_are_not_a_letter_apart(billed: Invoker, pair: tuple[str, str]) -> None:
    answer = billed(
        "billing_info_put_org", {"invoice_series": pair[0], "credit_series": pair[1], "lanes": 1}
    )

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == ["credit_series"]


def test_what_is_declared_to_an_agency_is_one_lane_and_one_chain(
    billed: Invoker, runs: Runs
) -> None:
    for each in subscribers(billed, 25):
        each.charge()
    orgs = OrgRepository()
    org, _ = orgs.get(billed.org_id)
    declared = replace(org, fiscal_regime=FiscalRegime.VERIFACTU)
    system = fiscal_system(org.id)

    with pytest.raises(InvalidRequestError) as refused:
        replace_org(
            replace(declared, lanes=2),
            now=clock.now(),
            system=system,
            versions=None,
            orgs=orgs,
        )
    replace_org(declared, now=clock.now(), system=system, versions=None, orgs=orgs)
    ended = runs.run(until=UNTIL)

    assert [each.field for each in refused.value.details] == ["lanes"]
    assert ended["invoices_issued"] == audited(billed.org_id) == 25
    assert FiscalRecordRepository().end(billed.org_id).position == 25


def test_the_tax_id_is_fixed_whatever_lane_has_issued(
    billed: Invoker, three: dict[str, str]
) -> None:
    _issue(billed, three["C"])
    have_lanes(billed, 1)

    answer = billed("billing_info_put_org", {"tax_id": "A28015865"})

    assert (answer.status, answer.json["code"]) == (409, "TAXPAYER_FIXED")


def test_a_sandbox_clock_stays_behind_no_document_of_any_lane(runs: Runs) -> None:
    invoke, account_id = Invoker(runs.invoke.org_id, sandbox=True), _accounts(3)["C"]
    have_lanes(invoke, 3)
    assert invoke("billing_info_put_account", accountId=account_id, caller=EVERYWHERE).status == 204
    assert invoke("sandbox_clock_put", {"now": "2028-02-29T11:00:00Z"}).status == 204
    _issue(invoke, account_id)
    have_lanes(invoke, 1)

    answer = invoke("sandbox_clock_put", {"now": "2027-11-21T10:00:00Z"})

    assert (answer.status, answer.json["code"]) == (409, "CLOCK_BACKWARDS")


# ---------------------------------------------------------------- runs


def test_a_run_has_a_group_for_each_lane(billed: Invoker, runs: Runs) -> None:
    have_lanes(billed, 3)
    for customer in subscribers(billed, 9):
        customer.charge()
    run = runs.start(until=UNTIL)
    runs.list_accounts()

    batches = runs.batches()

    groups = {each["attributes"]["MessageGroupId"] for each in batches}
    assert groups == {f"{billed.org_id}#{letter}" for letter in "ABC"}
    for each in batches:
        body = json.loads(each["body"])
        lanes = {lane_of_account(account_id, 3).letter for account_id in body["account_ids"]}
        assert each["attributes"]["MessageGroupId"] == f"{billed.org_id}#{lanes.pop()}"
        assert not lanes
    first, *others = batches
    for each in others:
        assert runs.again("bill_accounts", each) == {"batchItemFailures": []}
    going_on = runs.get(run)
    runs.again("bill_accounts", first)
    ended = runs.get(run)
    assert going_on["status"] == "running"
    assert 0 < going_on["accounts_done"] == going_on["invoices_issued"] < 9
    assert (ended["status"], ended["accounts_done"], ended["invoices_issued"]) == (
        "completed",
        9,
        9,
    )
    assert {each["id"]: each["accounts_done"] for each in _listed(billed)} == {run: 9}


def _listed(invoke: Invoker) -> list[Json]:
    listed: list[Json] = invoke("billing_run_list").json["billing_runs"]
    return listed


def test_lists_of_runs_count_what_lanes_have_done(billed: Invoker, runs: Runs) -> None:
    have_lanes(billed, 3)
    for each in subscribers(billed, 9):
        each.charge()
    run = runs.start(until=UNTIL)
    runs.list_accounts()
    first, *_ = runs.batches()
    runs.again("bill_accounts", first)

    [listed] = _listed(billed)

    whole = runs.get(run)
    whole.pop("failures")
    assert listed == whole
    assert 0 < listed["accounts_done"] < 9


def test_a_run_keeps_the_lanes_that_it_began_with(billed: Invoker, runs: Runs) -> None:
    customers = subscribers(billed, 9)
    for each in customers:
        each.charge()
    run = runs.start(until=UNTIL)
    have_lanes(billed, 3)
    numbers = [_issue(billed, each.account_id) for each in customers]
    runs.deliver()

    assert runs.get(run)["invoices_issued"] == 9
    by_the_run = {
        document.number[:-11]
        for each in customers
        for document in issued(billed.org_id, each.account_id)
        if document.number not in numbers
    }
    assert by_the_run == {"F"}
    assert {number[:-11] for number in numbers} == {"FA", "FB", "FC"}
    for each in customers:
        each.charge()
    have_lanes(billed, 2)
    assert runs.run(until="2027-01-27")["invoices_issued"] == 9
    have_lanes(billed, 1)
    assert runs.run(until="2027-02-27")["invoices_issued"] == 0
    assert audited(billed.org_id) == 27


def test_a_run_bills_each_account_once_however_lanes_change(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.persistence.billing_runs.LISTED_AT_ONCE", 3)
    monkeypatch.setattr("billing.persistence.billing_runs.BATCH_ACCOUNTS", 1)
    customers = subscribers(billed, 12)
    for month, lanes in enumerate((1, 5, 2, 26, 3), 1):
        have_lanes(billed, lanes)
        for each in customers:
            each.charge(100 * month)
        ended = runs.run(until=f"2027-{month:02}-27")
        assert (ended["status"], ended["invoices_issued"]) == ("completed", 12)
    for each in customers:
        each.check()
    assert audited(billed.org_id) == 60


def test_batches_of_a_lane_that_end_at_once_are_all_counted(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was given up, and came again, may still go on beside the next."""
    monkeypatch.setattr("billing.persistence.billing_runs.BATCH_ACCOUNTS", 1)
    for each in subscribers(billed, 3):
        each.charge()
    run = runs.start(until=UNTIL)
    runs.list_accounts()
    first, second, third = runs.batches()

    def meanwhile(params: Json, **_: Any) -> None:
        if "accounts_left = :accounts_left" in params["body"].decode() and not meant:
            meant.append(second)
            runs.again("bill_accounts", second)

    meant: list[Json] = []
    with _before_transactions(meanwhile):
        runs.again("bill_accounts", first)

    assert meant
    assert runs.get(run)["accounts_done"] == 2
    runs.again("bill_accounts", third)
    ended = runs.get(run)
    assert (ended["status"], ended["accounts_done"], ended["invoices_issued"]) == (
        "completed",
        3,
        3,
    )


def test_a_run_of_before_is_counted_and_billed(billed: Invoker, runs: Runs) -> None:
    """Its item, its batch and its message say nothing of lanes."""
    for each in subscribers(billed, 3):
        each.charge()
    run = runs.start(until=UNTIL)
    table = config.billing_runs_table()
    aws.dynamodb().update_item(
        TableName=table,
        Key=key_of(run_key(billed.org_id, run)),
        UpdateExpression="REMOVE lanes, listed_to",
    )
    runs.list_accounts()
    [batch] = runs.batches()
    body = json.loads(batch["body"])
    del body["lanes"]
    lane = lane_key(billed.org_id, run, "A")
    aws.dynamodb().delete_item(TableName=table, Key=key_of(lane))

    runs.again("bill_accounts", {**batch, "body": json.dumps(body)})

    ended = runs.get(run)
    assert (ended["status"], ended["accounts_done"], ended["invoices_issued"]) == (
        "completed",
        3,
        3,
    )
    assert get_items_of(table, lane) == {}


# ---------------------------------------------------------------- lists


def test_a_page_of_many_lanes_costs_about_its_rows(billed: Invoker) -> None:
    lanes, entries, limit = 10, 600, 50
    keys = []
    for number in range(entries):
        key, due = unpaid_key(InvoiceKey(billed.org_id, str(number), 1)), f"2027-{number:06}"
        letter = lane_of_account(str(number), lanes).letter
        place = {"org": {"S": lane_of(billed.org_id, letter)}, "due": {"S": due}}
        aws.dynamodb().put_item(TableName=config.invoices_table(), Item={**key_of(key), **place})
        keys.append(due)
    read: list[int] = []

    def count(parsed: Json, **_: Any) -> None:
        read.append(parsed["ScannedCount"])

    aws.dynamodb().meta.events.register("after-call.dynamodb.Query", count, unique_id="rows")
    listed: list[str] = []
    pages = 0
    while len(listed) < entries:
        after = behind(listed[-1]) if listed else ""
        page = list_org_wide(
            config.invoices_table(), "owed", billed.org_id, lanes, "due", after or "2", "~", limit
        )
        listed += [item["due"]["S"] for item in page]
        pages += 1
        assert lanes <= len(read) <= lanes + 2
        assert sum(read) <= 3 * limit
        read.clear()
    aws.dynamodb().meta.events.unregister("after-call.dynamodb.Query", unique_id="rows")

    assert listed == sorted(keys)
    assert pages == entries / limit


def test_lists_find_what_stands_in_lanes_that_are_gone(
    billed: Invoker, three: dict[str, str]
) -> None:
    numbers = {_issue(billed, each) for each in three.values()}
    charge(billed, account_id=three["C"], subscriptionId="c")
    have_lanes(billed, 1)

    owed = billed("invoices_list_of_org").json["invoices"]
    accounts = billed("billing_info_list_accounts").json["accounts"]
    org = AccountRepository().get_org(billed.org_id)
    due, _ = BillingRunRepository().list_due(BillingRun.of(org, "run", date(2027, 12, 31), NOW))

    assert {each["number"] for each in owed} == numbers
    assert set(three.values()) <= {each["account_id"] for each in accounts}
    assert due == [three["C"]]
    assert list(UpgradeRepository().list_charged_accounts(billed.org_id)) == [three["C"]]
