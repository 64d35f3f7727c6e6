"""Documents of an org that are declared at the same time are in one chain."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from billing.adapters.documents import DocumentStore
from billing.domain.errors import ConflictError
from billing.domain.verifactu import AgencyError
from billing.persistence.accounts import AccountRepository
from billing.persistence.billing import BillingRepository
from billing.persistence.invoices import InvoiceRepository
from billing.services.erase_documents import erase_documents
from tests.integration.billing import Runs, subscribers
from tests.integration.conftest import Answer, Invoker
from tests.integration.declared import records_of
from tests.integration.test_billing_exactly_once import dawdling
from tests.integration.test_fiscal_records import put_org, refuse, switch_on

UNTIL = "2026-12-27"


@pytest.fixture
def declared(billed: Invoker) -> Invoker:
    """Call functions in the name of an org whose documents are declared."""
    switch_on(billed)
    return billed


def issue(invoke: Invoker) -> str:
    """Issue an invoice; return its id."""
    answer = invoke("invoices_create", {"external_invoice_unique_id": uuid4().hex})
    assert answer.status == 201, answer
    return str(answer.json["id"])


def correct(invoke: Invoker, invoice_id: str) -> Answer:
    body = {"external_fiscal_correction_unique_id": uuid4().hex}
    return invoke("verifactu_correct", body, invoiceId=invoice_id)


@contextmanager
def before_transaction(client: Any, nth: int, act: Callable[[], object]) -> Iterator[None]:
    """Let something happen just before the nth transaction is sent, once."""
    left = nth

    def come_between(**_: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            act()

    events, name = client.meta.events, "before-call.dynamodb.TransactWriteItems"
    events.register(name, come_between, unique_id="between")
    try:
        yield
    finally:
        events.unregister(name, unique_id="between")


def test_runs_invoices_and_corrections_at_once(
    declared: Invoker, runs: Runs, dynamodb: Any
) -> None:
    rejected = [issue(declared) for _ in range(3)]
    refuse(declared)
    _, *customers = subscribers(declared, 23)
    for each in customers:
        each.charge()
    run = runs.start(until=UNTIL)
    runs.list_accounts()

    with dawdling(dynamodb), ThreadPoolExecutor(3) as pool:
        billing = pool.submit(runs.bill)
        invoices = pool.submit(lambda: [issue(declared) for _ in range(6)])
        corrected = pool.submit(lambda: [correct(declared, each) for each in rejected])

    assert billing.result() == 1
    assert len(invoices.result()) == 6
    assert {each.status for each in corrected.result()} == {201}
    assert runs.get(run)["invoices_issued"] == 22
    assert len(records_of(declared.org_id)) == 3 + 22 + 6 + 3
    for each in customers:
        each.check()


@pytest.mark.parametrize("regime", ["VERIFACTU", "NONE"])
def test_a_run_goes_on_where_the_regime_is_switched(
    billed: Invoker, runs: Runs, regime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten accounts are billed before, and two after; off is possible before the year's first."""
    before = {"VERIFACTU": "NONE", "NONE": "VERIFACTU"}[regime]
    assert put_org(billed, fiscal_regime=before).status == 204
    for each in subscribers(billed, 12):
        each.charge()
    run = runs.start(until=UNTIL)
    runs.list_accounts()
    write = BillingRepository.write
    switched: list[int] = []

    def switch_afterwards(self: BillingRepository, *args: Any) -> None:
        write(self, *args)
        if not switched:
            runs.reach("2027-01-02")
            switched.append(put_org(billed, fiscal_regime=regime).status)

    monkeypatch.setattr(BillingRepository, "write", switch_afterwards)
    runs.bill()

    ended = runs.get(run)
    assert switched == [204]
    assert (ended["invoices_issued"], ended["failures"]) == (12, [])
    assert len(records_of(billed.org_id)) == (2 if regime == "VERIFACTU" else 10)


