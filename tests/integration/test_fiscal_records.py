"""Fiscal records as they are kept: chained as documents are issued, listed, answered, amended."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from django_verifactu.aeat.schemas import schema_violations  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]

from billing import clock
from billing.domain.errors import ConflictError
from billing.domain.invoices import InvoiceKey
from billing.domain.parties import FiscalRegime
from billing.domain.verifactu import AgencyError, Amendment, KeptRecord, RecordState, Verdict
from billing.persistence.chains import ChainRepository
from billing.persistence.fiscal_records import FiscalRecordRepository
from billing.persistence.fiscal_senders import SenderRepository
from billing.persistence.invoices import InvoiceRepository
from billing.persistence.issuing import IssuingRepository
from billing.persistence.orgs import OrgRepository
from billing.services.replace_profile import replace_org
from tests.integration.billing import Runs, audited, call, charge, issued, money
from tests.integration.conftest import Answer, Invoker
from tests.integration.test_billing_feeds import KilledError, killing

SENT_AT = datetime(2027, 1, 4, 12, tzinfo=UTC)


@pytest.fixture
def declared(billed: Invoker) -> Invoker:
    """Call functions in the name of an org whose documents are declared."""
    switch_on(billed)
    return billed


def issue(invoke: Invoker, count: int = 1) -> list[str]:
    answers = [
        invoke("invoices_create", {"external_invoice_unique_id": f"invoice-{number}"})
        for number in range(count)
    ]
    assert {answer.status for answer in answers} == {201}, answers[0].text
    return [answer.json["id"] for answer in answers]


def whole(invoke: Invoker) -> list[KeptRecord]:
    """Return all pending records, which must be one whole chain."""
    records = FiscalRecordRepository().pending(invoke.org_id, 1000)
    before = None
    for position, kept in enumerate(records, 1):
        assert kept.record.position == position
        assert kept.record.previous == before
        assert kept.record.is_intact
        before = kept.record.end.link
    assert FiscalRecordRepository().end(invoke.org_id).position == len(records)
    return records


def test_each_document_has_its_record_in_the_chain(declared: Invoker) -> None:
    first, _ = issue(declared, 2)
    assert declared("invoices_credit", invoiceId=first).status == 201

    records = whole(declared)

    assert [kept.record.declaration.type for kept in records] == ["F1", "F1", "R1"]
    assert {kept.state for kept in records} == {RecordState.PENDING}
    assert records[0] == FiscalRecordRepository().get(records[0].key)


def test_documents_issued_at_once_are_one_chain(declared: Invoker) -> None:
    def create(number: int) -> int:
        body = {"external_invoice_unique_id": f"at-once-{number}"}
        return declared("invoices_create", body).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(create, range(16)))

    assert set(statuses) == {201}
    assert len(whole(declared)) == 16


def test_answers_are_kept_and_the_first_one_stays(declared: Invoker) -> None:
    issue(declared, 3)
    records, repository = whole(declared), FiscalRecordRepository()
    error = AgencyError("1239", "Error en el bloque Destinatario")
    accepted = Verdict(RecordState.ACCEPTED, SENT_AT, csv="A-YDSW8NLFLANWPM")
    rejected = Verdict(RecordState.REJECTED, SENT_AT, errors=(error,))

    repository.answered([(records[0], accepted), (records[1], rejected)])
    repository.answered([(records[0], rejected), (records[2], accepted)])

    assert repository.pending(declared.org_id, 10) == []
    assert [repository.get(each.key).verdict for each in records] == [accepted, rejected, accepted]
    listed = repository.list_by_state(declared.org_id, RecordState.ACCEPTED, None, 10)
    assert [each.record.position for each in listed] == [1, 3]
    assert repository.list_by_state(declared.org_id, RecordState.ACCEPTED, "0000000001", 1) == [
        listed[1]
    ]


def test_an_org_that_issues_meanwhile_is_still_one_to_send_for(declared: Invoker) -> None:
    issue(declared, 2)
    senders = SenderRepository()

    senders.all_sent(declared.org_id, 1)
    assert declared.org_id in senders.list_unsent(None)

    senders.all_sent(declared.org_id, 2)
    assert declared.org_id not in senders.list_unsent(None)


def test_the_documents_of_other_orgs_have_no_record(billed: Invoker) -> None:
    issue(billed)

    assert FiscalRecordRepository().pending(billed.org_id, 10) == []
    assert FiscalRecordRepository().end(billed.org_id).position == 0
    assert len(list(ChainRepository().list_keys(billed.org_id))) == 1


# ---------------------------------------------------------------- by the routes


def tax_id_of(invoke: Invoker) -> str:
    """Name a company that no other org of these tests is: series of a taxpayer are taken once."""
    number = f"{int(sha256(invoke.org_id.encode()).hexdigest(), 16) % 10**7:07}"
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in number[::2])
    total = sum(map(int, number[1::2])) + sum(doubled)
    return f"B{number}{(10 - total % 10) % 10}"


def put_org(invoke: Invoker, **fields: object) -> Answer:
    return invoke("billing_info_put_org", {"tax_id": tax_id_of(invoke), **fields})


def switch_on(invoke: Invoker) -> None:
    assert put_org(invoke, fiscal_regime="VERIFACTU").status == 204


def refuse(invoke: Invoker, *errors: AgencyError) -> None:
    """Have the agency reject all that is still to be sent."""
    records = FiscalRecordRepository()
    verdict = Verdict(RecordState.REJECTED, SENT_AT, errors=errors)
    records.answered([(each, verdict) for each in records.pending(invoke.org_id, 100)])


def test_an_org_switches_on_and_declares_what_it_issues_from_then_on(billed: Invoker) -> None:
    assert put_org(billed).status == 204
    assert billed("invoices_create", {"external_invoice_unique_id": "before"}).status == 201

    switch_on(billed)

    [invoice_id] = issue(billed)
    answer = billed("verifactu_get_record", invoiceId=invoice_id)
    assert (answer.status, answer.json["state"]) == (200, "pending")
    assert billed("verifactu_get_record", invoiceId="1").status == 404
    assert billed("billing_info_get_org").json["fiscal_regime"] == "VERIFACTU"
    assert len(whole(billed)) == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"time_zone": "Europe/Paris"}, "time_zone"),
        (
            {
                "address": {
                    "street": "Rua Nova 1",
                    "postal_code": "1000-001",
                    "city": "Lisboa",
                    "country": "PT",
                },
                "tax_id": "501964843",
            },
            "fiscal_regime",
        ),
    ],
)
def test_only_sellers_that_the_agency_takes_switch_on(
    invoke: Invoker, fields: dict[str, object], named: str
) -> None:
    answer = put_org(invoke, fiscal_regime="VERIFACTU", **fields)

    assert (answer.status, answer.json["details"][0]["field"]) == (400, named)


def test_nobody_switches_on_where_nobody_answers_for_the_software(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERIFACTU_PRODUCER", "")

    answer = put_org(billed, fiscal_regime="VERIFACTU")

    assert (answer.status, answer.json["code"]) == (409, "FISCAL_REGIME")


def test_it_is_switched_off_with_the_end_of_a_year_only(billed: Invoker) -> None:
    switch_on(billed)
    assert put_org(billed, fiscal_regime="NONE").status == 204  # nothing was declared
    switch_on(billed)
    issue(billed)

    answer = put_org(billed, fiscal_regime="NONE")

    assert (answer.status, answer.json["code"]) == (409, "FISCAL_REGIME")
    orgs = OrgRepository()
    org, version = orgs.get(billed.org_id)
    next_year = datetime(clock.now().year + 1, 1, 2, tzinfo=UTC)
    off = replace(org, fiscal_regime=FiscalRegime.NONE)
    replace_org(off, now=next_year, versions={version}, orgs=orgs, system=None)
    assert billed("invoices_create", {"external_invoice_unique_id": "off"}).status == 201
    assert len(whole(billed)) == 1


def test_two_orgs_of_a_taxpayer_need_series_of_their_own(billed: Invoker) -> None:
    switch_on(billed)
    other = Invoker(f"org-{uuid4().hex}")
    same = {"fiscal_regime": "VERIFACTU", "tax_id": tax_id_of(billed)}

    refused = put_org(other, **same)

    assert (refused.status, refused.json["code"]) == (409, "FISCAL_REGIME")
    assert put_org(other, invoice_series="FX", credit_series="RX", **same).status == 204


def test_a_document_that_is_being_issued_while_it_is_switched_on_starts_again(
    billed: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was read before the switch: nothing is issued without a record after it."""
    assert put_org(billed).status == 204
    assert billed("invoices_create", {"external_invoice_unique_id": "before"}).status == 201
    write = IssuingRepository.write
    switched: list[str] = []

    def switch_first(self: IssuingRepository, *args: Any) -> None:
        if not switched:
            switched.append("yes")
            switch_on(billed)
        write(self, *args)

    monkeypatch.setattr(IssuingRepository, "write", switch_first)
    issue(billed)
    monkeypatch.undo()
    assert len(whole(billed)) == 1

    issue_again = billed("invoices_create", {"external_invoice_unique_id": "next"})
    assert issue_again.status == 201
    assert len(whole(billed)) == 2


