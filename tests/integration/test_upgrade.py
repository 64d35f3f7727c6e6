"""`billing upgrade`: what release 1.0.0 wrote is listed as if it had been written today."""

from typing import Any

import pytest
from click.testing import CliRunner

from billing import aws, config
from billing.domain.invoices import InvoiceKey
from billing.persistence.accounts import account_key
from billing.persistence.dynamodb import Key, key_of, transact
from billing.persistence.invoice_items import unpaid_key
from billing_cli.__main__ import cli
from tests.integration.conftest import Invoker

EVERYWHERE = {"accounts": "*"}
ACCOUNTS = ("100001", "100002", "100003")


@pytest.fixture
def old(billed: Invoker) -> Invoker:
    """Call functions in the name of an org of release 1.0.0: billed, charged, and neither."""
    for account_id in ACCOUNTS[1:]:
        answer = billed("billing_info_put_account", caller=EVERYWHERE, accountId=account_id)
        assert answer.status == 204
    for number in range(3):
        assert billed("invoices_create", {"external_invoice_unique_id": str(number)}).status == 201
        _remove(config.invoices_table(), unpaid_key(_key(billed, number + 1)), "org, due")
    charge = {"account_id": "100002", "external_movement_unique_id": "one"}
    charged = billed("movements_create", charge, caller=EVERYWHERE, subscriptionId="600000002")
    assert charged.status == 201
    for account_id in ACCOUNTS:
        _remove(config.accounts_table(), account_key(billed.org_id, account_id), "org, by_name")
    return billed


def test_lists_what_was_not_listed_once(old: Invoker) -> None:
    assert _listed(old) == ([], [])
    paid = {"amount": 56.47, "external_payment_unique_id": "paid"}
    assert old("invoices_pay", paid, invoiceId=2).status == 201

    first, again = _upgrade(old), _upgrade(old)

    assert (first, again) == (
        "2 accounts, 2 unpaid invoices\n",
        "0 accounts, 0 unpaid invoices\n",
    )
    assert _listed(old) == (["100001", "100002"], ["1", "3"])


def test_who_was_never_charged_is_listed_with_the_next_change(old: Invoker) -> None:
    _upgrade(old)

    body = {"name": "Zoe"}
    answer = old("billing_info_put_account", body, caller=EVERYWHERE, accountId="100003")

    assert answer.status == 204
    assert _listed(old)[0] == list(ACCOUNTS)


def test_what_is_written_meanwhile_is_left_alone(
    old: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_late(writes: Any) -> None:
        body = {"name": "Zoe", "tax_id": None}
        for account_id in ("100001", "100002"):
            put = old("billing_info_put_account", body, caller=EVERYWHERE, accountId=account_id)
            assert put.status == 204
        for number in (1, 2, 3):
            paid = {"amount": 56.47, "external_payment_unique_id": str(number)}
            assert old("invoices_pay", paid, invoiceId=number).status == 201
        transact(writes)

    monkeypatch.setattr("billing.persistence.upgrades.transact", be_late)

    assert _upgrade(old) == "0 accounts, 0 unpaid invoices\n"
    assert _listed(old) == (["100001", "100002"], [])
    names = [each["name"] for each in old("billing_info_list_accounts", query={}).json["accounts"]]
    assert names == ["Zoe", "Zoe"]


def _upgrade(invoke: Invoker) -> str:
    return CliRunner().invoke(cli, ["upgrade", "--org", invoke.org_id]).output


def _listed(invoke: Invoker) -> tuple[list[str], list[str]]:
    accounts = invoke("billing_info_list_accounts", query={}).json["accounts"]
    invoices = invoke("invoices_list_of_org", query={}).json["invoices"]
    return [each["account_id"] for each in accounts], [each["id"] for each in invoices]


def _key(invoke: Invoker, ordinal: int) -> InvoiceKey:
    return InvoiceKey(invoke.org_id, "100001", ordinal)


def _remove(table: str, key: Key, attributes: str) -> None:
    expression = f"REMOVE {attributes}"
    aws.dynamodb().update_item(TableName=table, Key=key_of(key), UpdateExpression=expression)
