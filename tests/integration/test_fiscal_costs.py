"""A document that is declared costs as many requests to AWS as any other."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.integration.billing import Runs, subscribers
from tests.integration.conftest import Invoker
from tests.integration.declared import records_of
from tests.integration.test_fiscal_records import put_org

type Calls = Callable[[], list[str]]

ONE = {"BatchGetItem": 2, "TransactWriteItems": 1}
"""Of a document that is issued on request."""
RUN_OF_25 = {"BatchGetItem": 8, "Query": 25, "TransactWriteItems": 7}
"""Of what bills the batch: each ten accounts are closed, gathered and issued together."""

in_both_regimes = pytest.mark.parametrize("regime", ["NONE", "VERIFACTU"])


@in_both_regimes
def test_on_request(billed: Invoker, aws_calls: Calls, regime: str) -> None:
    assert put_org(billed, fiscal_regime=regime).status == 204
    billed("invoices_create")
    aws_calls()

    assert billed("invoices_create", {"external_invoice_unique_id": "second"}).status == 201
    assert Counter(aws_calls()) == ONE
    assert billed("invoices_credit").status == 201
    assert Counter(aws_calls()) == ONE


@in_both_regimes
def test_in_a_run(billed: Invoker, runs: Runs, aws_calls: Calls, regime: str) -> None:
    assert put_org(billed, fiscal_regime=regime).status == 204
    for each in subscribers(billed, 25):
        each.charge()
    run = runs.start(until="2026-12-27")
    runs.list_accounts()
    aws_calls()

    runs.bill()

    assert Counter(aws_calls()) == RUN_OF_25
    assert runs.get(run)["invoices_issued"] == 25
    assert len(records_of(billed.org_id)) == (25 if regime == "VERIFACTU" else 0)