def test_a_buyer_without_a_tax_id_is_refused_above_400_euros(billed: Invoker) -> None:
    switch_on(billed)
    account = billed("billing_info_get_account").json
    account.pop("tax_id")
    assert billed("billing_info_put_account", json.dumps(account)).status == 204
    line = {"description": "Hosting", "quantity": 1, "unit_price": 331}

    answer = billed("invoices_create", {"lines": [line]})

    assert (answer.status, answer.json["code"]) == (400, "TAX_ID_REQUIRED")
    assert billed("invoices_create", {"lines": [{**line, "unit_price": 330}]}).status == 201
    assert [kept.record.declaration.type for kept in whole(billed)] == ["F2"]


def test_a_rejected_record_is_corrected_by_another_of_the_same_document(billed: Invoker) -> None:
    switch_on(billed)
    first, second = issue(billed, 2)
    assert billed("verifactu_correct", invoiceId=first).json["code"] == (
        "FISCAL_RECORD_NOT_CORRECTABLE"
    )
    refuse(billed, AgencyError("1239", "NIF no identificado"))

    corrected = billed("verifactu_correct", invoiceId=first)
    again = billed("verifactu_correct", invoiceId=first)

    assert (corrected.status, corrected.json["id"]) == (201, "3")
    assert (again.status, again.json["id"]) == (201, "3")
    assert again.headers["idempotent-replayed"] == "true"
    [kept] = FiscalRecordRepository().pending(billed.org_id, 10)
    said = kept.record.declaration
    assert kept.record.amendment == Amendment(is_known=False, after_rejection=True)
    assert said.recipient
    assert (said.recipient.id_type, said.recipient.country) == ("07", "ES")
    assert kept.record.previous
    assert kept.record.previous.number.endswith("2")
    shown = billed("verifactu_get_record", invoiceId=first).json
    assert (shown["state"], shown["huella"]) == ("pending", kept.record.huella)
    rejected = billed("verifactu_list_records", query={"state": "rejected"}).json
    assert [each["invoice_id"] for each in rejected["fiscal_records"]] == [second]
    issue(billed)
    refuse(billed)
    body = {"external_fiscal_correction_unique_id": "another", "buyer_id_type": "passport"}
    assert billed("verifactu_correct", body, invoiceId=first).status == 201
    assert FiscalRecordRepository().end(billed.org_id).position >= 4


