"""What is owed to the customer, what is paid out of it, and the balance that says so."""

import json
import random
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from billing import clock, config
from billing.aws import dynamodb
from billing.domain.errors import (
    ContentionError,
    CreditExceedsInvoiceError,
    PaymentExceedsInvoiceError,
    PaymentReversedError,
    PayoutExceedsCreditError,
)
from billing.domain.idempotency import Created, ExternalId
from billing.domain.invoices import InvoiceKey
from billing.persistence.dynamodb import key_of
from billing.persistence.invoice_items import summary_key, totals_key
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.payments import PaymentRepository
from billing.persistence.payouts import PayoutRepository
from billing.services.pay_out import pay_out
from billing_cli.audit import settlements
from tests.integration.billing import Runs, untaxed
from tests.integration.conftest import Answer, Invoker
from tests.integration.test_payment_reversals import FIRST, Hands
from tests.integration.test_refund_races import at_once

ACCOUNT = "100001"

type Balances = dict[str, tuple[float, float]]


def _issue(invoke: Invoker, gross: float = 121, **body: Any) -> int:
    tax = {"type": "IVA", "percentage": 21}
    line = {"description": "Line", "quantity": 1, "unit_price": round(gross / 1.21, 2), "tax": tax}
    fields = {"external_invoice_unique_id": uuid4().hex, "lines": [line], **body}
    answer = invoke("invoices_create", fields)
    assert answer.status == 201, answer
    return int(answer.json["id"])


def _pay(invoke: Invoker, invoice: int, amount: float) -> str:
    body = {"external_payment_unique_id": uuid4().hex, "amount": amount, "paid_datetime": FIRST}
    return str(invoke("invoices_pay", body, invoiceId=invoice).json["id"])


def _credit(invoke: Invoker, invoice: int, net: float) -> int:
    lines = [{"line": 1, "amount_without_taxes": net}]
    body = {"external_credit_note_unique_id": uuid4().hex, "lines": lines}
    answer = invoke("invoices_credit", body, invoiceId=invoice)
    assert answer.status == 201, answer
    return int(answer.json["id"])


def _pay_out(invoke: Invoker, invoice: int, amount: float, **body: Any) -> Answer:
    fields = {"external_payout_unique_id": uuid4().hex, "amount": amount, **body}
    return invoke("invoices_pay_out", fields, invoiceId=invoice)


def _balances(invoke: Invoker) -> Balances:
    answer = invoke("invoices_get_balance")
    assert answer.status == 200
    return {each["currency"]: (each["unpaid"], each["credit"]) for each in answer.json["balances"]}


def _verified(invoke: Invoker) -> Balances:
    """Read the balances, and check that the heads of all documents come to the same."""
    kept = _balances(invoke)
    summed: Balances = {}
    for head in InvoiceRepository()._all_heads(invoke.org_id, ACCOUNT):
        unpaid, credit = summed.get(head.gross.currency, (0, 0))
        summed[head.gross.currency] = (
            round(unpaid + float(head.remaining.major), 3),
            round(credit + float(head.credit.major), 3),
        )
    assert kept == summed
    return kept


def test_what_was_paid_and_then_credited_is_owed_to_the_customer(billed: Invoker) -> None:
    assert _balances(billed) == {}
    invoice = _issue(billed)
    steps = [_verified(billed)["EUR"]]
    payment_id = _pay(billed, invoice, 100)
    steps.append(_verified(billed)["EUR"])
    _credit(billed, invoice, 41.32)  # 50.00 with tax
    steps.append(_verified(billed)["EUR"])
    assert _pay_out(billed, invoice, 20).status == 201
    steps.append(_verified(billed)["EUR"])
    reversal = {"external_reversal_unique_id": uuid4().hex}
    path: Any = {"invoiceId": invoice, "paymentId": payment_id}
    assert billed("invoices_reverse_payment", reversal, **path).status == 201
    steps.append(_verified(billed)["EUR"])

    assert steps == [(121, 0), (21, 0), (0, 29), (0, 9), (71, -20)]


