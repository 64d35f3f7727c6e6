"""
Invariant 14: whatever the API accepts becomes documents that are valid by the official rules.

Requests are generated over all fields that reach a document. What cannot become a valid document
has to be refused when it comes in, as a document that was issued can never be mended.
DOCUMENT_EXAMPLES sets how many requests of each kind are tried: `make nightly` tries more.
"""

import dataclasses
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from io import BytesIO
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pypdf import PdfReader
from stdnum import get_cc_module

from billing.api.errors import status_of
from billing.dialects.v1.adjustments import AccountAdjustmentRequestDTO
from billing.dialects.v1.billing_info import AccountBillingDetailsRequestDTO, BillingInfo
from billing.dialects.v1.common import AddressDTO, AmountRequestDTO, TaxDTO
from billing.dialects.v1.consumptions import MAX_UNITS, ConsumptionDTO, ConsumptionRequestDTO
from billing.dialects.v1.invoices import (
    CreditNoteLineRequestDTO,
    CreditNoteRequestDTO,
    InvoiceLineRequestDTO,
    InvoiceRequestDTO,
)
from billing.dialects.v1.movements import MovementRequestDTO
from billing.dialects.v1.refunds import (
    RefundNonSubscribableProductsRequestDTO,
    RefundRequestDTO,
)
from billing.domain.adjustments import Adjustment, AdjustmentKey
from billing.domain.consumptions import (
    UNITS,
    Consumption,
    ConsumptionType,
    taxed_amounts,
    totals_of,
)
from billing.domain.countries import COUNTRIES
from billing.domain.credit_notes import Creditable, CreditNote
from billing.domain.cycle_invoices import CycleContents, draft_bill, next_step
from billing.domain.cycles import BillableAccount, ClosingCycle, OpenCycle
from billing.domain.errors import BillingError
from billing.domain.exchange_rates import ExchangeRate
from billing.domain.invoice_record import read_record, write_record
from billing.domain.invoices import (
    CreditReason,
    Draft,
    InvoiceSummary,
    IssuedInvoice,
    draft_invoice,
)
from billing.domain.issuing import AccountEnd, Ends, Journal
from billing.domain.money import CURRENCIES
from billing.domain.movements import Movement, MovementKey, MovementKind, Surroundings
from billing.domain.networks import Network
from billing.domain.numbering import LANE, ChainEnd
from billing.domain.parties import Account, FiscalService, Org
from billing.domain.refunds import Refund, RefundKey
from billing.domain.tax import NO_TAX, Tax, TaxType
from billing.domain.tax_rates import NO_OWN_RATES
from billing.domain.vat import Supply
from billing.domain.verifactu import FiscalSetting, System
from billing.einvoice.cii import to_factur_x
from billing.einvoice.model import to_e_invoice
from billing.services.convert_tax import with_national_tax
from billing.services.refund_originals import reserved
from functions.documents.pdf.render import render
from tests.documents.official_rules import STYLESHEETS, OfficialRules
from tools.letters import coverage

EXAMPLES = os.environ.get("DOCUMENT_EXAMPLES")
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

SYSTEM = System("Software Ejemplo, S.L.", "B75777847", "Billing API", "BA", "1.0.0", "1-org_1")
SETTING = FiscalSetting(SYSTEM, FiscalService.TEST)

type Json = dict[str, Any]

rules = OfficialRules()


def generated(examples: int) -> Callable[[Any], Any]:
    """
    Bound a generator: the same examples each time, or as many others as are asked for.

    Hypothesis draws constants of imported modules too: what else a process imported changes them.
    """
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
        "株式会社 日本",
        "شركة الأمل ٤٢",
        "ที่ปรึกษา 한국 მაგალითი",
        "<b>&amp;]]>",
        '#panic("x") $x$',
        "שלום",
        "e\u0301",
    ]
)


@cache
def printable() -> list[str]:
    """Return what the fonts of documents have: anything else is refused."""
    return [chr(code) for codes in coverage().values() for code in sorted(codes)]