def test_the_record_is_answered_as_xml_by_the_schema(billed: Invoker) -> None:
    switch_on(billed)
    [invoice_id] = issue(billed)

    answer = billed("verifactu_get_record", query={"format": "xml"}, invoiceId=invoice_id)

    assert answer.headers["content-type"] == "application/xml"
    root = etree.fromstring(answer.text.encode())
    assert schema_violations(root, "SuministroInformacion") == []


def test_lists_go_on_where_a_page_ended(billed: Invoker) -> None:
    switch_on(billed)
    issue(billed, 3)
    pages = []
    query = {"limit": "2"}
    while True:
        page = billed("verifactu_list_records", query={**query, "state": "pending"}).json
        pages.append([each["number"][-1] for each in page["fiscal_records"]])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert pages == [["1", "2"], ["3"]]


def test_the_records_of_a_sandbox_are_for_the_test_service_and_for_nobody_by_its_clock(
    aws: None, org_id: str
) -> None:
    sandbox = Invoker(org_id, sandbox=True)
    switch_on(sandbox)
    assert sandbox("billing_info_put_account").status == 204
    first = sandbox("invoices_create", {"external_invoice_unique_id": "1"}).json["id"]
    soon = (clock.now() + timedelta(days=40)).isoformat()
    assert sandbox("sandbox_clock_put", {"now": soon}).status == 204
    second = sandbox("invoices_create", {"external_invoice_unique_id": "2"}).json["id"]

    shown = [sandbox("verifactu_get_record", invoiceId=each).json for each in (first, second)]

    assert [each["state"] for each in shown] == ["pending", "not_sent"]
    assert all(each["qr_url"].startswith("https://prewww2.aeat.es/") for each in shown)