def test_each_currency_has_a_balance(billed: Invoker) -> None:
    line: Any = {"description": "Line", "quantity": 1, "unit_price": 1000}
    line["tax"] = {"type": "NONE", "percentage": 0}
    for currency in ("EUR", "USD", "EUR"):
        _issue(billed, currency=currency, lines=[line])
    yen = _issue(billed, currency="JPY", lines=[line])
    _pay(billed, yen, 1000)

    assert _verified(billed) == {"EUR": (2000, 0), "USD": (1000, 0), "JPY": (0, 0)}


def test_a_document_below_zero_that_corrects_nothing_is_owed(runs: Runs) -> None:
    invoke = runs.invoke
    adjustment = {"external_adjustment_unique_id": "a", "amount": untaxed(500)}
    assert invoke("movements_adjust", adjustment).status == 201
    assert runs.run(until="2026-12-01")["invoices_issued"] == 1
    owed = _verified(invoke)["EUR"]

    too_much = _pay_out(invoke, 1, 5.01)
    whole = _pay_out(invoke, 1, 5)

    assert owed == (0, 5)
    assert (too_much.status, too_much.json["code"]) == (409, "PAYOUT_EXCEEDS_CREDIT")
    assert (whole.status, _verified(invoke)["EUR"]) == (201, (0, 0))


def test_no_more_is_paid_out_than_is_owed(billed: Invoker) -> None:
    invoice = _issue(billed)
    unpaid = _pay_out(billed, invoice, 0.01)
    _pay(billed, invoice, 121)
    paid = _pay_out(billed, invoice, 0.01)
    note = _credit(billed, invoice, 41.32)
    of_note = _pay_out(billed, note, 0.01)
    part, rest, more = (_pay_out(billed, invoice, amount) for amount in (30, 20, 0.01))

    refused = [unpaid, paid, of_note, more]
    assert [each.status for each in refused] == [409] * 4
    assert {each.json["code"] for each in refused} == {"PAYOUT_EXCEEDS_CREDIT"}
    assert [part.status, rest.status] == [201, 201]
    assert "50.00 EUR" not in more.json["message"]
    assert _verified(billed)["EUR"] == (0, 0)


def test_payouts_are_listed_and_found(billed: Invoker) -> None:
    invoice = _issue(billed)
    _pay(billed, invoice, 121)
    _credit(billed, invoice, 100)
    assert billed("invoices_list_payouts").json == {"payouts": [], "next_cursor": None}
    made = [_pay_out(billed, invoice, amount) for amount in (1, 2, 3)]

    first = billed("invoices_list_payouts", query={"limit": "2"}).json
    second = billed(
        "invoices_list_payouts", query={"limit": "2", "cursor": first["next_cursor"]}
    ).json

    shown = [*first["payouts"], *second["payouts"]]
    assert [each["id"] for each in shown] == [each.json["id"] for each in reversed(made)]
    assert [each["amount"] for each in shown] == [3, 2, 1]
    assert second["next_cursor"] is None
    assert billed("invoices_get_payout", payoutId=shown[0]["id"]).json == shown[0]
    assert shown[0]["currency"] == "EUR"
    assert made[0].headers["location"].endswith(f"/invoices/1/payouts/{shown[2]['id']}")
    assert billed("invoices_get_payout", payoutId="0" * 32).status == 404
    assert billed("invoices_list_payouts", invoiceId=9).status == 404
    assert _pay_out(billed, 9, 1).status == 404


def test_a_payout_is_recorded_once(billed: Invoker) -> None:
    invoice = _issue(billed)
    _pay(billed, invoice, 121)
    _credit(billed, invoice, 100)

    first = _pay_out(billed, invoice, 60, external_payout_unique_id="p")
    again = _pay_out(billed, invoice, 60.0, external_payout_unique_id="p")
    other = _pay_out(billed, invoice, 61, external_payout_unique_id="p")

    assert (again.status, again.json) == (201, first.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert _verified(billed)["EUR"] == (0, 61)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 0),
        ("amount", -1),
        ("amount", 1.005),
        ("paid_datetime", "2999-01-01T00:00:00Z"),
        ("method", ""),
        ("currency", "EUR"),
    ],
)
def test_names_what_is_wrong(billed: Invoker, field: str, value: Any) -> None:
    invoice = _issue(billed)

    answer = _pay_out(billed, invoice, **{"amount": 1, field: value})

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == [field]


