"""
Processes that declare documents are killed before and after each call to AWS, and try again.

Whatever was killed: each document has its record, once, and the records are one whole chain.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

import pytest

from billing import clock
from billing.domain.invoices import InvoiceKey
from billing.persistence.fiscal_records import FiscalRecordRepository
from tests.integration.billing import Runs, issued, subscribers
from tests.integration.conftest import Answer, Invoker
from tests.integration.declared import records_of
from tests.integration.faults import Killed, dying
from tests.integration.test_fiscal_records import put_org, refuse, switch_on

pytestmark = pytest.mark.faults

MONTHS = [f"{year}-{month:02}-27" for year in range(2026, 2030) for month in range(1, 13)][11:]
"""Each of these closes one more cycle."""


@pytest.fixture
def declared(billed: Invoker) -> Invoker:
    """Call functions in the name of an org whose documents are declared."""
    switch_on(billed)
    return billed


class Kills:
    """Kills what is tried: at its first call, before that is sent and after, then at the second…"""

    def __init__(self) -> None:
        self.count = 0
        self._places = ((nth, is_sent) for nth in count(1) for is_sent in (False, True))
        self._lives = False

    def __iter__(self) -> Iterator[int]:
        """Number the tries, until one has no more calls to be killed at."""
        while not self._lives:
            yield self.count
        assert self.count >= 4

    def __call__(self, do: Callable[[], object]) -> None:
        """Try something that is killed."""
        with suppress(Killed), dying(*next(self._places)) as died:
            do()
        self._lives = not died()
        self.count += not self._lives


@pytest.fixture
def kills() -> Kills:
    return Kills()


def issue(invoke: Invoker, external_id: str | int) -> Answer:
    return invoke("invoices_create", {"external_invoice_unique_id": f"invoice {external_id}"})


def test_an_invoice_is_declared_once(declared: Invoker, kills: Kills) -> None:
    for number in kills:
        kills(lambda: issue(declared, number))  # noqa: B023 - done at once

        assert issue(declared, number).status == 201

    assert len(records_of(declared.org_id)) == kills.count + 1


def test_a_credit_note_is_declared_once(declared: Invoker, kills: Kills) -> None:
    for number in kills:
        invoice_id = issue(declared, number).json["id"]

        def credit(number: int = number, invoice_id: str = invoice_id) -> Answer:
            body = {"external_credit_note_unique_id": f"credit note {number}"}
            return declared("invoices_credit", body, invoiceId=invoice_id)

        kills(credit)

        assert credit().status == 201

    types = [each.record.declaration.type for each in records_of(declared.org_id)]
    assert types == ["F1", "R1"] * (kills.count + 1)


def test_a_correction_is_made_once(declared: Invoker, kills: Kills) -> None:
    for number in kills:
        invoice_id = issue(declared, number).json["id"]
        refuse(declared)

        def correct(number: int = number, invoice_id: str = invoice_id) -> Answer:
            body = {"external_fiscal_correction_unique_id": f"correction {number}"}
            return declared("verifactu_correct", body, invoiceId=invoice_id)

        kills(correct)

        assert correct().status == 201
        key = InvoiceKey(declared.org_id, "100001", int(invoice_id))
        assert len(FiscalRecordRepository().list_of(key)) == 2

    assert len(records_of(declared.org_id)) == 2 * (kills.count + 1)


def test_the_regime_is_switched_wholly_or_not_at_all(
    billed: Invoker, kills: Kills, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Year by year it is switched off, and on again; what is issued in between follows it."""
    regimes: list[str] = []
    kills_off = Kills()

    def issue_one() -> None:
        assert issue(billed, len(regimes)).status == 201
        regimes.append(billed("billing_info_get_org").json["fiscal_regime"])

    def switch(regime: str) -> Answer:
        return put_org(billed, fiscal_regime=regime)

    assert switch("NONE").status == 204
    for number in kills:
        new_year = datetime(2027 + number, 1, 2, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda new_year=new_year: new_year)
        kills_off(lambda: switch("NONE"))
        assert switch("NONE").status == 204
        issue_one()
        kills(lambda: switch("VERIFACTU"))
        issue_one()
        assert switch("VERIFACTU").status == 204
        issue_one()

    documents = issued(billed.org_id, "100001")
    assert ["VERIFACTU" if each.fiscal else "NONE" for each in documents] == regimes
    assert len(records_of(billed.org_id)) == regimes.count("VERIFACTU")


def test_a_run_declares_once_what_it_bills(declared: Invoker, kills: Kills, runs: Runs) -> None:
    """Each month an invoice to a company, one to a consumer, and a credit note are due."""
    company, consumer = customers = subscribers(declared, 2)
    put_without_tax_id(declared, consumer.account_id)
    movements = [each.charge() for each in customers]
    runs.run(until=MONTHS[0])

    for number in kills:
        company.give_back(movements[0], 10)
        for each in customers:
            each.charge(300)
        run = runs.start(until=MONTHS[number + 1])
        runs.list_accounts()
        [batch] = runs.batches()

        kills(lambda: runs.again("bill_accounts", batch))  # noqa: B023 - done at once

        assert runs.again("bill_accounts", batch) == {"batchItemFailures": []}
        assert runs.get(run)["invoices_issued"] == 3

    types = [each.record.declaration.type for each in records_of(declared.org_id)]
    assert Counter(types) == {
        "F1": kills.count + 2,
        "F2": kills.count + 2,
        "R1": kills.count + 1,
    }
    for each in customers:
        each.check()


def put_without_tax_id(invoke: Invoker, account_id: str) -> None:
    profile = invoke("billing_info_get_account", caller={"accounts": "*"}, accountId=account_id)
    del (body := profile.json)["tax_id"]
    put = invoke(
        "billing_info_put_account", json.dumps(body), caller={"accounts": "*"}, accountId=account_id
    )
    assert put.status == 204