@pytest.mark.parametrize("nth", [1, 2, 3], ids=["close", "issue", "finish"])
def test_an_invoice_comes_between_the_steps_of_a_run(
    declared: Invoker, runs: Runs, dynamodb: Any, nth: int
) -> None:
    issue(declared)
    [_, customer] = subscribers(declared, 2)
    customer.charge()
    run = runs.start(until=UNTIL)
    runs.list_accounts()

    with before_transaction(dynamodb, nth, lambda: issue(declared)):
        runs.bill()

    assert runs.get(run)["invoices_issued"] == 1
    assert len(records_of(declared.org_id)) == 3
    customer.check()


def test_a_run_comes_between_an_invoice(declared: Invoker, runs: Runs, dynamodb: Any) -> None:
    [_, customer] = subscribers(declared, 2)
    customer.charge()
    run = runs.start(until=UNTIL)
    runs.list_accounts()

    with before_transaction(dynamodb, 1, runs.bill):
        issue(declared)

    assert runs.get(run)["invoices_issued"] == 1
    types = Counter(each.record.declaration.type for each in records_of(declared.org_id))
    assert types == {"F1": 2}
    customer.check()


def test_an_invoice_comes_between_a_correction(declared: Invoker, dynamodb: Any) -> None:
    rejected = issue(declared)
    refuse(declared)

    with before_transaction(dynamodb, 1, lambda: issue(declared)):
        assert correct(declared, rejected).status == 201

    numbers = [each.record.declaration.number[-1] for each in records_of(declared.org_id)]
    assert numbers == ["1", "2", "1"]


def test_a_correction_comes_between_an_invoice(declared: Invoker, dynamodb: Any) -> None:
    rejected = issue(declared)
    refuse(declared)

    with before_transaction(dynamodb, 1, lambda: correct(declared, rejected)):
        issue(declared)

    numbers = [each.record.declaration.number[-1] for each in records_of(declared.org_id)]
    assert numbers == ["1", "1", "2"]


# ---------------------------------------------------------------- personal data


def erase(org_id: str) -> list[str]:
    """Erase documents as `billing erase` does, years later; return their numbers."""
    erased = erase_documents(
        org_id,
        "100001",
        date(2028, 1, 1),
        now=datetime(2034, 6, 1, tzinfo=UTC),
        profiles=AccountRepository(),
        invoices=InvoiceRepository(),
        store=DocumentStore(),
        pause=lambda _: None,
    )
    return list(erased)


def test_no_correction_brings_back_what_is_erased_meanwhile(
    declared: Invoker, dynamodb: Any
) -> None:
    invoice_id = issue(declared)
    refuse(declared)

    with before_transaction(dynamodb, 1, lambda: erase(declared.org_id)):
        answer = correct(declared, invoice_id)

    assert (answer.status, answer.json["code"]) == (410, "ERASED")
    [kept] = records_of(declared.org_id)
    assert kept.erased


def test_nothing_is_erased_under_a_correction_that_comes_between(
    declared: Invoker, dynamodb: Any
) -> None:
    invoice_id = issue(declared)
    refuse(declared)

    with (
        before_transaction(dynamodb, 1, lambda: correct(declared, invoice_id)),
        pytest.raises(ConflictError, match="still to be sent"),
    ):
        erase(declared.org_id)

    assert [each.erased for each in records_of(declared.org_id)] == [False, False]
    refuse(declared)
    assert len(erase(declared.org_id)) == 1
    assert [each.erased for each in records_of(declared.org_id)] == [True, True]


def test_what_the_agency_says_of_a_buyer_is_erased_too(declared: Invoker) -> None:
    invoice_id = issue(declared)
    refuse(declared, AgencyError("1239", "NIF: 12345678Z. NOMBRE_RAZON: ANA PÉREZ"))
    before = declared("verifactu_get_record", invoiceId=invoice_id).json

    erase(declared.org_id)

    after = declared("verifactu_get_record", invoiceId=invoice_id).json
    assert after == before | {"errors": [{"code": "1239", "message": ""}]}
