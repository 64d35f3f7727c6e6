"""Versions of profiles, and what the first document of an org fixes for ever."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from billing import clock
from billing.persistence.accounts import AccountRepository
from billing.persistence.chains import ChainRepository
from billing.persistence.orgs import OrgRepository
from billing.services.audit import audit_invoices
from billing.services.replace_profile import replace_account, replace_org
from tests.integration.billing import Runs, audited, charge, issued
from tests.integration.conftest import Answer, Invoker

pytestmark = pytest.mark.moto

ORG, ACCOUNT = "billing_info_put_org", "billing_info_put_account"
PROFILES = pytest.mark.parametrize("event", [ORG, ACCOUNT])
ANOTHER_TAX_ID = "B58378431"
"""Not that of the org in the events."""
ACCOUNTS = {"accounts": "*"}


def _tag(billed: Invoker, event: str) -> str:
    return billed(event.replace("put", "get")).headers["etag"]


@PROFILES
def test_a_profile_has_a_version(billed: Invoker, event: str) -> None:
    first = _tag(billed, event)
    said_already = billed(event)
    changed = billed(event, {"email": "other@example.com"})

    assert first == '"1"'
    assert (said_already.status, said_already.headers["etag"]) == (204, first)
    assert (changed.status, changed.headers["etag"]) == (204, '"2"')
    assert _tag(billed, event) == '"2"'


@PROFILES
@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        pytest.param('"2"', 204, id="the version that is there"),
        pytest.param('"7", "2"', 204, id="one of several"),
        pytest.param("*", 204, id="any"),
        pytest.param('"1"', 412, id="the version before"),
        pytest.param('W/"2"', 412, id="a weak one"),
        pytest.param("2", 412, id="no tag"),
    ],
)
def test_honours_if_match(billed: Invoker, event: str, if_match: str, status: int) -> None:
    billed(event, {"email": "second@example.com"})

    answer = billed(event, {"email": "third@example.com"}, headers={"if-match": if_match})

    assert answer.status == status
    told = billed(event.replace("put", "get"))
    assert told.json["email"] == ("third@example.com" if status == 204 else "second@example.com")
    assert told.headers["etag"] == ('"3"' if status == 204 else '"2"')


@PROFILES
@pytest.mark.parametrize("if_match", ["*", '"0"', '"1"'])
def test_if_match_creates_no_profile(invoke: Invoker, event: str, if_match: str) -> None:
    answer = invoke(event, headers={"if-match": if_match})

    assert (answer.status, answer.json["code"]) == (412, "PRECONDITION_FAILED")
    assert invoke(event.replace("put", "get")).status == 404


@PROFILES
def test_says_the_same_again_when_the_first_answer_was_lost(billed: Invoker, event: str) -> None:
    change, known = {"email": "second@example.com"}, {"if-match": '"1"'}
    billed(event, change, headers=known)

    again = billed(event, change, headers=known)

    assert (again.status, again.headers["etag"]) == (204, '"2"')


@pytest.mark.faults
@pytest.mark.moto_differs("threads break its conditions")
def test_of_many_that_know_one_version_one_replaces_it(billed: Invoker) -> None:
    org, version = OrgRepository().get(billed.org_id)
    account, _, _ = AccountRepository().get_with_cycle(billed.org_id, "100001")

    def change_org(number: int) -> int:
        changed = _with_email(org, number)
        return replace_org(
            changed, now=clock.now(), versions={version}, orgs=OrgRepository(), system=None
        )

    def change_account(number: int) -> int:
        changed = _with_email(account, number)
        accounts = AccountRepository()
        return replace_account(
            billed.org_id,
            changed,
            names_vat_status=True,
            versions={version},
            accounts=accounts,
        )

    for change in (change_org, change_account):
        with ThreadPoolExecutor(8) as hands:
            done = [hands.submit(change, number) for number in range(8)]
        versions = [each.result() for each in done if not each.exception()]
        assert versions == [version + 1]
        assert {type(each.exception()).__name__ for each in done} == {
            "NoneType",
            "PreconditionFailedError",
        }


def _with_email(profile: Any, number: int) -> Any:
    return replace(profile, email=f"hand{number}@example.com")


# ------------------------------------------------------------------------- one taxpayer


def test_the_country_of_an_org_is_fixed(billed: Invoker) -> None:
    address = {"street": "Unter 1", "postal_code": "10115", "city": "Berlin", "country": "DE"}

    answer = billed(ORG, {"address": address, "tax_id": "DE136695976"})

    assert (answer.status, answer.json["code"]) == (409, "TAXPAYER_FIXED")
    assert [each["field"] for each in answer.json["details"]] == ["address.country"]
    assert _tag(billed, ORG) == '"1"'


def test_the_tax_id_of_an_org_is_fixed_once_it_has_issued(billed: Invoker) -> None:
    before = billed(ORG, {"tax_id": ANOTHER_TAX_ID})
    billed("invoices_create")

    after = billed(ORG)
    other = billed(ORG, {"tax_id": ANOTHER_TAX_ID, "email": "new@example.com"})

    assert (before.status, other.status) == (204, 204)
    assert (after.status, after.json["code"]) == (409, "TAXPAYER_FIXED")
    assert ANOTHER_TAX_ID in after.json["message"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"tax_id": ANOTHER_TAX_ID}, id="another tax id"),
        pytest.param({"invoice_series": "R", "credit_series": "F"}, id="swapped series"),
    ],
)
def test_a_first_document_and_a_change_of_its_seller_do_not_both_come_about(
    billed: Invoker, before_writes: "Before", change: dict[str, str]
) -> None:
    before_writes(lambda: billed(ORG, change))

    answer = billed("invoices_create")
    again = billed("invoices_create")

    assert (answer.status, answer.json["code"]) == (503, "SELLER_CHANGED")
    assert again.status == 201
    [invoice] = issued(billed.org_id, "100001")
    assert invoice.seller.tax_id == billed("billing_info_get_org").json["tax_id"]
    assert invoice.number.startswith(billed("billing_info_get_org").json["invoice_series"])


def test_a_run_reads_a_seller_again_that_has_changed(
    billed: Invoker,
    runs: Runs,
    before_writes: "Before",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 11, 21, tzinfo=UTC))
    billed("movements_create")
    monkeypatch.setattr("billing.clock.now", lambda: datetime(2026, 12, 1, tzinfo=UTC))
    run_id = runs.start()
    runs.list_accounts()
    before_writes(lambda: billed(ORG, {"tax_id": ANOTHER_TAX_ID}), after=1)

    runs.deliver()

    assert runs.get(run_id)["failures"] == []
    assert {each.seller.tax_id for each in issued(billed.org_id, "100001")} == {ANOTHER_TAX_ID}


# ------------------------------------------------------------------------- one kind for a series


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"invoice_series": "R", "credit_series": "C"}, id="invoices"),
        pytest.param({"invoice_series": "C", "credit_series": "F"}, id="credit notes"),
        pytest.param({"invoice_series": "R", "credit_series": "F"}, id="swapped"),
    ],
)
def test_a_series_numbers_one_kind_for_ever(billed: Invoker, change: dict[str, str]) -> None:
    billed("invoices_create")
    assert billed("invoices_credit", invoiceId=1).status == 201

    answer = billed(ORG, change)
    others = billed(ORG, {"invoice_series": "A", "credit_series": "B"})
    back = billed(ORG)

    assert (answer.status, answer.json["code"]) == (409, "SERIES_TAKEN")
    assert (others.status, back.status) == (204, 204)


@pytest.mark.faults
def test_documents_of_one_seller_while_its_profile_keeps_changing(billed: Invoker) -> None:
    dice = random.Random(1)
    sellers = [
        {"tax_id": tax_id, "invoice_series": series, "credit_series": other}
        for tax_id in ("A58818501", ANOTHER_TAX_ID)
        for series, other in (("F", "R"), ("R", "F"))
    ]

    def change() -> Answer:
        return billed(ORG, dice.choice(sellers))

    answers = []
    for number in range(12):
        answers.append(change().status)
        external = {"external_invoice_unique_id": f"e{number}"}
        answers.append(billed("invoices_create", external).status)

    assert set(answers) <= {201, 204, 409, 503}
    documents = list(issued(billed.org_id, "100001"))
    assert len({each.seller.tax_id for each in documents}) == 1
    assert audited(billed.org_id) == len(documents) > 1
    found = audit_invoices(billed.org_id, chains=ChainRepository())
    assert [each.faults for each in found if each.faults] == []


type Before = Callable[..., None]


@pytest.fixture
def before_writes(dynamodb: Any) -> Any:
    """Let something happen once, before the transaction after so many others is sent."""
    left: list[tuple[Callable[[], Any], int]] = []

    def happen(**_: Any) -> None:
        if left:
            what, after = left.pop()
            if after:
                left.append((what, after - 1))
            else:
                assert what().status == 204

    def arrange(what: Callable[[], Any], after: int = 0) -> None:
        left.append((what, after))

    dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", happen)
    yield arrange
    dynamodb.meta.events.unregister("before-call.dynamodb.TransactWriteItems", happen)
    assert not left


def test_a_billing_day_that_is_set_while_a_run_closes_the_cycle_counts_for_the_next(
    billed: Invoker, runs: Runs, before_writes: Before
) -> None:
    charge(billed)
    runs.start(until="2026-12-01")
    runs.list_accounts()
    before_writes(lambda: billed("billing_info_put_account", {"billing_day": 15}))

    runs.deliver()

    details = billed("billing_info_get_account").json
    assert details["next_billing_date"] == "2026-12-15"
