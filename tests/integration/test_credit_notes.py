"""Credit notes on request: a whole invoice or a part, and never more than it has."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from billing.persistence.chains import ChainRepository
from billing.services.audit import audit_invoices
from tests.integration.conftest import Answer, Invoker

RANGE = {"start_date": "2026-01-01", "end_date": "2027-12-31"}


@pytest.fixture
def invoiced(billed: Invoker) -> Invoker:
    """Issue an invoice of 46.67 and 9.80 of tax: 40.50 for line 1, 6.17 for line 2."""
    assert billed("invoices_create").json == {"id": "1"}
    return billed


def _credit(invoke: Invoker, external_id: str, *lines: tuple[int, float]) -> Answer:
    wanted = [{"line": line, "amount_without_taxes": amount} for line, amount in lines]
    body = {"external_credit_note_unique_id": external_id, **({"lines": wanted} if lines else {})}
    return invoke("invoices_credit", body)


def _pay(invoke: Invoker, amount: float) -> Answer:
    body = {"amount": amount, "external_payment_unique_id": f"pay {amount}"}
    return invoke("invoices_pay", body)


def _states(invoke: Invoker) -> dict[str, Any]:
    """Tell what the three dialects show of invoice 1."""
    *_, invoice = invoke("invoices_list").json
    *_, in_v2 = invoke("invoices_list_of_period", query=RANGE).json["invoices"]
    return {
        "status": invoice["paymentStatus"],
        "remaining": invoice["remainingAmount"],
        "paid": invoice["totalPaidAmount"],
        "v2": in_v2["status"]["value"],
        "unpaid": [each["id"] for each in invoke("invoices_list_unpaid").json],
    }


def test_credits_a_whole_invoice(invoiced: Invoker) -> None:
    answer = invoiced("invoices_credit")

    assert (answer.status, answer.json) == (201, {"id": "2"})
    [original] = invoiced("invoices_get").json
    [note] = invoiced("invoices_get", invoiceId=2).json
    assert note["invoiceNumber"].startswith("R")
    assert note["invoiceNumber"].endswith("-000001")
    assert note["isCredit"] == 1
    assert (note["amountIncVat"], note["vatAmount"], note["amountExclVat"]) == (
        "-5647",
        "-980",
        "-4667",
    )
    assert note["dueDate"] == note["creationDate"]
    assert [(item["quantity"], item["unitPrice"], item["amountExclVat"]) for item in note["items"]]
    assert [item["amountExclVat"] for item in note["items"]] == ["-4050", "-617"]
    assert [item["setupCosts"] for item in note["items"]] == ["-1000", "0"]
    assert note["companyDetails"] == original["companyDetails"]
    listed, _ = invoiced("invoices_list").json
    assert (listed["isCredit"], listed["amountIncVAT"], listed["remainingAmount"]) == (
        1,
        "-5647",
        "0",
    )


def test_states_the_reference_of_the_invoice_and_that_the_one_of_the_account(
    billed: Invoker,
) -> None:
    billed("billing_info_put_account", {"buyer_reference": "of the account"})
    billed("invoices_create", {"buyer_reference": "of the invoice"})
    billed("invoices_create", {"buyer_reference": None, "external_invoice_unique_id": "another"})
    billed("billing_info_put_account", {"buyer_reference": "of today"})
    for number in (1, 2):
        external_id = {"external_credit_note_unique_id": f"credit {number}"}
        assert billed("invoices_credit", external_id, invoiceId=number).status == 201

    documents = [billed("invoices_get_whole", invoiceId=number).json for number in range(1, 5)]

    assert [each["buyer"]["buyer_reference"] for each in documents] == [
        "of the invoice",
        "of the account",
        "of the invoice",
        "of the account",
    ]


def test_a_credited_invoice_is_settled_in_all_dialects(invoiced: Invoker) -> None:
    assert _credit(invoiced, "part", (1, 40.5)).status == 201
    partly = _states(invoiced)
    assert _credit(invoiced, "rest").status == 201

    assert partly == {
        "status": 0,
        "remaining": "746",
        "paid": "0",
        "v2": "PENDIENTE",
        "unpaid": ["1"],
    }
    assert _states(invoiced) == {
        "status": 1,
        "remaining": "0",
        "paid": "0",
        "v2": "ABONADO",
        "unpaid": [],
    }
    audited = audit_invoices(invoiced.org_id, chains=ChainRepository())
    assert [each.faults for each in audited] == [[]] * 3


def test_a_paid_invoice_can_be_credited_but_not_paid_again(invoiced: Invoker) -> None:
    assert _pay(invoiced, 56.47).status == 201
    assert _credit(invoiced, "whole").status == 201
    again = _pay(invoiced, 0.01)

    assert (again.status, again.json["code"]) == (409, "PAYMENT_EXCEEDS_INVOICE")
    assert _states(invoiced) == {
        "status": 1,
        "remaining": "0",
        "paid": "5647",
        "v2": "ABONADO",
        "unpaid": [],
    }


def test_what_was_credited_need_not_be_paid(invoiced: Invoker) -> None:
    assert _pay(invoiced, 20).status == 201
    assert _credit(invoiced, "part", (2, 6.17)).status == 201
    part = _states(invoiced)
    too_much = _pay(invoiced, 29.01)
    rest = _pay(invoiced, 29)

    assert part == {
        "status": 2,
        "remaining": "2900",
        "paid": "2000",
        "v2": "PENDIENTE",
        "unpaid": ["1"],
    }
    assert (too_much.status, rest.status) == (409, 201)
    assert _states(invoiced) == {
        "status": 1,
        "remaining": "0",
        "paid": "4900",
        "v2": "PAGADO",
        "unpaid": [],
    }


def test_parts_come_to_the_whole_to_the_cent(invoiced: Invoker) -> None:
    for number in range(9):
        assert _credit(invoiced, f"part {number}", (1, 4.49)).status == 201
    assert _credit(invoiced, "rest").status == 201

    notes = invoiced("invoices_list").json[:-1]
    assert sum(int(note["amountIncVAT"]) for note in notes) == -5647
    assert sum(int(note["amountExclVAT"]) for note in notes) == -4667


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        pytest.param([(1, 40.51)], "CREDIT_EXCEEDS_INVOICE", id="more than the line"),
        pytest.param([(1, 30.5), (2, 6.18)], "CREDIT_EXCEEDS_INVOICE", id="one of two lines"),
        pytest.param([(3, 1)], "INVALID_REQUEST", id="no such line"),
        pytest.param([(1, 0.001)], "INVALID_REQUEST", id="more decimals than the currency"),
        pytest.param([(1, 0)], "INVALID_REQUEST", id="nothing"),
        pytest.param([(1, -1)], "INVALID_REQUEST", id="less than nothing"),
        pytest.param([(0, 1)], "INVALID_REQUEST", id="line 0"),
        pytest.param([(1, 1), (1, 1)], "INVALID_REQUEST", id="a line twice"),
    ],
)
def test_refuses_more_than_there_is(
    invoiced: Invoker, lines: list[tuple[int, float]], code: str
) -> None:
    answer = _credit(invoiced, "wrong", *lines)

    assert (answer.status, answer.json["code"]) == (409 if "EXCEEDS" in code else 400, code)
    assert len(invoiced("invoices_list").json) == 1


def test_refuses_to_credit_once_more(invoiced: Invoker) -> None:
    assert _credit(invoiced, "part", (1, 40)).status == 201
    more_than_is_left = _credit(invoiced, "more", (1, 0.51))
    assert _credit(invoiced, "rest").status == 201
    of_nothing = _credit(invoiced, "again")
    of_a_credit_note = invoiced(
        "invoices_credit", {"external_credit_note_unique_id": "R"}, invoiceId=2
    )
    of_nobody = invoiced("invoices_credit", invoiceId=9)

    assert (more_than_is_left.status, of_nothing.status) == (409, 409)
    assert of_nothing.json["code"] == "CREDIT_EXCEEDS_INVOICE"
    assert (of_a_credit_note.status, of_a_credit_note.json["code"]) == (
        409,
        "INVOICE_NOT_CREDITABLE",
    )
    assert (of_nobody.status, of_nobody.json["code"]) == (404, "NOT_FOUND")


def test_issues_a_credit_note_once_for_one_external_id(invoiced: Invoker) -> None:
    first = invoiced("invoices_credit")
    again = invoiced("invoices_credit")
    other = invoiced("invoices_credit", {"description": "Something else"})

    assert (again.status, again.json) == (201, first.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status, other.json["code"]) == (409, "EXTERNAL_ID_REUSED")


def test_never_credits_too_much_whoever_asks_at_once(invoiced: Invoker) -> None:
    def ask(number: int) -> int:
        if number % 3 == 0:
            return _credit(invoiced, f"whole {number}").status
        if number % 3 == 1:
            return _credit(invoiced, f"part {number}", (1, 9.99)).status
        return _pay(invoiced, 10 + number / 100).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(24)))

    *notes, original = invoiced("invoices_list").json
    credited = -sum(int(note["amountIncVAT"]) for note in notes)
    assert set(statuses) == {201, 409}
    assert credited == 5647  # one of those that credit all that is left comes last, or is alone
    assert int(original["totalPaidAmount"]) <= 5647
    assert original["remainingAmount"] == "0"
    audited = audit_invoices(invoiced.org_id, chains=ChainRepository())
    assert [each.faults for each in audited if each.faults] == []


def test_a_credit_note_costs_two_reads_and_a_transaction(invoiced: Invoker, aws_calls: Any) -> None:
    aws_calls()

    assert invoiced("invoices_credit").status == 201

    assert aws_calls() == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