def test_a_correction_in_a_sandbox_whose_clock_was_set_is_for_nobody_either(
    aws: None, org_id: str
) -> None:
    """The agency would get it behind a record that it never gets."""
    sandbox = Invoker(org_id, sandbox=True)
    switch_on(sandbox)
    assert sandbox("billing_info_put_account").status == 204
    [first] = issue(sandbox)
    refuse(sandbox)
    soon = (clock.now() + timedelta(days=40)).isoformat()
    assert sandbox("sandbox_clock_put", {"now": soon}).status == 204
    body = {"external_invoice_unique_id": "behind"}
    assert sandbox("invoices_create", body).status == 201

    assert sandbox("verifactu_correct", invoiceId=first).status == 201

    assert sandbox("verifactu_get_record", invoiceId=first).json["state"] == "not_sent"
    assert FiscalRecordRepository().pending(org_id, 10) == []
    assert audited(org_id) == 3


def test_what_is_personal_can_be_erased_and_the_fingerprint_holds(billed: Invoker) -> None:
    switch_on(billed)
    [invoice_id] = issue(billed)
    key, invoices = InvoiceKey(billed.org_id, "100001", int(invoice_id)), InvoiceRepository()
    with pytest.raises(ConflictError, match="still to be sent"):
        invoices.erase(key, clock.now())
    refuse(billed)
    assert billed("verifactu_correct", invoiceId=invoice_id).status == 201
    refuse(billed)

    invoices.erase(key, clock.now())

    kept = FiscalRecordRepository().list_of(key)
    assert len(kept) == 2
    assert all(each.erased and each.record.is_intact for each in kept)
    assert all(each.record.declaration.recipient is None for each in kept)
    as_xml = billed("verifactu_get_record", query={"format": "xml"}, invoiceId=invoice_id)
    assert as_xml.status == 410
    assert billed("verifactu_get_record", invoiceId=invoice_id).json["state"] == "rejected"
    another = {"external_fiscal_correction_unique_id": "another"}
    assert billed("verifactu_correct", another, invoiceId=invoice_id).status == 410


@pytest.mark.parametrize("rate", [20, 7.5, 5])
def test_no_seller_in_spain_charges_a_rate_that_the_agency_refuses(
    billed: Invoker, rate: float
) -> None:
    tax = {"type": "IVA", "percentage": rate}
    line = {"description": "Hosting", "quantity": 1, "unit_price": 10, "tax": tax}

    answer = billed("invoices_create", {"lines": [line]})

    assert answer.status == 400
    assert answer.json["details"][0]["field"] == "lines.0.tax.percentage"