def test_a_balance_takes_one_read(billed: Invoker, aws_calls: Any) -> None:
    invoice = _issue(billed)
    _pay(billed, invoice, 121)
    _credit(billed, invoice, 100)
    aws_calls()

    _balances(billed)
    assert aws_calls() == ["GetItem"]
    payout_id = _pay_out(billed, invoice, 1).json["id"]
    assert aws_calls() == ["BatchGetItem", "TransactWriteItems"]
    assert billed("invoices_list_payouts", invoiceId=invoice).status == 200
    assert aws_calls() == ["Query"]
    assert billed("invoices_get_payout", invoiceId=invoice, payoutId=payout_id).status == 200
    assert aws_calls() == ["GetItem"]


def test_there_is_no_balance_of_an_account_that_is_not_there(billed: Invoker) -> None:
    answer = billed("invoices_get_balance", accountId=9, caller={"accounts": "9"})

    assert answer.status == 404


def test_the_audit_finds_sums_that_are_wrong(billed: Invoker) -> None:
    invoice = _issue(billed)
    payment_id = _pay(billed, invoice, 121)
    _credit(billed, invoice, 100)
    _pay_out(billed, invoice, 21)
    path: Any = {"invoiceId": invoice, "paymentId": payment_id}
    _pay(billed, _issue(billed), 21)
    number = billed("invoices_get").json[0]["invoiceNumber"]
    fine = [fault for _, faults in settlements(billed.org_id) for fault in faults]

    table, client = config.invoices_table(), dynamodb()
    head = key_of(summary_key(InvoiceKey(billed.org_id, ACCOUNT, invoice)))
    for name in ("paid", "paid_out"):
        client.update_item(
            TableName=table,
            Key=head,
            UpdateExpression=f"ADD {name} :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    found = {name: faults for name, faults in settlements(billed.org_id) if faults}
    assert billed("invoices_reverse_payment", **path).status == 201
    late = {name: faults for name, faults in settlements(billed.org_id) if faults}

    assert fine == []
    assert found == {
        number: [
            "121.01 EUR are noted as paid, its payments are 121.00 EUR",
            "21.01 EUR are noted as paid out, its payouts are 21.00 EUR",
        ],
    }
    assert late[number][0] == "0.01 EUR are noted as paid, its payments are 0.00 EUR"


# ---------------------------------------------------------------- what version 1.0 has issued


def _as_version_1(invoke: Invoker) -> None:
    """Leave of an account what version 1.0 would have written."""
    table = config.invoices_table()
    client = dynamodb()
    key = key_of(totals_key(invoke.org_id, ACCOUNT))
    totals = client.get_item(TableName=table, Key=key)["Item"]
    kept = {"pk", "sk", "invoices", "issue_date", "unpaid"}
    item = {name: value for name, value in totals.items() if name in kept}
    client.put_item(TableName=table, Item=item)
    for ordinal in range(1, int(totals["invoices"]["N"]) + 1):
        key = key_of(summary_key(InvoiceKey(invoke.org_id, ACCOUNT, ordinal)))
        item = client.get_item(TableName=table, Key=key)["Item"]
        head = json.loads(item["head"]["S"])
        head.pop("is_correction", None)
        item["head"]["S"] = json.dumps(head)
        client.put_item(TableName=table, Item=item)


def test_documents_of_version_1_count_too(runs: Runs) -> None:
    invoke = runs.invoke
    adjustment = {"external_adjustment_unique_id": "a", "amount": untaxed(500)}
    assert invoke("movements_adjust", adjustment).status == 201
    assert runs.run(until="2026-12-01")["invoices_issued"] == 1
    paid, unpaid = _issue(invoke), _issue(invoke)
    _pay(invoke, paid, 121)
    note = _credit(invoke, paid, 41.32)
    _as_version_1(invoke)

    old = _balances(invoke)
    _pay(invoke, unpaid, 21)
    later = _balances(invoke)
    refused, accepted = _pay_out(invoke, note, 1), _pay_out(invoke, 1, 2)
    faults = list(settlements(invoke.org_id))
    counted = [InvoiceRepository().count_balances(invoke.org_id, ACCOUNT) for _ in range(2)]
    kept = _verified(invoke)
    _pay(invoke, unpaid, 100)

    assert old == {"EUR": (121, 55)}
    assert later == {"EUR": (100, 55)}
    assert (refused.status, accepted.status) == (409, 201)
    assert [each for _, some in faults for each in some] == []
    assert counted == [True, False]
    assert kept == {"EUR": (100, 53)}
    assert _verified(invoke) == {"EUR": (0, 53)}


def test_counting_starts_again_where_something_is_paid_meanwhile(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = _issue(billed)
    _as_version_1(billed)
    all_heads = InvoiceRepository._all_heads

    def meet_a_payment(*args: Any) -> Any:
        heads = list(all_heads(*args))
        monkeypatch.setattr(InvoiceRepository, "_all_heads", all_heads)
        _pay(billed, invoice, 21)
        return heads

    monkeypatch.setattr(InvoiceRepository, "_all_heads", meet_a_payment)
    with pytest.raises(ContentionError):
        InvoiceRepository().count_balances(billed.org_id, ACCOUNT)

    assert InvoiceRepository().count_balances(billed.org_id, ACCOUNT)
    assert _verified(billed) == {"EUR": (100, 0)}


# ---------------------------------------------------------------- under many hands


class PayingHands(Hands):
    """What any of them may do to one invoice, payouts too."""

    def pay_out(self, external_id: str, cents: int) -> Created:
        return pay_out(
            self.key,
            Decimal(cents) / 100,
            datetime.fromisoformat(FIRST),
            None,
            ExternalId(external_id, f"{cents}"),
            now=clock.now(),
            org_time=clock.now(),
            payouts=PayoutRepository(),
        )


@pytest.mark.faults
def test_exactly_what_is_owed_is_paid_out(billed: Invoker) -> None:
    invoice = _issue(billed)
    _pay(billed, invoice, 121)
    _credit(billed, invoice, 41.32)
    hands = PayingHands(billed)

    answers = at_once([partial(hands.pay_out, f"p-{n}", 500) for n in range(24)])

    refused = [each for each in answers if isinstance(each, Exception)]
    assert {type(each) for each in refused} == {PayoutExceedsCreditError}
    assert len(answers) - len(refused) == 10
    assert _verified(billed)["EUR"] == (0, 0)


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
def test_the_balance_is_that_of_the_documents_whoever_does_what(billed: Invoker, seed: int) -> None:
    _issue(billed)
    hands, draw = PayingHands(billed), random.Random(seed)
    made = [hands.pay(f"before-{n}", 10).id for n in range(8)]

    def anything(n: int) -> Callable[[], Any]:
        return draw.choice(
            [
                partial(hands.pay, f"bank-{n}", draw.randint(1, 40)),
                partial(hands.credit, f"credit-{n}", draw.randint(1, 20)),
                partial(hands.reverse, draw.choice(made), f"bounced-{n}"),
                partial(hands.pay_out, f"payout-{n}", draw.randint(1, 2000)),
            ]
        )

    answers = at_once([anything(n) for n in range(48)])

    assert {type(each) for each in answers if isinstance(each, Exception)} <= {
        PaymentExceedsInvoiceError,
        PaymentReversedError,
        CreditExceedsInvoiceError,
        PayoutExceedsCreditError,
    }
    hands.verify()
    _verified(billed)
    _, head = InvoiceRepository().get(hands.key)
    paid_out = sum(each.amount.minor for each in PayoutRepository().list_page(hands.key, None, 100))
    payments = PaymentRepository().list_all(hands.key)
    assert head.settlement.paid_out.minor == paid_out
    assert paid_out <= sum(each.amount.minor for each in payments)
