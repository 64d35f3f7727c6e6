"""
Invariant 14: whatever the API accepts becomes documents that are valid by the official rules.

Requests are generated over all fields that reach a document. What cannot become a valid document
has to be refused when it comes in, as a document that was issued can never be mended.
DOCUMENT_EXAMPLES sets how many requests of each kind are tried: `make nightly` tries more.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from stdnum import get_cc_module

from billing.dialects.v1.billing_info import AccountBillingDetailsRequestDTO, BillingInfo
from billing.dialects.v1.consumptions import ConsumptionRequestDTO
from billing.dialects.v1.invoices import CreditNoteRequestDTO, InvoiceRequestDTO
from billing.dialects.v1.movements import MovementRequestDTO
from billing.dialects.v1.refunds import RefundRequestDTO
from billing.domain.consumptions import Consumption, taxed_amounts, totals_of
from billing.domain.countries import COUNTRIES
from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.cycle_invoices import CycleContents, draft_bill, next_step
from billing.domain.cycles import BillableAccount, ClosingCycle, OpenCycle
from billing.domain.errors import BillingError
from billing.domain.invoice_record import read_record, write_record
from billing.domain.invoices import (
    Draft,
    InvoiceSummary,
    IssuedInvoice,
    draft_invoice,
)
from billing.domain.issuing import AccountEnd, ChainEnd, Ends, Journal
from billing.domain.money import CURRENCIES
from billing.domain.movements import Movement, MovementKey, Surroundings
from billing.domain.parties import Account, Org
from billing.domain.refunds import Refund, RefundKey
from billing.domain.tax import Tax
from billing.domain.tax_rates import NO_OWN_RATES, tax_at
from functions.documents.pdf.render import render
from tests.documents.official_rules import STYLESHEETS, OfficialRules

EXAMPLES = os.environ.get("DOCUMENT_EXAMPLES")
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

type Json = dict[str, Any]

rules = OfficialRules()


def generated(examples: int) -> Callable[[Any], Any]:
    """Bound a generator: the same examples each time, or as many others as are asked for."""
    return settings(
        max_examples=int(EXAMPLES or examples),
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# ---------------------------------------------------------------- requests

WORDS = st.sampled_from(
    [
        "Fibre 600",
        "Größe Łódź Ελλάδα Київ",
        "日本",
        "<b>&amp;]]>",
        '#panic("x") $x$',
        "שלום",
        "e\u0301",
    ]
)
ODD = st.text(
    st.one_of(
        st.sampled_from(" \xa0\xad\u200b\u202e\u2028\u3000\ufeff"),
        st.characters(exclude_categories=["Cc", "Cs"]),
    ),
    min_size=1,
    max_size=4,
)


def mostly[T](
    usual: st.SearchStrategy[T], *others: st.SearchStrategy[T], times: int = 20
) -> st.SearchStrategy[T]:
    """Draw what is usual so many times as often as each of the others."""
    return st.sampled_from([*[usual] * times, *others]).flatmap(lambda chosen: chosen)


BLANK = st.sampled_from([" ", "\xa0\u2028", "\u3000", "\u200b"])
TEXTS = mostly(WORDS, ODD, st.tuples(ODD, WORDS, ODD).map("".join), BLANK, times=60)
NAMES = mostly(TEXTS, st.just("Wort " * 40), st.just("x" * 200))
LONG = mostly(TEXTS, st.just("Wort " * 100), st.just("x" * 500), st.just("語" * 500))
EMAILS = st.sampled_from(["ana@puig.example", "ñandú@año.example", "a'b+c&d@x.example", "<@a.b"])
ZONES = st.sampled_from(["Europe/Madrid", "America/New_York", "Pacific/Kiritimati", "UTC"])
BANKS = st.sampled_from(
    [
        {},
        {"iban": "ES91 2100 0418 4502 0005 1332", "bic": "CAIXESBB"},
        {"iban": "DE89370400440532013000"},
        {"bic": "CAIXESBBXXX"},
    ]
)
TAX_IDS = {
    "AT": ["U13585627"], "BE": ["403.019.261", "BE0428759497"], "CH": ["CHE107787577IVA"],
    "DE": ["136,695 976", "DE136695976"], "ES": ["B58378431", "ES-B58378431", "54362315-K"],
    "FR": ["40303265045"], "GB": ["GB 980 780 684"], "GR": ["094259216", "EL 094259216"],
    "IE": ["6433435F", "8D79739I"], "IT": ["00743110157"], "NL": ["4495445B01"],
    "NO": ["NO 995 525 828 MVA"], "PT": ["501 964 843"], "SE": ["123456789701"],
}  # fmt: skip
"""Tax ids that are right, as people write them."""
FREE = ["12-3456789", "ZR 99/7 é"]
PLACES = st.one_of(
    st.just("ES"),
    st.sampled_from(sorted(TAX_IDS)),
    st.sampled_from([each for each in sorted(COUNTRIES) if not get_cc_module(each.lower(), "vat")]),
)
SPANISH = st.sampled_from(["08005", "28014", "35001", "38001", "51001", "52001"])
"""Postal codes of the mainland, the Canaries, Ceuta and Melilla: each has another tax."""
MONEY = st.one_of(
    st.decimals(0, 1000, places=2),
    st.decimals(0, 10, places=4),
    st.sampled_from([Decimal(0), Decimal("0.000000000001"), Decimal("99999999.99")]),
)
QUANTITIES = st.one_of(
    st.integers(-3, 12),
    st.decimals(-5, 5, places=3),
    st.sampled_from([0, Decimal("0.000000000001"), Decimal("-99999999.5")]),
)
RATES = st.one_of(
    st.sampled_from([0, 0, 4, 7, 10, 21, Decimal("6.5")]),
    st.decimals(0, 100, places=4),
    st.decimals(0, 1, places=4),
)
TAXES = mostly(
    st.one_of(
        st.none(),
        st.sampled_from(
            [{"type": each, "percentage": 0} for each in ("NONE", "IGIC", "IPSI", "IVA")]
        ),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["IVA", "IGIC", "IPSI", "VAT"]), "percentage": RATES}
        ),
    ),
    st.just({"type": "VAT", "percentage": Decimal("0.4")}),
    times=12,
)
MONEY_NAMES = st.one_of(
    st.none(), st.sampled_from(["EUR", "JPY", "BHD"]), st.sampled_from(sorted(CURRENCIES))
)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


@st.composite
def addresses(draw: st.DrawFn, country: str) -> Json:
    return {
        "street": draw(TEXTS),
        "postal_code": draw(SPANISH if country == "ES" else mostly(st.just("NY 10118"), ODD)),
        "city": draw(TEXTS),
        "country": country,
    }


@st.composite
def orgs(draw: st.DrawFn) -> Json:
    country = draw(PLACES)
    return {
        "legal_name": draw(NAMES),
        "address": draw(addresses(country)),
        "tax_id": draw(st.sampled_from(TAX_IDS.get(country, FREE))),
        "currency": draw(MONEY_NAMES) or "EUR",
        "time_zone": draw(ZONES),
        "payment_term_days": draw(st.integers(0, 365)),
        "phone": draw(optional(TEXTS)),
        "email": draw(EMAILS),
        "url": draw(optional(TEXTS)),
        "accent": draw(optional(st.sampled_from(["#ffffff", "#0b5394"]))),
        **draw(BANKS),
    }


@st.composite
def accounts(draw: st.DrawFn) -> Json:
    country = draw(PLACES)
    return {
        "name": draw(NAMES),
        "company_name": draw(optional(NAMES)),
        "email": draw(EMAILS),
        "address": draw(addresses(country)),
        "country": country,
        "tax_id": draw(optional(st.sampled_from(TAX_IDS.get(country, FREE)))),
        "billing_day": draw(st.integers(1, 31)),
        "time_zone": draw(ZONES),
        "delivery_mode": "EMAIL",
        "payment_term_days": draw(st.integers(0, 365)),
        "currency": draw(MONEY_NAMES),
        **draw(BANKS),
    }


@st.composite
def days(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        return {}
    start = draw(st.dates(date(1900, 1, 1), date(2999, 12, 31)))
    end = draw(st.one_of(st.just(start), st.dates(start, date(2999, 12, 31))))
    return {"period_start": start.isoformat(), "period_end": end.isoformat()}


@st.composite
def lines(draw: st.DrawFn, currency: str, tax: Json | None) -> Json:
    exponent = Decimal(1).scaleb(-CURRENCIES[currency])
    setup = draw(optional(MONEY))
    return {
        "description": draw(LONG),
        "quantity": draw(QUANTITIES),
        "unit_price": draw(MONEY),
        "setup_costs": setup if setup is None else setup.quantize(exponent),
        "tax": draw(st.one_of(st.just(tax), TAXES)),
        "order_id": draw(optional(TEXTS)),
        "remarks": draw(optional(LONG)),
        **draw(days()),
    }


@st.composite
def invoices(draw: st.DrawFn, currency: str) -> Json:
    named = draw(MONEY_NAMES)
    tax = draw(TAXES)
    due = st.dates(date(1900, 1, 1), date(2999, 12, 31)).map(date.isoformat)
    return {
        "external_invoice_unique_id": "x",
        "description": draw(LONG),
        "currency": named,
        "due_date": draw(st.one_of(st.none(), st.none(), due)),
        "lines": draw(st.lists(lines(named or currency, tax), min_size=1, max_size=5)),
    }


def amounts(currency: str, tax: Json | None, default: Tax) -> st.SearchStrategy[Json]:
    """Amounts with and without tax that agree."""
    exponent = Decimal(1).scaleb(-CURRENCIES[currency])
    rate = Decimal(tax["percentage"]) if tax else default.percentage

    def amount(net: Decimal) -> Json:
        net = net.quantize(exponent)
        gross = (net * (1 + rate / 100)).quantize(exponent, ROUND_HALF_UP)
        return {"value_with_taxes": gross, "value_without_taxes": net, "tax": tax}

    return MONEY.map(amount)


@st.composite
def moments(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        return {}
    start, end = sorted(
        draw(st.datetimes(datetime(1901, 1, 1), datetime(2998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
        for _ in range(2)
    )
    return {
        "period_start_datetime": start.isoformat(),
        "period_end_datetime": end.isoformat(),
    }


# ---------------------------------------------------------------- what becomes of them


class Billed:
    """What one org bills one account: requests as they come in, and the documents they make."""

    def __init__(self, org: Json, account: Json) -> None:
        self.org: Org = BillingInfo.model_validate(org).to_domain("demo", sandbox=False)
        request = AccountBillingDetailsRequestDTO.model_validate(account)
        self.account: Account = request.to_domain("100001")
        ends = Ends(ChainEnd(), {}, {self.account.id: AccountEnd()})
        self.journal = Journal(self.org, "A", NOW, ends)
        self.currency = self.account.currency or self.org.currency
        self.to = Surroundings(self.org, self.account, None, None)
        self.cycle = OpenCycle.first(self.account, NOW)

    def tax_on(self, day: date) -> Tax:
        return tax_at(self.account.country, self.account.state_id, day, NO_OWN_RATES)

    def invoice(self, request: Json) -> IssuedInvoice:
        asked = InvoiceRequestDTO.model_validate(request).to_domain("demo", "100001")
        return self.issue(draft_invoice(asked, self.org, self.account, self.tax_on, NOW))

    def issue(self, draft: Draft) -> IssuedInvoice:
        return as_read(self.journal.issue(draft))

    def credit(self, original: Creditable, request: Json) -> Creditable:
        asked = CreditNoteRequestDTO.model_validate(request)
        wanted = asked.to_domain()
        nets = original.all_left() if wanted is None else original.lines_left(wanted)
        note = CreditNote.of(original, nets, self.org, self.account, asked.description)
        check(as_read(self.journal.credit(note)))
        summary = InvoiceSummary.of(original.invoice, "")
        return Creditable(original.invoice, summary, note.credited, {}, 2)

    def movement(self, number: int, request: Json) -> Movement:
        asked = MovementRequestDTO.model_validate(request).to_domain()
        key = MovementKey("demo", "600", f"m{number}")
        return Movement.charged(key, asked, self.to, self.cycle, NOW)

    def refund(self, movement: Movement, request: Json) -> Refund:
        asked = RefundRequestDTO.model_validate(request).to_domain()
        key = RefundKey(movement.key, "r")
        return Refund.pending(key, asked, movement, self.cycle.ends_on, NOW)

    def usage(self, request: Json) -> list[Consumption]:
        records = ConsumptionRequestDTO.model_validate(request).to_domain("600")
        amounts = taxed_amounts(records, self.to)
        return [
            Consumption.used(f"u{number}", record, amount, self.cycle)
            for number, (record, amount) in enumerate(zip(records, amounts, strict=True))
        ]

    def run(self, contents: CycleContents) -> Iterator[IssuedInvoice]:
        cycle: ClosingCycle = BillableAccount(self.account, self.cycle, None).close()
        step = next_step(cycle, contents)
        for draft in draft_bill(self.org, step, []).invoices:
            yield self.issue(draft)


def as_read(invoice: IssuedInvoice) -> IssuedInvoice:
    """Return a document as it is read back."""
    return read_record(write_record(invoice, "salt"))


def check(invoice: IssuedInvoice) -> None:
    """Hold all documents of an invoice against the official rules."""
    checked.append(invoice.number)
    for write in STYLESHEETS:
        document = write(invoice)
        assert rules.is_well_formed(document), document.decode()
        assert rules.broken_by(write, document) == [], document.decode()
    assert render(invoice).startswith(b"%PDF")


checked: list[str] = []
refused = suppress(ValidationError, BillingError)


@contextmanager
def at_least(documents: int) -> Iterator[None]:
    """Fail where fewer documents were checked: requests that are all refused show nothing."""
    checked.clear()
    yield
    assert len(checked) >= documents


def test_invoices_and_their_credit_notes() -> None:
    with at_least(80):
        invoices_and_their_credit_notes()


def test_what_a_run_bills() -> None:
    with at_least(40):
        what_a_run_bills()


@generated(100)
@given(data=st.data())
def invoices_and_their_credit_notes(data: st.DataObject) -> None:
    billed = invoice = None
    with refused:
        billed = Billed(data.draw(orgs()), data.draw(accounts()))
        invoice = billed.invoice(data.draw(invoices(billed.currency)))
    if billed is None or invoice is None:
        return

    check(invoice)
    original = Creditable(invoice, InvoiceSummary.of(invoice, ""), {}, {}, 1)
    number = data.draw(st.integers(1, len(invoice.lines)))
    most = max(original.left_of(number).major, Decimal(0))
    part = {"line": number, "amount_without_taxes": data.draw(st.sampled_from([most, most / 2]))}
    for lines in ([part], None):
        request = {
            "external_credit_note_unique_id": "x",
            "description": data.draw(LONG),
            "lines": lines,
        }
        with refused:
            original = billed.credit(original, request)


@generated(80)
@given(data=st.data())
def what_a_run_bills(data: st.DataObject) -> None:
    billed = None
    with refused:
        billed = Billed(data.draw(orgs()), data.draw(accounts()))
    if billed is None:
        return
    movements, refunds, usage = list[Movement](), list[Refund](), list[Consumption]()
    tax = data.draw(TAXES)
    default = billed.tax_on(NOW.date())
    amount = amounts(billed.currency, tax, default)
    for number in range(data.draw(st.integers(1, 4))):
        with refused:
            request = {
                "account_id": "100001",
                "movement_datetime": "2026-03-01T09:00:00Z",
                **data.draw(moments()),
                "amount": data.draw(amount),
                "operation_type": data.draw(st.sampled_from(["DEBIT", "DEBIT", "CREDIT"])),
                "kind": "one_off",
                "external_movement_unique_id": "x",
                "description": data.draw(LONG),
            }
            movements.append(billed.movement(number, request))
        with refused:
            refund = {
                "refund_datetime": "2026-03-01T09:00:00Z",
                "amount": data.draw(amount),
                "external_refund_unique_id": "x",
                "billable": True,
                "description": data.draw(LONG),
            }
            refunds.append(billed.refund(movements[-1], refund)) if movements else None
    with refused:
        record = {
            "external_consumption_unique_id": "x",
            "type": "data",
            "consumed_datetime": "2026-03-01T09:00:00Z",
            "units": 5,
            "unit": "bytes",
            "amount": data.draw(amount),
        }
        usage = billed.usage({"records": [record]})

    contents = CycleContents(movements, totals_of("600", usage), refunds)
    for invoice in billed.run(contents):
        check(invoice)
