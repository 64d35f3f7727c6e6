"""Payments that are undone: exactly, once, whatever else happens to the invoice."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from billing import clock
from billing.api.json_body import parse_json
from billing.dialects.v1.invoices import (
    CreditNoteRequestDTO,
    PaymentRequestDTO,
    PaymentReversalRequestDTO,
)
from billing.domain.errors import (
    CreditExceedsInvoiceError,
    PaymentExceedsInvoiceError,
    PaymentReversedError,
)
from billing.domain.idempotency import Created
from billing.domain.invoices import InvoiceKey
from billing.persistence.accounts import AccountRepository
from billing.persistence.exchange_rates import ExchangeRateRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.issuing import IssuingRepository
from billing.persistence.payments import PaymentRepository
from billing.services.credit_invoice import credit_invoice
from billing.services.receive_payment import receive_payment
from billing.services.reverse_payment import reverse_payment
from tests.integration.conftest import Answer, Invoker
from tests.integration.test_credit_notes import RANGE
from tests.integration.test_refund_races import at_once

ACCOUNT = "100001"
FIRST, SECOND, THIRD = (f"2026-11-{day}T12:00:00Z" for day in (18, 19, 20))


@pytest.fixture
def invoiced(billed: Invoker) -> Invoker:
    """Issue an invoice of 121."""
    line = {"description": "Line", "quantity": 1, "unit_price": 100}
    tax = {"tax": {"type": "IVA", "percentage": 21}}
    assert billed("invoices_create", {"lines": [{**line, **tax}]}).json == {"id": "1"}
    return billed


def _pay(invoke: Invoker, amount: float, at: str = FIRST) -> str:
    answer = _send_payment(invoke, amount, at, uuid4().hex)
    assert answer.status == 201, answer
    return str(answer.json["id"])


def _send_payment(invoke: Invoker, amount: float, at: str, external_id: str) -> Answer:
    body = {"amount": amount, "paid_datetime": at, "external_payment_unique_id": external_id}
    return invoke("invoices_pay", body)


def _reverse(invoke: Invoker, payment_id: str, **body: Any) -> Answer:
    fields = {"external_reversal_unique_id": uuid4().hex, **body}
    return invoke("invoices_reverse_payment", fields, paymentId=payment_id)


def _credit(invoke: Invoker, net: float) -> None:
    lines = [{"line": 1, "amount_without_taxes": net}]
    body = {"external_credit_note_unique_id": uuid4().hex, "lines": lines}
    assert invoke("invoices_credit", body).status == 201


def _shown(invoke: Invoker) -> dict[str, Any]:
    """Return what the dialects show of invoice 1."""
    *_, invoice = invoke("invoices_list").json
    *_, in_v2 = invoke("invoices_list_of_period", query=RANGE).json["invoices"]
    unpaid = invoke("invoices_list_unpaid")
    return {
        "status": invoice["paymentStatus"],
        "remaining": invoice["remainingAmount"],
        "paid": invoice["totalPaidAmount"],
        "paid_on": invoice["paymentDate"],
        "v2": in_v2["status"]["value"],
        "unpaid": [(each["id"], each["description"]) for each in unpaid.json],
        "unpaid_total": unpaid.headers["ranged-data"].split("total=")[1],
    }


def _seconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())


def test_a_reversed_payment_leaves_the_invoice_as_it_was_before(invoiced: Invoker) -> None:
    before = _shown(invoiced)
    payment_id = _pay(invoiced, 121)
    paid = _shown(invoiced)

    answer = _reverse(invoiced, payment_id)

    assert answer.status == 201
    assert answer.headers["location"].endswith(f"/invoices/1/payments/{payment_id}")
    assert (paid["status"], paid["unpaid"], paid["unpaid_total"]) == (1, [], "0")
    assert _shown(invoiced) == before
    assert before["unpaid"] == [("1", before["unpaid"][0][1])]


def test_what_was_credited_stays_credited(invoiced: Invoker) -> None:
    """Paid 121, credited 50, reversed: 71 are due."""
    payment_id = _pay(invoiced, 121)
    body = {"lines": [{"line": 1, "amount_without_taxes": 41.32}]}
    assert invoiced("invoices_credit", body).status == 201

    assert _reverse(invoiced, payment_id).status == 201

    shown = _shown(invoiced)
    assert (shown["status"], shown["remaining"], shown["paid"]) == (0, "7100", "0")
    assert (shown["v2"], shown["paid_on"]) == ("PENDIENTE", 0)


def test_an_invoice_that_was_credited_as_a_whole_owes_nothing_still(invoiced: Invoker) -> None:
    payment_id = _pay(invoiced, 121)
    _credit(invoiced, 100)

    assert _reverse(invoiced, payment_id).status == 201

    shown = _shown(invoiced)
    assert (shown["status"], shown["remaining"], shown["unpaid"]) == (1, "0", [])
    assert (shown["v2"], shown["paid_on"], shown["unpaid_total"]) == ("ABONADO", 0, "0")


def test_the_date_is_the_latest_of_the_payments_that_are_left(invoiced: Invoker) -> None:
    payments = {at: _pay(invoiced, 40, at) for at in (SECOND, THIRD, FIRST)}
    rest = _pay(invoiced, 1, FIRST)
    dates = [_shown(invoiced)["paid_on"]]
    for at in (THIRD, SECOND):
        assert _reverse(invoiced, payments[at]).status == 201
        last = _pay(invoiced, 40, FIRST)
        dates.append(_shown(invoiced)["paid_on"])
    for payment_id in (rest, last, payments[FIRST]):
        assert _reverse(invoiced, payment_id).status == 201

    assert dates == [_seconds(THIRD), _seconds(SECOND), _seconds(FIRST)]
    assert _shown(invoiced)["paid_on"] == 0


def test_a_payment_is_reversed_once(invoiced: Invoker) -> None:
    payment_id, kept = _pay(invoiced, 60), _pay(invoiced, 20)

    first = _reverse(invoiced, payment_id, external_reversal_unique_id="bounced")
    again = _reverse(invoiced, payment_id, external_reversal_unique_id="bounced")
    other = _reverse(invoiced, payment_id, external_reversal_unique_id="other")
    reused = _reverse(invoiced, kept, external_reversal_unique_id="bounced")

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json["code"]) == (409, "PAYMENT_REVERSED")
    assert (reused.status, reused.json["code"]) == (409, "EXTERNAL_ID_REUSED")
    assert _shown(invoiced)["paid"] == "2000"


def test_a_reversed_payment_that_is_sent_again_is_refused(invoiced: Invoker) -> None:
    payment_id = _send_payment(invoiced, 60, FIRST, "bank-1").json["id"]
    replayed = _send_payment(invoiced, 60, FIRST, "bank-1")
    assert _reverse(invoiced, payment_id).status == 201

    again = _send_payment(invoiced, 60, FIRST, "bank-1")
    new = _send_payment(invoiced, 60, FIRST, "bank-2")

    assert (replayed.status, replayed.json["id"]) == (201, payment_id)
    assert (again.status, again.json["code"]) == (409, "PAYMENT_REVERSED")
    assert new.status == 201
    assert _shown(invoiced)["paid"] == "6000"


def test_there_is_nothing_to_reverse_elsewhere(invoiced: Invoker) -> None:
    payment_id = _pay(invoiced, 60)
    assert invoiced("invoices_create", {"external_invoice_unique_id": "2"}).json == {"id": "2"}

    assert _reverse(invoiced, "0" * 32).status == 404
    assert invoiced("invoices_reverse_payment", paymentId=payment_id, invoiceId=2).status == 404
    assert invoiced("invoices_reverse_payment", paymentId=payment_id, invoiceId=9).status == 404
    assert _shown(invoiced)["paid"] == "6000"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reversed_datetime", (datetime.now(UTC) + timedelta(days=1, hours=1)).isoformat()),
        ("reversed_datetime", "2026-11-21"),
        ("reason", " "),
        ("external_reversal_unique_id", ""),
        ("amount", 60),
    ],
    ids=["future", "a day", "no reason", "no id", "unknown field"],
)
def test_names_what_is_wrong(invoiced: Invoker, field: str, value: Any) -> None:
    payment_id = _pay(invoiced, 60)

    answer = _reverse(invoiced, payment_id, **{field: value})

    assert answer.status == 400
    assert [each["field"] for each in answer.json["details"]] == [field]


# ---------------------------------------------------------------- under many hands


class Hands:
    """What any of them may do to one invoice."""

    def __init__(self, invoke: Invoker) -> None:
        self.key = InvoiceKey(invoke.org_id, ACCOUNT, 1)
        names = ("invoices_pay", "invoices_reverse_payment", "invoices_credit")
        self._bodies = {name: json.loads(invoke.event(name)["body"]) for name in names}

    def pay(self, external_id: str, amount: float, at: str = FIRST) -> Created:
        fields = {"amount": amount, "paid_datetime": at, "external_payment_unique_id": external_id}
        body = parse_json(json.dumps(self._bodies["invoices_pay"] | fields))
        request = PaymentRequestDTO.model_validate(body)
        return receive_payment(
            self.key,
            request.amount,
            request.currency,
            request.paid_datetime,
            request.method,
            request.external_id(external_id),
            now=clock.now(),
            org_time=clock.now(),
            payments=PaymentRepository(),
        )

    def reverse(self, payment_id: str, external_id: str) -> Created:
        body = self._bodies["invoices_reverse_payment"]
        fields = parse_json(json.dumps(body | {"external_reversal_unique_id": external_id}))
        request = PaymentReversalRequestDTO.model_validate(fields)
        return reverse_payment(
            self.key,
            payment_id,
            request.reason,
            request.reversed_datetime,
            request.external_id(external_id, payment_id),
            now=clock.now(),
            payments=PaymentRepository(),
        )

    def credit(self, external_id: str, net: float) -> Created:
        lines = [{"line": 1, "amount_without_taxes": net}]
        fields = {"external_credit_note_unique_id": external_id, "lines": lines}
        body = parse_json(json.dumps(self._bodies["invoices_credit"] | fields))
        request = CreditNoteRequestDTO.model_validate(body)
        return credit_invoice(
            self.key,
            request.description,
            request.to_domain(),
            request.external_id(external_id),
            now=clock.now(),
            profiles=AccountRepository(),
            rates=ExchangeRateRepository(),
            issuing=IssuingRepository(),
        )

    def verify(self) -> tuple[int, int]:
        """Check that the settlement and what lists count are what the payments say."""
        payments = PaymentRepository().list_all(self.key)
        _, summary = InvoiceRepository().get(self.key)
        counted = [each for each in payments if not each.reversal]
        settlement = summary.settlement
        assert settlement.paid.minor == sum(each.amount.minor for each in counted)
        assert settlement.paid_at == max((each.paid_at for each in counted), default=None)
        unpaid, total = InvoiceRepository().list_unpaid_page(self.key.org_id, ACCOUNT, 0, 10)
        assert [each.key for each in unpaid] == [self.key] * total
        assert total == bool(summary.remaining)
        return settlement.paid.minor, settlement.credited.minor


@pytest.mark.faults
def test_many_hands_reverse_a_payment_once(invoiced: Invoker) -> None:
    hands = Hands(invoiced)
    payment_id = hands.pay("bank-1", 121).id

    answers = at_once([partial(hands.reverse, payment_id, f"bounced-{n}") for n in range(16)])

    assert [type(each) for each in answers].count(Created) == 1
    assert {type(each) for each in answers} == {Created, PaymentReversedError}
    assert hands.verify() == (0, 0)


@pytest.mark.faults
def test_twins_reverse_once_and_have_one_id(invoiced: Invoker) -> None:
    hands = Hands(invoiced)
    payment_id = hands.pay("bank-1", 121).id

    answers = at_once([partial(hands.reverse, payment_id, "bounced")] * 16)

    assert len({each.id for each in answers}) == 1
    assert [each.replayed for each in answers].count(False) == 1
    assert hands.verify() == (0, 0)


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
def test_sums_and_dates_agree_whoever_pays_credits_and_reverses(
    invoiced: Invoker, seed: int
) -> None:
    hands, draw = Hands(invoiced), random.Random(seed)
    days = [FIRST, SECOND, THIRD]
    made = [hands.pay(f"before-{n}", 10, draw.choice(days)).id for n in range(8)]

    def anything(n: int) -> Callable[[], Any]:
        return draw.choice(
            [
                partial(hands.pay, f"bank-{n}", draw.randint(1, 40), draw.choice(days)),
                partial(hands.pay, f"bank-{n}", draw.randint(1, 40), draw.choice(days)),
                partial(hands.credit, f"credit-{n}", draw.randint(1, 10)),
                partial(hands.reverse, draw.choice(made), f"bounced-{n}"),
            ]
        )

    answers = at_once([anything(n) for n in range(64)])

    errors = {type(answer) for answer in answers if isinstance(answer, Exception)}
    assert errors <= {PaymentExceedsInvoiceError, PaymentReversedError, CreditExceedsInvoiceError}
    paid, credited = hands.verify()
    assert paid <= 12100
    assert credited <= 12100


def test_what_comes_in_between_does_not_hide_behind_an_equal_sum(
    invoiced: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, list_all = Hands(invoiced), PaymentRepository.list_all
    earlier, latest = hands.pay("bank-1", 50, SECOND).id, hands.pay("bank-2", 50, THIRD).id

    def meet_others(self: PaymentRepository, key: InvoiceKey) -> Any:
        payments = list_all(self, key)
        monkeypatch.setattr(PaymentRepository, "list_all", list_all)
        hands.reverse(earlier, "bounced-1")
        hands.pay("bank-3", 50, FIRST)
        return payments

    monkeypatch.setattr(PaymentRepository, "list_all", meet_others)
    hands.reverse(latest, "bounced-2")

    assert hands.verify() == (5000, 0)


def test_takes_as_few_requests_as_can_be(billed: Invoker, aws_calls: Any) -> None:
    """When it was paid is known, but for the latest payment: then the others say it."""
    assert billed("invoices_create").status == 201
    paid = [
        billed(
            "invoices_pay",
            {"external_payment_unique_id": day, "amount": 1, "paid_datetime": f"{day}T12:00:00Z"},
        ).json["id"]
        for day in ("2026-11-01", "2026-11-02")
    ]

    def calls(payment_id: str) -> list[str]:
        aws_calls()
        body = {"external_reversal_unique_id": payment_id}
        assert billed("invoices_reverse_payment", body, paymentId=payment_id).status == 201
        called: list[str] = aws_calls()
        return called

    assert calls(paid[0]) == ["BatchGetItem", "TransactWriteItems"]
    assert calls(paid[1]) == ["BatchGetItem", "Query", "TransactWriteItems"]