def test_a_run_declares_what_it_bills_and_names_who_needs_a_tax_id(
    billed: Invoker, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2027, 1, 21, tzinfo=UTC))
    switch_on(billed)
    billed("movements_create")
    for account_id in ("100002", "100003"):
        account = billed("billing_info_get_account").json
        del account["tax_id"]
        caller = {"accounts": "*"}
        sent = json.dumps(account | {"account_id": account_id})
        body = billed("billing_info_put_account", sent, caller=caller, accountId=account_id)
        assert body.status == 204, body.text
        price = 1000 if account_id == "100003" else 100
        amount = {
            "value_without_taxes": price,
            "value_with_taxes": price * 1.21,
            "tax": {"type": "IVA", "percentage": 21},
        }
        fields = {"amount": amount, "operation_type": "DEBIT"}
        charged = billed(
            "movements_adjust",
            fields | {"external_adjustment_unique_id": account_id},
            caller=caller,
            accountId=account_id,
        )
        assert charged.status == 201, charged.text
    monkeypatch.setattr(clock, "now", lambda: datetime(2027, 3, 1, tzinfo=UTC))

    failures = runs.run()["failures"]

    assert [(each["account_id"], each["code"]) for each in failures] == [
        ("100003", "TAX_ID_REQUIRED")
    ]
    assert sorted(kept.record.declaration.type for kept in whole(billed)) == ["F1", "F2"]


RATES = 130
"""Eleven documents of twelve rows each, which is more than one transaction issues."""


def charge_at_rates(invoke: Invoker) -> None:
    """Charge an account in the Canaries at more rates of IGIC than a record has rows."""
    account = invoke("billing_info_get_account").json
    home = {"street": "Calle León 1", "postal_code": "35001", "city": "Las Palmas", "country": "ES"}
    body = json.dumps(account | {"address": home, "state_id": 35})
    assert invoke("billing_info_put_account", body).status == 204
    for number in range(RATES):
        rate = 1 + number / 2
        tax = {"type": "IGIC", "percentage": rate}
        charge(invoke, amount=money(100 + rate, 100) | {"tax": tax})


def check_rates(invoke: Invoker) -> None:
    """Check that each charge is billed once, in documents that are declared whole."""
    records, documents = whole(invoke), list(issued(invoke.org_id, "100001"))
    rows = [len(kept.record.declaration.rows) for kept in records]
    assert rows == [12] * 10 + [10]
    lines = [line for each in documents for line in each.lines]
    assert len({line.movement_id for line in lines}) == len(lines) == RATES
    gross = sum(100_00 + 100 + 50 * number for number in range(RATES))
    assert sum(each.gross.minor for each in documents) == gross
    assert sum(kept.record.declaration.total for kept in records) == Decimal(gross) / 100
    assert [kept.record.declaration.number for kept in records] == [
        each.number for each in documents
    ]
    assert audited(invoke.org_id) == len(documents) == 11


def test_a_run_divides_what_has_more_rows_of_tax_than_a_record_holds(
    billed: Invoker, runs: Runs
) -> None:
    switch_on(billed)
    charge_at_rates(billed)
    upcoming = billed("invoices_get_upcoming").json["documents"]

    run = runs.run(until="2026-12-01")

    assert (run["invoices_issued"], run["failures"]) == (11, [])
    check_rates(billed)
    assert [len(each["taxes"]) for each in upcoming] == [12] * 10 + [10]
    for function, message in list(runs.delivered):
        runs.again(function, message)
    check_rates(billed)


@pytest.mark.faults
@pytest.mark.parametrize("is_sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", [2, 3], ids=["the first ten", "the last"])
def test_whoever_is_killed_while_it_divides_divides_in_the_same_way_again(
    billed: Invoker, runs: Runs, nth: int, is_sent: bool
) -> None:
    switch_on(billed)
    charge_at_rates(billed)
    runs.start(until="2026-12-01")
    runs.list_accounts()
    [batch] = runs.batches()

    with pytest.raises(KilledError), killing(nth, is_sent=is_sent):
        call("bill_accounts", {"Records": [batch]})

    assert runs.again("bill_accounts", batch) == {"batchItemFailures": []}
    check_rates(billed)
