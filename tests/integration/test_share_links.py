"""Links to share a document: made, listed and revoked by tokens, opened without one."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from billing import aws, clock, config
from billing.domain.share_links import hash_of
from billing.persistence.tokens import TokenRepository
from tests.integration.callers import issue
from tests.integration.conftest import Answer, Invoker

ACCOUNT, OTHER = "100001", "100002"

type Json = dict[str, Any]


@pytest.fixture
def invoiced(billed: Invoker) -> Invoker:
    """Issue invoice 1."""
    assert billed("invoices_create").json == {"id": "1"}
    return billed


def _secret(link: Json) -> str:
    return str(link["url"]).rpartition("/")[2]


def _open(invoke: Invoker, link: Json, page: str = "shared_page_get") -> Answer:
    return invoke(page, token=_secret(link))


def _share(invoke: Invoker, body: Json | None = None, **more: Any) -> Json:
    answer = invoke("share_create", json.dumps(body or {}), **more)
    assert answer.status == 201, answer
    made: Json = answer.json
    return made


def _listed(invoke: Invoker, **more: Any) -> list[Json]:
    links: list[Json] = invoke("share_list", **more).json["links"]
    return links


# ---------------------------------------------------------------- made


def test_a_link_opens_the_page_without_a_token(invoiced: Invoker) -> None:
    answer = invoiced("share_create", {"expires_at": "2031-01-01T00:00:00Z"})

    assert answer.status == 201
    assert answer.json.keys() == {"id", "url", "expires_at"}
    assert answer.json["expires_at"] == "2031-01-01T00:00:00Z"
    assert answer.json["url"].startswith("https://api.example.com/p/")
    path = f"/v1/orgs/{invoiced.org_id}/accounts/{ACCOUNT}/invoices/1/links/{answer.json['id']}"
    assert answer.headers["location"] == path
    assert _open(invoiced, answer.json).status == 200


def test_the_address_begins_as_the_stack_says(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "http://localhost:4566")

    assert _share(invoiced)["url"].startswith("http://localhost:4566/p/")


def test_a_secret_has_256_bits_and_only_its_hash_is_kept(invoiced: Invoker) -> None:
    secrets = {_secret(_share(invoiced)) for _ in range(20)}

    assert {len(each) for each in secrets} == {43}  # 43 characters of 6 bits hold 32 bytes
    assert len(secrets) == 20
    for table in (config.links_table(), config.invoices_table(), config.tokens_table()):
        kept = json.dumps(aws.dynamodb().scan(TableName=table)["Items"], default=str)
        assert not [each for each in secrets if each in kept]
        assert (hash_of(secrets.pop()) in kept) == (table == config.links_table())


def test_a_link_lasts_a_year_unless_it_says_otherwise(invoiced: Invoker) -> None:
    began = clock.now()

    expires_at = datetime.fromisoformat(_share(invoiced)["expires_at"])

    assert timedelta(days=365, minutes=-1) < expires_at - began < timedelta(days=365, minutes=1)


@pytest.mark.parametrize(
    ("asked", "expires_at"),
    [
        pytest.param({}, "2030-01-01T00:00:00Z", id="left out: with the token"),
        pytest.param({"expires_at": None}, "2030-01-01T00:00:00Z", id="null: with the token"),
        pytest.param(
            {"expires_at": "2030-01-01T00:00:00Z"}, "2030-01-01T00:00:00Z", id="the same instant"
        ),
        pytest.param({"expires_at": "2030-01-01T00:00:01Z"}, None, id="after the token"),
        pytest.param({"expires_at": "2020-01-01T00:00:00Z"}, None, id="in the past"),
        pytest.param({"expires_at": "2030-01-01"}, None, id="no instant"),
        pytest.param({"expire_at": "2027-01-01T00:00:00Z"}, None, id="no such field"),
    ],
)
def test_no_link_outlives_the_token_that_makes_it(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch, asked: Json, expires_at: str | None
) -> None:
    now = datetime.fromisoformat("2029-06-01T12:00:00Z")
    monkeypatch.setattr(clock, "now", lambda: now)
    caller = {"expires_at": "2030-01-01T00:00:00+00:00"}

    answer = invoiced("share_create", json.dumps(asked), caller=caller)

    assert answer.status == (201 if expires_at else 400)
    assert answer.json.get("expires_at") == expires_at


@pytest.mark.parametrize("event", ["share_create", "share_list", "share_delete"])
def test_a_revoked_token_shares_and_revokes_nothing(invoiced: Invoker, event: str) -> None:
    made = _share(invoiced)
    grant, token = issue(invoiced.org_id)
    call = invoiced.event(event, linkId=made["id"])
    call["headers"]["private-token"] = token
    assert invoiced.call("share", {**call, "body": "{}"}).status < 300

    TokenRepository().revoke(invoiced.org_id, grant.id)

    assert invoiced.call("share", {**call, "body": "{}"}).status == 401


@pytest.mark.parametrize("invoice_id", ["2", "0", "01", "x"])
@pytest.mark.parametrize("event", ["share_create", "share_list"])
def test_there_are_no_links_to_what_is_not_there(
    invoiced: Invoker, event: str, invoice_id: str
) -> None:
    assert invoiced(event, invoiceId=invoice_id).status == 404


# ---------------------------------------------------------------- listed


def test_links_are_listed_newest_first_without_their_addresses(invoiced: Invoker) -> None:
    assert _listed(invoiced) == []
    old, new = _share(invoiced), _share(invoiced)
    for _ in range(3):
        assert _open(invoiced, old).status == 200
    assert invoiced("share_delete", linkId=new["id"]).status == 204

    assert _listed(invoiced) == [
        {"id": new["id"], "expires_at": new["expires_at"], "revoked": True, "opened": 0},
        {"id": old["id"], "expires_at": old["expires_at"], "revoked": False, "opened": 3},
    ]


def test_links_are_paged(invoiced: Invoker) -> None:
    made = [_share(invoiced)["id"] for _ in range(101)]

    first = invoiced("share_list", query={"limit": "100"}).json
    query = {"limit": "100", "cursor": first["next_cursor"]}
    last = invoiced("share_list", query=query).json

    listed = [each["id"] for each in first["links"] + last["links"]]
    assert (sorted(listed), last["next_cursor"]) == (sorted(made), None)
    assert invoiced("share_list", query=query, invoiceId="2").status == 400


# ---------------------------------------------------------------- revoked, expired, erased


def test_a_revoked_link_says_so_and_stays_revoked(invoiced: Invoker) -> None:
    link, other = _share(invoiced), _share(invoiced)

    for _ in range(2):
        assert invoiced("share_delete", linkId=link["id"]).status == 204

    page = _open(invoiced, link)
    assert (page.status, "Este enlace se ha retirado" in page.text) == (410, True)
    assert _open(invoiced, other).status == 200


def test_a_link_is_revoked_as_one_of_its_own_document_only(invoiced: Invoker) -> None:
    assert invoiced("invoices_create", {"external_invoice_unique_id": "2"}).json == {"id": "2"}
    assert invoiced("billing_info_put_account", accountId=OTHER, caller={"accounts": "*"})
    link, neighbour = _share(invoiced), Invoker(f"{invoiced.org_id}-b")
    for wrong in ({"invoiceId": "2"}, {"accountId": OTHER}):
        for event in ("share_delete", "share_list"):
            caller = {"accounts": "*"}
            answer = invoiced(event, caller=caller, **{"linkId": link["id"], **wrong})
            assert answer.status == 404 or answer.json["links"] == []
    assert neighbour("share_delete", linkId=link["id"]).status == 404
    assert invoiced("share_delete", linkId="f" * 32).status == 404

    assert _open(invoiced, link).status == 200


def test_an_expired_link_says_so_from_that_instant_on(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = clock.now() + timedelta(minutes=5)
    link = _share(invoiced, {"expires_at": ends.isoformat()})

    monkeypatch.setattr(clock, "now", lambda: ends - timedelta(microseconds=1))
    assert _open(invoiced, link).status == 200
    monkeypatch.setattr(clock, "now", lambda: ends)

    for page in ("get", "get_pdf", "get_cii", "get_ubl", "head"):
        assert _open(invoiced, link, f"shared_page_{page}").status == 410
    assert "Este enlace ha caducado" in _open(invoiced, link).text
    assert [each["opened"] for each in _listed(invoiced)] == [1]


def test_what_dynamodb_deletes_a_year_after_it_expired_is_not_there(invoiced: Invoker) -> None:
    link = _share(invoiced, {"expires_at": "2031-01-01T00:00:00Z"})
    key = {"pk": {"S": f"link#{hash_of(_secret(link))}"}, "sk": {"S": "link"}}
    table: Any = boto3.client("dynamodb")
    item = table.get_item(TableName=config.links_table(), Key=key)["Item"]
    expired = datetime.fromisoformat("2031-01-01T00:00:00Z") + timedelta(days=365)
    assert item["expires_at"] == {"N": str(int(expired.timestamp()))}

    table.delete_item(TableName=config.links_table(), Key=key)

    assert (_open(invoiced, link).status, _listed(invoiced)) == (404, [])
    assert invoiced("share_delete", linkId=link["id"]).status == 404


@pytest.mark.parametrize("expires_at", ["2999-12-31T23:59:59Z"])
def test_a_link_can_last_as_long_as_there_are_dates(invoiced: Invoker, expires_at: str) -> None:
    assert _share(invoiced, {"expires_at": expires_at})["expires_at"] == expires_at


# ---------------------------------------------------------------- what it costs, and what may fail


def test_costs_no_more_calls_than_promised(
    invoiced: Invoker, aws_calls: Callable[[], list[str]]
) -> None:
    aws_calls()
    link = _share(invoiced)
    assert aws_calls() == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    _listed(invoiced)
    assert aws_calls() == ["BatchGetItem", "Query", "BatchGetItem"]
    invoiced("share_delete", linkId=link["id"])
    assert aws_calls() == ["BatchGetItem", "GetItem", "UpdateItem"]


def test_an_opening_that_cannot_be_counted_is_opened_all_the_same(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    link = _share(invoiced)
    denied = ClientError({"Error": {"Code": "AccessDeniedException"}}, "UpdateItem")

    def refuse(**_: Any) -> None:
        raise denied

    monkeypatch.setattr(aws.dynamodb(), "update_item", refuse)

    assert _open(invoiced, link).status == 200

    assert "opening not counted" in logged[-1]
    monkeypatch.undo()
    assert [each["opened"] for each in _listed(invoiced)] == [0]