def mostly[T](
    usual: st.SearchStrategy[T], *others: st.SearchStrategy[T], times: int = 20
) -> st.SearchStrategy[T]:
    """Draw what is usual so many times as often as each of the others."""
    return st.sampled_from([*[usual] * times, *others]).flatmap(lambda chosen: chosen)


ODD = st.text(
    st.one_of(
        st.sampled_from(" \xa0\xad\u200b\u202e\u2028\u3000\ufeff"),
        mostly(
            st.deferred(lambda: st.sampled_from(printable())),
            st.characters(exclude_categories=["Cc", "Cs"]),
        ),
    ),
    min_size=1,
    max_size=4,
)
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
PHONES = st.sampled_from(["+49 40 0000 000", "Tel. 0‑1‑2"])
ADDRESSES = st.sampled_from(
    [
        {"scheme": scheme, "id": address}
        for scheme, address in (
            ("0007", "5567321707"), ("0088", "7300010000001"), ("0106", "12345678"),
            ("0184", "DK13585628"), ("0192", "974760673"), ("0208", "0403019261"),
            ("0216", "003720774740"), ("9933", "094259216"), ("EM", "a&b@c.example"),
        )
    ]
)  # fmt: skip
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
    st.sampled_from(["ES", "DE"]),
    st.sampled_from(sorted(TAX_IDS)),
    st.sampled_from([each for each in sorted(COUNTRIES) if not get_cc_module(each.lower(), "vat")]),
)
SPANISH = st.sampled_from(["08005", "28014", "35001", "38001", "51001", "52001"])
"""Postal codes of the mainland, the Canaries, Ceuta and Melilla: each has another tax."""
FAR_AWAY = {"DE": "78266", "FR": "97400", "GR": "81100", "IT": "23041", "PT": "9000-019"}
"""Postal codes of regions with another tax, or none."""
REGIONS = {
    "DE": "DE-BW", "FR": "FR-971", "GB": "GB-NIR", "GR": "GR-69", "IT": "IT-25", "PT": "PT-30",
    "US": "US-NY",
}  # fmt: skip
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
UNTAXED = st.fixed_dictionaries(
    {"type": st.just("NONE"), "percentage": st.just(0)},
    optional={
        "category": st.sampled_from(["E", "E", "AE", "O"]),
        "exemption_reason": st.sampled_from(["VATEX-EU-132-1I", "Art. 20.Uno.9.º, Ley 37/1992"]),
    },
)
"""No tax, as callers name it."""
TAXES = mostly(
    st.one_of(
        st.none(),
        st.sampled_from(
            [{"type": each, "percentage": 0} for each in ("NONE", "IGIC", "IPSI", "IVA")]
        ),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["IVA", "IGIC", "IPSI", "VAT"]), "percentage": RATES}
        ),
        UNTAXED,
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
        "postal_code": draw(
            SPANISH
            if country == "ES"
            else mostly(st.just("NY 10118"), ODD, st.just(FAR_AWAY.get(country, "1")), times=8)
        ),
        "city": draw(TEXTS),
        "country": country,
        "region": draw(st.sampled_from([None, None, REGIONS.get(country)])),
    }


@st.composite
def orgs(draw: st.DrawFn, country: str) -> Json:
    return {
        "legal_name": draw(NAMES),
        "address": draw(addresses(country)),
        "tax_id": draw(st.sampled_from(TAX_IDS.get(country, FREE))),
        "currency": draw(MONEY_NAMES) or "EUR",
        "time_zone": draw(ZONES),
        "payment_term_days": draw(st.integers(0, 365)),
        "phone": draw(PHONES if country == "DE" else optional(TEXTS)),
        "email": draw(EMAILS),
        "url": draw(optional(TEXTS)),
        "accent": draw(optional(st.sampled_from(["#ffffff", "#0b5394"]))),
        "electronic_address": draw(optional(ADDRESSES)),
        "one_stop_shop": draw(st.booleans()),
        **draw(st.sampled_from([{}, {"invoice_series": "FACTURAS", "credit_series": "A"}])),
        **draw(BANKS),
    }


@st.composite
def accounts(draw: st.DrawFn, country: str) -> Json:
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
        "language": draw(st.sampled_from([None, "es", "en"])),
        "vat_number_status": draw(
            mostly(st.none(), st.sampled_from(["valid", "invalid", "unchecked"]), times=2)
        ),
        "buyer_reference": draw(optional(TEXTS)),
        "electronic_address": draw(optional(ADDRESSES)),
        **draw(BANKS),
    }


@st.composite
def parties(draw: st.DrawFn) -> tuple[Json, Json]:
    """A seller and a buyer, often of one country, and often ready for a network."""
    network = draw(st.sampled_from([None, None, Network.PEPPOL, Network.XRECHNUNG]))
    if network is None:
        org = draw(orgs(draw(PLACES)))
        return org, draw(accounts(draw(st.just(org["address"]["country"]) | PLACES)))
    country = "DE" if network is Network.XRECHNUNG else draw(st.sampled_from(["ES", "FR", "IE"]))
    ready = {"electronic_address": {"scheme": "0088", "id": "4035811991021"}}
    account = {**draw(accounts(country)), **ready, "buyer_reference": "04011000-12345-06"}
    return {**draw(orgs(country)), **ready}, account


@st.composite
def days(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        return {}
    start = draw(st.dates(date(1900, 1, 1), date(2999, 12, 31)))
    end = draw(st.one_of(st.just(start), st.dates(start, date(2999, 12, 31))))
    return {"period_start": start.isoformat(), "period_end": end.isoformat()}


@st.composite
def lines(draw: st.DrawFn, currency: str, taxes: st.SearchStrategy[Json | None]) -> Json:
    exponent = Decimal(1).scaleb(-CURRENCIES[currency])
    setup = draw(optional(MONEY))
    return {
        "description": draw(LONG),
        "quantity": draw(QUANTITIES),
        "unit_price": draw(MONEY),
        "setup_costs": setup if setup is None else setup.quantize(exponent),
        "tax": draw(taxes),
        "order_id": draw(st.sampled_from([None, "4500001"]) | TEXTS),
        "remarks": draw(optional(LONG)),
        **draw(days()),
    }


@st.composite
def invoices(draw: st.DrawFn, currency: str, taxes: st.SearchStrategy[Json | None]) -> Json:
    named = draw(MONEY_NAMES)
    often = st.just(draw(taxes)) | taxes
    due = st.dates(date(1900, 1, 1), date(2999, 12, 31)).map(date.isoformat)
    return {
        "external_invoice_unique_id": "x",
        "description": draw(LONG),
        "currency": named,
        "due_date": draw(st.one_of(st.none(), st.none(), due)),
        "buyer_reference": draw(optional(TEXTS)),
        "lines": draw(st.lists(lines(named or currency, often), min_size=1, max_size=5)),
    }


def amounts(currency: str, tax: Json | None, rate: Decimal) -> st.SearchStrategy[Json]:
    """Amounts with and without tax that agree."""
    return MONEY.map(lambda net: amount_of(net, currency, tax, rate))


def amount_of(net: Decimal, currency: str, tax: Json | None, rate: Decimal) -> Json:
    exponent = Decimal(1).scaleb(-CURRENCIES[currency])
    net = net.quantize(exponent)
    gross = (net * (1 + rate / 100)).quantize(exponent, ROUND_HALF_UP)
    return {
        "value_with_taxes": gross,
        "value_without_taxes": net,
        "tax": tax,
        "currency": currency,
    }


INSTANTS = st.datetimes(datetime(1901, 1, 1), datetime(2998, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    datetime.isoformat
)


@st.composite
def moments(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        return {}
    start, end = sorted(draw(INSTANTS) for _ in range(2))
    return {
        "period_start_datetime": start,
        "period_end_datetime": end,
    }


@st.composite
def movements(draw: st.DrawFn, billed: "Billed", currency: str, tax: Json | None) -> Json:
    """Charges and allowances of all kinds, supplied at any time."""
    period, at = draw(moments()), draw(INSTANTS)
    supplied = date.fromisoformat(period.get("period_end_datetime", at)[:10])
    rate = Decimal(tax["percentage"]) if tax else billed.tax_on(supplied).percentage
    return {
        "account_id": "100001",
        "movement_datetime": at,
        **period,
        "amount": draw(amounts(currency, tax, rate)),
        "operation_type": draw(st.sampled_from(["DEBIT", "DEBIT", "CREDIT"])),
        "kind": draw(st.sampled_from(list(MovementKind))),
        "external_movement_unique_id": "x",
        "description": draw(LONG),
    }


@st.composite
def adjustments(draw: st.DrawFn, billed: "Billed", currency: str, tax: Json | None) -> Json:
    """The same without a subscription."""
    asked = draw(movements(billed, currency, tax))
    at = asked.pop("movement_datetime")
    for name in ("account_id", "kind", "external_movement_unique_id"):
        del asked[name]
    return {**asked, "adjustment_datetime": at, "external_adjustment_unique_id": "x"}


@st.composite
def refunds(draw: st.DrawFn, of: Movement) -> Json:
    """Refunds of all or some of a movement, also for products that cannot be subscribed to."""
    whole = of.amount.net.major
    net = draw(mostly(st.sampled_from([whole, whole / 2, whole / 3]), MONEY, times=4))
    named = {"type": of.tax.type, "percentage": of.tax.percentage}
    if of.tax.type is TaxType.NONE:
        named |= {"category": of.tax.category, "exemption_reason": of.tax.reason}
    tax = draw(st.sampled_from([None, named]))
    period = of.request.period
    names = (
        {"period_start_datetime": period.start, "period_end_datetime": period.end} if period else {}
    )
    request = {
        "refund_datetime": draw(INSTANTS),
        **draw(st.sampled_from([{}, {name: each.text for name, each in names.items()}])),
        "amount": amount_of(net, of.currency, tax, of.tax.percentage),
        "external_invoice_id": draw(optional(TEXTS)),
        "external_refund_unique_id": "x",
        "description": draw(LONG),
    }
    if draw(st.booleans()):
        return {**request, "billable": True}
    request["amount"]["billable"] = True
    return {**request, "transaction_type_id": draw(TEXTS)}


@st.composite
def usage_records(draw: st.DrawFn, billed: "Billed", currency: str, tax: Json | None) -> Json:
    """Usage of all types, each in its unit."""
    type_, at = draw(st.sampled_from(list(ConsumptionType))), draw(INSTANTS)
    default = billed.tax_on(date.fromisoformat(at[:10]))
    rate = Decimal(tax["percentage"]) if tax else default.percentage
    return {
        "external_consumption_unique_id": "x",
        "type": type_,
        "consumed_datetime": at,
        "units": draw(st.one_of(st.integers(0, 5), st.integers(0, MAX_UNITS))),
        "unit": UNITS[type_],
        "amount": draw(amounts(currency, tax, rate)),
        "destination": draw(optional(TEXTS)),
    }


# ---------------------------------------------------------------- what becomes of them


def received[T: BaseModel](dto: type[T], request: Json) -> T:
    """Return a request as it comes in, once it is accepted, and note what it says."""
    accepted = dto.model_validate(request)
    note(accepted)
    return accepted


def note(said: BaseModel) -> None:
    """Note which fields a request has, and those of what is in it."""
    for name, value in said:
        if value is not None:
            drawn[type(said)].add(name)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                note(part)


drawn: dict[type[BaseModel], set[str]] = defaultdict(set)
IN_NO_DOCUMENT: dict[type[BaseModel], set[str]] = {
    # Lanes are in test_lanes.py, fiscal regimes in test_every_record.py.
    BillingInfo: {"lanes", "mail_from", "fiscal_regime", "sandbox"},
    AccountBillingDetailsRequestDTO: {
        "account_id",
        "next_billing_date",
        "mail_state",
        "current_period",
    },
    MovementRequestDTO: {"transaction_type_id"},
    AccountAdjustmentRequestDTO: {"transaction_type_id"},
}
"""Fields that are not drawn, as no document shows them."""


def is_drawn(*dtos: type[BaseModel]) -> None:
    """Check that requests had all fields that a document can show."""
    missing = {
        dto.__name__: left
        for dto in dtos
        if (left := dto.model_fields.keys() - drawn[dto] - IN_NO_DOCUMENT.get(dto, set()))
    }
    assert missing == {}


class Billed:
    """What one org bills one account: requests as they come in, and the documents they make."""

    def __init__(self, org: Json, account: Json) -> None:
        self.org: Org = received(BillingInfo, org).to_domain("demo", sandbox=False)
        request = received(AccountBillingDetailsRequestDTO, account)
        self.account: Account = request.to_domain("100001")
        ends = Ends(ChainEnd(), {}, {self.account.id: AccountEnd()})
        self.journal = Journal(self.org, LANE, NOW, ends, SETTING if self.org.is_declared else None)
        self.currency = self.account.currency or self.org.currency
        self.to = Surroundings(self.org, self.account, None, None)
        self.cycle = OpenCycle.first(self.account, NOW)

    def tax_on(self, day: date) -> Tax:
        """Return the tax by default; none where one has to be named."""
        return Supply(self.org, self.account, NO_OWN_RATES).decide(day).tax or NO_TAX

    def at_home(self, tax: Json | None) -> Json | None:
        """Return a tax, or the one of the account's place where it does not exist there."""
        kinds = Supply(self.org, self.account, NO_OWN_RATES).buyer.taxes
        if tax is None or tax["type"] in (TaxType.NONE, *kinds):
            return tax
        return {**tax, "type": kinds[0]}

    def invoice(self, request: Json) -> IssuedInvoice:
        asked = received(InvoiceRequestDTO, request).to_domain("demo", "100001")
        return self.issue(draft_invoice(asked, self.org, self.account, NO_OWN_RATES, NOW))

    def issue(self, draft: Draft) -> IssuedInvoice:
        return as_read(self.journal.issue(with_national_tax(draft, NOW, self.rate)))

    def rate(self, _: str, currency: str, day: date) -> ExchangeRate:
        """Return a rate for each currency, and the same each time."""
        return ExchangeRate(currency, day, Decimal(int(currency, 36)) / 7919)

    def credit(self, original: Creditable, request: Json) -> tuple[IssuedInvoice, Creditable]:
        """Issue a credit note; return it, and what is left of the original."""
        asked = received(CreditNoteRequestDTO, request)
        wanted = asked.to_domain()
        nets = original.all_left() if wanted is None else original.lines_left(wanted)
        note = CreditNote.of(original, nets, self.org, self.account, asked.description)
        draft = dataclasses.replace(note.draft, credit_reason=asked.reason or CreditReason.REFUND)
        issued = self.issue_note(dataclasses.replace(note, draft=draft))
        summary = InvoiceSummary.of(original.invoice, "")
        return issued, Creditable(original.invoice, summary, note.credited, {}, 2)

    def issue_note(self, note: CreditNote) -> IssuedInvoice:
        if self.org.is_declared:
            draft = with_national_tax(note.draft, NOW, self.rate)
            note = dataclasses.replace(note, draft=draft)
        return as_read(self.journal.credit(note))

    def movement(self, number: int, request: Json) -> Movement:
        asked = received(MovementRequestDTO, request).to_domain()
        self.to.check_period(asked.period, NOW)
        key = MovementKey("demo", "600", f"m{number}")
        return Movement.charged(key, asked, self.to, self.cycle, NOW)

    def adjustment(self, number: int, request: Json) -> Adjustment:
        asked = received(AccountAdjustmentRequestDTO, request).to_domain()
        self.to.check_period(asked.period, NOW)
        key = AdjustmentKey("demo", "100001", f"a{number}")
        return Adjustment.charged(key, asked, self.to, self.cycle, NOW)

    def refund(self, movement: Movement, number: int, request: Json) -> Refund:
        if "transaction_type_id" in request:
            asked = received(RefundNonSubscribableProductsRequestDTO, request).to_domain()
        else:
            asked = received(RefundRequestDTO, request).to_domain()
        key = RefundKey(movement.key, f"r{number}")
        return Refund.pending(key, asked, movement, self.cycle.ends_on, NOW)

    def usage(self, number: int, request: Json) -> Consumption:
        [record] = received(ConsumptionRequestDTO, {"records": [request]}).to_domain("600")
        [amount] = taxed_amounts([record], self.to)
        return Consumption.used(f"u{number}", record, amount, self.cycle)

    def run(
        self, contents: CycleContents, originals: Mapping[int, Creditable]
    ) -> Iterator[IssuedInvoice]:
        """Bill the open cycle, and open the next one."""
        closing: ClosingCycle = BillableAccount(self.account, 1, self.cycle, None).close()
        self.cycle = closing.following
        step = next_step(self.org, closing, contents)
        bill = draft_bill(self.org, step, [originals[each] for each in step.originals])
        for note in bill.credit_notes:
            yield self.issue_note(note)
        for draft in bill.invoices:
            yield self.issue(draft)


def as_read(invoice: IssuedInvoice) -> IssuedInvoice:
    """Return a document as it is read back."""
    return read_record(write_record(invoice, "salt"))


def check(invoice: IssuedInvoice) -> None:
    """Hold all documents of an invoice against the official rules, and its totals to its lines."""
    checked.append(invoice.number)
    claimed[to_e_invoice(invoice).network] += 1
    lines, taxed = (sum(each.net.minor for each in some) for some in (invoice.lines, invoice.taxes))
    assert lines == taxed
    for write in STYLESHEETS:
        document = write(invoice)
        assert rules.is_well_formed(document), document.decode()
        assert rules.broken_by(write, document) == [], document.decode()
    check_pdf(render(invoice), to_factur_x(invoice))
    if invoice.corrects and invoice.cycle:
        credited_by_runs.append(invoice.number)


def check_pdf(pdf: bytes, factur_x: bytes) -> None:
    """
    Check that a PDF opens, has all its pages, carries the e-invoice, and claims its standards.

    What it claims it is: typst makes no PDF that breaks a standard which it is asked to conform to.
    """
    reader = PdfReader(BytesIO(pdf), strict=True)
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, 1):
        assert re.search(rf"\b{number}\D+{count}\b", page.extract_text())
    assert reader.attachments == {"factur-x.xml": [factur_x]}
    metadata: Any = reader.root_object["/Metadata"]
    for declared in (
        b"<pdfaid:part>3</pdfaid:part>",
        b"<pdfaid:conformance>A</pdfaid:conformance>",
        b"<pdfuaid:part>1</pdfuaid:part>",
    ):
        assert declared in metadata.get_data()


credited_by_runs: list[str] = []
checked: list[str] = []
claimed: Counter[Network] = Counter()


@contextmanager
def refused() -> Iterator[None]:
    """Let a request be refused, as one that is wrong or that the state forbids."""
    refusal = None
    try:
        yield
    except ValidationError:
        return
    except BillingError as error:
        refusal = error
    assert refusal is None or status_of(refusal) in (400, 409), refusal


@contextmanager
def at_least(documents: int) -> Iterator[None]:
    """Fail where fewer documents were checked: requests that are all refused show nothing."""
    checked.clear()
    claimed.clear()
    credited_by_runs.clear()
    yield
    assert len(checked) >= documents
    assert all(claimed[network] >= documents // 20 for network in Network), claimed


def test_invoices_and_their_credit_notes() -> None:
    with at_least(80):
        invoices_and_their_credit_notes()
    is_drawn(
        BillingInfo,
        AccountBillingDetailsRequestDTO,
        AddressDTO,
        InvoiceRequestDTO,
        InvoiceLineRequestDTO,
        TaxDTO,
        CreditNoteRequestDTO,
        CreditNoteLineRequestDTO,
    )


def test_what_a_run_bills() -> None:
    with at_least(100):
        what_a_run_bills()
    assert len(credited_by_runs) >= 30
    is_drawn(
        MovementRequestDTO,
        AmountRequestDTO,
        AccountAdjustmentRequestDTO,
        ConsumptionDTO,
        RefundRequestDTO,
        RefundNonSubscribableProductsRequestDTO,
    )


@generated(300)
@given(data=st.data())
def invoices_and_their_credit_notes(data: st.DataObject) -> None:
    for _, invoice in issued_and_credited(data, parties(), TAXES):
        check(invoice)


@generated(300)
@given(data=st.data())
def what_a_run_bills(data: st.DataObject) -> None:
    for _, invoice in billed_by_runs(data, parties(), TAXES):
        check(invoice)


type Issued = Iterator[tuple[Billed, IssuedInvoice]]


def issued_and_credited(
    data: st.DataObject,
    parties: st.SearchStrategy[tuple[Json, Json]],
    taxes: st.SearchStrategy[Json | None],
) -> Issued:
    """Issue an invoice of any kind, and credit notes of a part of it and of the rest."""
    billed = invoice = None
    with refused():
        billed = Billed(*data.draw(parties))
        request = data.draw(invoices(billed.currency, taxes))
        if data.draw(st.integers(0, 5)):
            for line in request["lines"]:
                line["tax"] = billed.at_home(line["tax"])
        invoice = billed.invoice(request)
    if billed is None or invoice is None:
        return

    yield billed, invoice
    original = Creditable(invoice, InvoiceSummary.of(invoice, ""), {}, {}, 1)
    number = data.draw(st.integers(1, len(invoice.lines)))
    most = max(original.left_of(number).major, Decimal(0))
    part = {"line": number, "amount_without_taxes": data.draw(st.sampled_from([most, most / 2]))}
    for lines in ([part], None):
        request = {
            "external_credit_note_unique_id": "x",
            "description": data.draw(LONG),
            "reason": data.draw(st.sampled_from([None, "refund", "other"])),
            "lines": lines,
        }
        note = None
        with refused():
            note, original = billed.credit(original, request)
        if note:
            yield billed, note


def billed_by_runs(
    data: st.DataObject,
    parties: st.SearchStrategy[tuple[Json, Json]],
    taxes: st.SearchStrategy[Json | None],
) -> Issued:
    """Bill charges, allowances, refunds and usage of any kind, and then later refunds of them."""
    billed = None
    with refused():
        billed = Billed(*data.draw(parties))
    if billed is None:
        return
    currency = data.draw(MONEY_NAMES) or billed.currency
    tax = billed.at_home(data.draw(taxes))
    charged, given_back, used = list[Movement](), list[Refund](), list[Consumption]()
    adjusted = list[Adjustment]()
    for number in range(data.draw(st.integers(1, 4))):
        with refused():
            charged.append(billed.movement(number, data.draw(movements(billed, currency, tax))))
            request = data.draw(refunds(charged[-1]))
            given_back.append(billed.refund(charged[-1], number, request))
    for number in range(data.draw(st.integers(0, 3))):
        with refused():
            used.append(billed.usage(number, data.draw(usage_records(billed, currency, tax))))

    for number in range(data.draw(st.sampled_from([0, 0, 1, 2]))):
        with refused():
            request = data.draw(adjustments(billed, currency, tax))
            adjusted.append(billed.adjustment(number, request))

    first = CycleContents(charged, totals_of("600", used), given_back, adjusted)
    originals = {}
    for invoice in billed.run(first, {}):
        yield billed, invoice
        summary = InvoiceSummary.of(invoice, "")
        originals[invoice.key.ordinal] = Creditable(invoice, summary, {}, {}, 1)

    later = list[Refund]()
    for original in list(originals.values()):
        for number, movement in enumerate(charged):
            if original.summary.is_credit or original.line_of(movement.key.id) is None:
                continue
            with refused():
                refund = billed.refund(movement, number, data.draw(refunds(movement)))
                kept, after = reserved(movement, refund, originals[original.invoice.key.ordinal])
                later.append(dataclasses.replace(refund, reservation=kept))
                originals |= {original.invoice.key.ordinal: after} if after else {}
    for invoice in billed.run(CycleContents([], [], later), originals):
        yield billed, invoice
